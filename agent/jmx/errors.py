"""What can go wrong between us and a JVM; `code` is stable and short, the sentences are for the admin.

JmxError                  the sample, or one call of it, failed
├── ProtocolError         the bytes are not what section 9 and 10 of the wire note allow: the socket is dropped
│   ├── UnskippableValue  a value whose end cannot be found (bare externalizable data): never ask for it again
│   └── PeerAborted       the server could not serialize a value: it closes the socket after saying so
├── RemoteFailure         the server answered with an exception
└── ConnectionLost        end of stream or reset: the socket is gone, the object behind it may live
"""

from __future__ import annotations

TEXT_LIMIT = 200  # characters of a server's text that we keep; stack traces and messages may be kilobytes


class JmxError(Exception):
    """A sample could not be taken: code (stable, may be reported), what happened, why, what to do.

    Codes: refused, unreachable, unknown-host, timeout, wrong-port, registry-tls-missing, registry-tls-unwanted,
    server-tls-missing, server-tls-unwanted, tls-failed, client-certificate-required, login-required, login-refused,
    permission-denied, serial-filter, connection-lost, protocol-error, reply-too-large, remote-failure,
    transport-unusable.
    """

    def __init__(self, code: str, what: str, *, why: str = "", do: str = "") -> None:
        super().__init__(f"{what} {why}".strip())
        self.code = code
        self.what = what
        self.why = why
        self.do = do


class ProtocolError(JmxError):
    """After this nothing can be resynchronised: the socket is dropped (wire note, section 10, rule 9)."""

    def __init__(self, what: str, *, code: str = "protocol-error") -> None:
        super().__init__(code, what, do="Check that the port belongs to a JVM's JMX agent.")


class UnskippableValue(ProtocolError):
    """A value of `class_name` writes its bytes bare, so its end is unknown (section 9)."""

    def __init__(self, class_name: str) -> None:
        super().__init__(f"A value of class {clean(class_name)} cannot be read.")
        self.class_name = clean(class_name)


class PeerAborted(ProtocolError):
    """The server met a value that it could not serialize and gave up in the middle of its answer (section 4)."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The server broke off its answer: {reason}.")
        self.reason = reason


class ConnectionLost(JmxError):
    """The socket ended or was reset."""

    def __init__(self, what: str, *, why: str = "") -> None:
        super().__init__("connection-lost", what, why=why, do="Nothing: the next sample connects again.")


class RemoteFailure(JmxError):
    """An exception that the server sent: class, class chain (itself first), message, causes; texts cleaned and cut."""

    def __init__(
        self, class_name: str, message: str, ancestors: tuple[str, ...], causes: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self.class_name = clean(class_name)
        self.message = clean(message)
        self.ancestors = ancestors
        self.causes = causes
        super().__init__("remote-failure", f"The server answered {self}.")

    def __str__(self) -> str:
        return f"{self.class_name}: {self.message}" if self.message else self.class_name

    @property
    def keeps_socket(self) -> bool:
        """True when the call was answered in order, so that the next reply follows (section 4)."""
        return "java.rmi.RemoteException" not in self.ancestors

    @property
    def object_gone(self) -> bool:
        """True when the remote object does not exist any more: newClient or lookup again (sections 4 and 8)."""
        return self.class_name == "java.rmi.NoSuchObjectException"

    @property
    def is_security(self) -> bool:
        """True for a refused login or a missing permission."""
        return "java.lang.SecurityException" in self.ancestors

    @property
    def is_filtered(self) -> bool:
        """True when the JVM's filter of serialized classes did not let the arguments of a call in."""
        return self.involves("java.io.InvalidClassException")

    def involves(self, word: str) -> bool:
        """Return whether the exception or one of its causes has `word` in its class name."""
        return word in self.class_name or any(word in cause for cause, _ in self.causes)


def serial_filter() -> JmxError:
    """The error of a JVM that answers, but refuses what every read has to send."""
    return JmxError(
        "serial-filter",
        "The JVM answers, but its serial filter lets no question about MBeans in.",
        why="Its jdk.serialFilter (an option -D, or in conf/security/java.security) rejects the classes that such a "
        "question is made of: javax.management.ObjectName and java.lang.String[].",
        do="Put what is needed before its other words and restart the product: "
        "-Djdk.serialFilter='javax.management.ObjectName;java.lang.String;<as it is now>'. "
        "Or use Jolokia, which sends no objects.",
    )


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return a server's text fit for logs and terminals: no control, escape, bidi or surrogate characters, cut."""
    shown = "".join(" " if char in "\t\r\n" else char if char.isprintable() else "\ufffd" for char in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
