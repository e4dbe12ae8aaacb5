"""TLS towards one JVM: a context of its own per target, so that two targets may trust two different CAs.

`ssl` is imported only when TLS is wanted: it costs about 3 MiB. Wire note, section 11.
"""

from __future__ import annotations

import socket
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from agent.jmx.errors import JmxError, clean
from agent.jmx.model import TlsOptions

if TYPE_CHECKING:
    import ssl

WEB_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!aDSS:!PSK:!SRP:@SECLEVEL=2"


def context_of(options: TlsOptions) -> ssl.SSLContext:
    """Return a context with the target's own trust and certificate. Raises JmxError `tls-failed` for unusable files."""
    files = (options.ca_file, options.certificate_file, options.key_file)
    try:
        versions = tuple(file.stat().st_mtime_ns for file in files if file)
    except OSError as error:
        raise _unusable(error) from error
    return _make_context(options, versions)


@lru_cache(maxsize=16)  # loading the system's CAs takes 30 ms; a file that changes makes a new context
def _make_context(options: TlsOptions, _versions: tuple[int, ...]) -> ssl.SSLContext:
    import ssl

    try:
        context = ssl.create_default_context(cafile=str(options.ca_file) if options.ca_file else None)
        if not options.check_name:
            context.check_hostname = False
        if options.certificate_file:
            context.load_cert_chain(options.certificate_file, options.key_file, password=_no_passphrase)
    except (OSError, ValueError) as error:
        raise _unusable(error) from error
    return context


def _unusable(error: Exception) -> JmxError:
    return JmxError(
        "tls-failed",
        "The TLS files of this target cannot be used.",
        why=clean(str(error)),
        do="Give PEM files that the agent may read: CA, certificate, and a key without passphrase.",
    )


def _no_passphrase() -> bytes:
    # without this OpenSSL asks on the terminal and the agent hangs
    return b""


def web_context(options: TlsOptions) -> ssl.SSLContext:
    """Return a context for a web server: everything explicit, so that no system default can weaken it.

    TLS 1.2 or newer, forward secrecy, AEAD; `ca_file` alone is trusted, else the system's authorities. Nothing is read
    from the environment. Raises JmxError `tls-failed` for an unusable `ca_file`.
    """
    try:
        version = options.ca_file.stat().st_mtime_ns if options.ca_file else 0
    except OSError as error:
        raise _unusable(error) from error
    return _make_web_context(options, version)


@lru_cache(maxsize=4)
def _make_web_context(options: TlsOptions, _version: int) -> ssl.SSLContext:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(WEB_CIPHERS)
    context.hostname_checks_common_name = False
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.set_alpn_protocols(["http/1.1"])
    paths = ssl.get_default_verify_paths()
    try:
        if options.ca_file is not None:
            context.load_verify_locations(options.ca_file)
        else:
            # not load_default_certs, which believes SSL_CERT_FILE and SSL_CERT_DIR
            file, folder = Path(paths.openssl_cafile), Path(paths.openssl_capath)
            if file.is_file() or folder.is_dir():
                context.load_verify_locations(file if file.is_file() else None, folder if folder.is_dir() else None)
    except (OSError, ValueError) as error:
        raise _unusable(error) from error
    return context


def wrap(
    plain: socket.socket, host: str, options: TlsOptions, side: str, context: ssl.SSLContext | None = None
) -> ssl.SSLSocket:
    """Return the socket with TLS on it, handshake done; `side` is registry or server. The caller closes `plain`."""
    context = context or context_of(options)
    try:
        return context.wrap_socket(plain, server_hostname=options.expected_name or host)
    except OSError as error:
        raise tls_error(error, options, side) from error
    except ValueError as error:
        do = "Give the name of the certificate as expected_name."
        raise JmxError("tls-failed", "The name to check is no host name.", why=clean(str(error)), do=do) from error


def is_tls_error(error: OSError) -> bool:
    """Return whether an error of a read or write is TLS's own, without importing `ssl` for it."""
    return type(error).__module__ == "ssl"


def tls_error(error: OSError, options: TlsOptions, side: str) -> JmxError:
    """Return what an error of handshake or first read means (with TLS 1.3 some alerts come that late)."""
    import ssl

    reason = (getattr(error, "reason", None) or "").upper()
    if isinstance(error, TimeoutError):
        return JmxError("timeout", f"The {side} did not finish the TLS handshake in time.", do="Check port and load.")
    if isinstance(error, ssl.SSLCertVerificationError):
        return JmxError(
            "tls-failed",
            f"The certificate of the {side} is not trusted.",
            why=clean(error.verify_message),
            do="Give the CA that signed it, or the name it was made for (expected_name).",
        )
    if "CERTIFICATE_REQUIRED" in reason or ("ALERT_BAD_CERTIFICATE" in reason and options.certificate_file is None):
        return JmxError(
            "client-certificate-required",
            f"The {side} wants a client certificate that it trusts.",
            why="com.sun.management.jmxremote.ssl.need.client.auth=true",
            do="Give certificate_file and key_file, and put their CA into the JVM's trust store.",
        )
    if "ALERT" not in reason and _speaks_no_tls(error, reason):
        flag = "jmxremote.registry.ssl" if side == "registry" else "jmxremote.ssl"
        return JmxError(
            "registry-tls-unwanted" if side == "registry" else "server-tls-unwanted",
            f"The {side} does not speak TLS.",
            do=f"Switch TLS off for the {side}, or set -Dcom.sun.management.{flag}=true on the JVM.",
        )
    return JmxError(
        "tls-failed", f"TLS with the {side} failed.", why=clean(reason or str(error)), do="Check both sides."
    )


def _speaks_no_tls(error: OSError, reason: str) -> bool:
    """A plain RMI port ends the stream during the handshake (section 11); other servers answer in clear."""
    import ssl

    ended = isinstance(error, ssl.SSLEOFError | ConnectionResetError | BrokenPipeError) or "EOF" in reason
    return ended or reason in ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
