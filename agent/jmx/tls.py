"""TLS towards one JVM, in the words of its own switches; the policy is the one of `agent.net.tls`.

A context of its own per target, so that two targets may trust two different CAs. `ssl` is imported only when TLS is
wanted: it costs about 6 MiB. Wire note, section 11.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from agent.jmx.errors import JmxError, clean
from agent.jmx.model import TlsOptions
from agent.net.error import Fault, NetError

if TYPE_CHECKING:
    import ssl


def wrap(plain: socket.socket, host: str, options: TlsOptions, side: str) -> ssl.SSLSocket:
    """Return the socket with TLS on it, handshake done; `side` is registry or server. The caller closes `plain`."""
    from agent.net.tls import check_connection, client_context

    try:
        # The name is checked unless told otherwise: older JDKs never did, so many certificates bear another one, and
        # the admin says which (`expected_name`).
        context = client_context(options.trust, http=False)
        secured = context.wrap_socket(plain, server_hostname=options.expected_name or host)
    except NetError as error:
        raise unusable_files(error) from error
    except OSError as error:
        raise tls_error(error, options, side) from error
    except ValueError as error:
        do = "Give the name of the certificate as expected_name."
        raise JmxError("tls-failed", "The name to check is no host name.", why=clean(str(error)), do=do) from error
    try:
        check_connection(secured)
    except NetError as error:
        secured.close()
        raise JmxError("tls-failed", f"TLS with the {side} failed.", why=error.why, do="Check both sides.") from error
    return secured


def unusable_files(error: NetError) -> JmxError:
    """Return the error of certificate files that cannot be used."""
    return JmxError(
        "tls-failed",
        "The TLS files of this target cannot be used.",
        why=clean(error.why),
        do="Give PEM files that the agent may read: CA, certificate, and a key without passphrase.",
    )


def is_tls_error(error: OSError) -> bool:
    """Return whether an error of a read or write is TLS's own, without importing `ssl` for it."""
    return type(error).__module__ == "ssl"


def tls_error(error: OSError, options: TlsOptions, side: str) -> JmxError:
    """Return what an error of handshake or first read means (with TLS 1.3 some alerts come that late)."""
    from agent.net.tls import fault_of

    if isinstance(error, TimeoutError):
        return JmxError("timeout", f"The {side} did not finish the TLS handshake in time.", do="Check port and load.")
    fault = fault_of(error, options.trust)
    if fault is Fault.UNTRUSTED:
        return JmxError(
            "tls-failed",
            f"The certificate of the {side} is not trusted.",
            why=clean(getattr(error, "verify_message", "")),
            do="Give the CA that signed it, or the name it was made for (expected_name).",
        )
    if fault is Fault.CERTIFICATE_WANTED:
        return JmxError(
            "client-certificate-required",
            f"The {side} wants a client certificate that it trusts.",
            why="com.sun.management.jmxremote.ssl.need.client.auth=true",
            do="Give certificate_file and key_file, and put their CA into the JVM's trust store.",
        )
    if fault in (Fault.NOT_TLS, Fault.TLS_CUT):  # a plain RMI port ends the stream (section 11); others answer in clear
        flag = "jmxremote.registry.ssl" if side == "registry" else "jmxremote.ssl"
        return JmxError(
            "registry-tls-unwanted" if side == "registry" else "server-tls-unwanted",
            f"The {side} does not speak TLS.",
            do=f"Switch TLS off for the {side}, or set -Dcom.sun.management.{flag}=true on the JVM.",
        )
    reason = getattr(error, "reason", None) or str(error)
    return JmxError("tls-failed", f"TLS with the {side} failed.", why=clean(reason.upper()), do="Check both sides.")
