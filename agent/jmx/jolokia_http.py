"""HTTP POSTs to one Jolokia agent: what may go wrong in Jolokia's own words.

In:    a target with a `url`, JSON texts. Out: JSON texts. Raise: JmxError in the words of the other transports.
Only `jolokia.py` imports this module, when the first sample is taken: the library below costs memory.
"""

from __future__ import annotations

from agent.jmx.errors import ConnectionLost, JmxError, ProtocolError, clean
from agent.jmx.http import FarSide, HttpClient
from agent.jmx.jrmp import Deadline
from agent.jmx.model import Target
from agent.jmx.rmi import read_password

_WORDS = {
    "refused": ("Nothing listens there.", "Start the product, or correct [jmx] url."),
    "unreachable": ("The address does not answer.", "Open the port of [jmx] url for this host."),
    "wrong-port": (
        "What answers there does not speak HTTP.",
        "Correct [jmx] url; write https:// if the agent wants TLS.",
    ),
    "unknown-host": ("The name is not known here.", "Correct the host in [jmx] url."),
    "server-tls-unwanted": (
        "What answers there ended the TLS handshake.",
        "If the agent is plain, write http:// in [jmx] url; if it wants a client certificate, set certificate_file.",
    ),
    "client-certificate-required": (
        "The Jolokia agent wants a client certificate that it trusts.",
        "Set certificate_file and key_file in [jmx.tls].",
    ),
}


class JolokiaHttp:
    """The connection of one sample; a context manager. Nothing stays open between samples."""

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self._target = target
        self._far = FarSide(target.url or "", "Jolokia agent", target.tls)
        login = None if target.user is None else (target.user, read_password(target) or "")
        headers = {"Content-Type": "application/json", "User-Agent": "agent-jmx"}
        self._http = HttpClient(self._far, deadline, login=login, headers=headers)

    def __enter__(self) -> JolokiaHttp:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.__exit__()

    def post(self, body: str) -> bytes:
        """Return the body of the answer to one POST. Raises JmxError for everything that is not a whole answer."""
        try:
            answer = self._http.send("POST", self._far.url, content=body.encode())
        except ConnectionLost:
            raise self._lost() from None
        except JmxError as error:
            raise _worded(error) from None
        self._check(answer.status)
        return answer.body

    def _lost(self) -> JmxError:
        """Some servers end the stream in place of asking for a certificate that they miss."""
        do = "Nothing: the next sample connects again."
        if self._far.secure and self._target.tls.certificate_file is None:
            do += " If it lasts and the agent wants a client certificate: set certificate_file in [jmx.tls]."
        return JmxError("connection-lost", "The Jolokia agent closed the connection.", do=do)

    def _check(self, status: int) -> None:
        """Jolokia answers 200 and puts errors into the JSON; any other status is said by what stands before it."""
        if status == 200:
            return
        if status == 401:
            known = self._target.user is not None
            raise JmxError(
                "login-refused" if known else "login-required",
                "The Jolokia agent refuses the login." if known else "The Jolokia agent wants a login.",
                why="HTTP status 401.",
                do="Check [jmx] user and its password.",
            )
        if status == 403:
            raise JmxError(
                "permission-denied",
                "The Jolokia agent does not let us read.",
                why="HTTP status 403.",
                do="Allow this host and the commands read, list and search in jolokia-access.xml.",
            )
        if status == 404:
            raise JmxError("wrong-port", "There is no Jolokia agent at that path.", do="Correct [jmx] url.")
        if status == 413:
            raise ProtocolError("The question is too large for the server.", code="reply-too-large")
        if 300 <= status < 400:
            raise JmxError(
                "protocol-error", "The Jolokia agent redirects, which is not followed.", do="Set the final [jmx] url."
            )
        raise JmxError("remote-failure", f"The Jolokia agent answers with HTTP status {status}.", do="Look at its log.")


def _worded(error: JmxError) -> JmxError:
    """The same code in the words of a URL: the causes were written for the JVM's own port."""
    if error.code == "timeout" and "handshake" in error.what:
        # a plain HTTP server waits for the end of a line that never comes
        do = "Write http:// in [jmx] url if the agent is plain."
        return JmxError("timeout", "The TLS handshake did not end in time.", do=do)
    if error.code not in _WORDS:
        return error
    what, do = _WORDS[error.code]
    code = "tls-failed" if error.code == "server-tls-unwanted" else error.code
    return JmxError(code, what, why=clean(error.why) if error.code == "unknown-host" else "", do=do)
