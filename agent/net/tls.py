"""The one TLS context for everything that leaves: TLS 1.2 or newer, forward secrecy, AEAD, full checks.

Nothing is left to defaults: an interpreter from a distribution may offer CBC, RSA key exchange and PSK, and an
OpenSSL configuration file may lower the minimum version. There is no switch that weakens any of it. Revocation is
not checked (Python cannot); a site that needs it names its own CA with `ca_file`.

ECDHE only: DHE would be allowed by the promise, but its group size is the server's choice. The variables
SSL_CERT_FILE, SSL_CERT_DIR and SSLKEYLOGFILE are ignored.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from agent.errors import AgentError, ConfigError, PushDeferred

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!aDSS:!PSK:!SRP:@SECLEVEL=2"
VERSIONS = frozenset({"TLSv1.2", "TLSv1.3"})
SUITES = frozenset(
    {
        "TLS_AES_256_GCM_SHA384",
        "TLS_AES_128_GCM_SHA256",
        "TLS_CHACHA20_POLY1305_SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    }
)
TRUST_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")

# OpenSSL's X509_V_ERR_* numbers: stable since 1.0, the texts are not.
_EXPIRED, _NOT_YET = 10, 9
_SELF_SIGNED, _SELF_SIGNED_CHAIN = 18, 19
_UNKNOWN_CA = (2, 20, 21)
_WRONG_PURPOSE = (24, 26, 79)
_WEAK = (66, 67, 68)
_WRONG_HOST = (62, 64)
_NO_KEY_USAGE = 92
_STRICT = range(80, 96)

_VERIFY_WORDS: dict[int, tuple[str, str]] = {
    _EXPIRED: (
        "its certificate has expired",
        "If this host's clock is right (check: timedatectl), the certificate must be renewed at the other end.",
    ),
    _NOT_YET: ("its certificate is not valid yet", "Check this host's clock: timedatectl"),
    _SELF_SIGNED: (
        "its certificate is self-signed",
        "If this is your own server or proxy, name its CA in cloud.ca_file; otherwise ask who answers at this address.",
    ),
    _SELF_SIGNED_CHAIN: (
        "the root of its certificate chain is not trusted here",
        "If a proxy inspects TLS on your network, name its root in cloud.ca_file.",
    ),
    _NO_KEY_USAGE: (
        "a CA certificate of its chain has no keyUsage extension, which RFC 5280 demands",
        "Ask whoever runs this CA (often a TLS-inspecting proxy) to issue a root with keyUsage keyCertSign; "
        "until then let the proxy pass this host without inspection.",
    ),
}


def client_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """A client context that trusts `ca_file` alone, or the system's store when there is none.

    Raises ConfigError when `ca_file` cannot be read or holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is None:
        for name in TRUST_VARIABLES:
            os.environ.pop(name, None)
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return context
    try:
        context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"The CA file {ca_file} cannot be used.",
            why=_reason_of_ca_file(error),
            do="Give a readable PEM file with at least one CA certificate in cloud.ca_file.",
        ) from error
    return context


def _reason_of_ca_file(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "It holds no certificate in PEM form."
    return f"{error.strerror or error}."


def check_connection(connection: ssl.SSLSocket | ssl.SSLObject, host: str) -> None:
    """Refuse an established connection outside the promise; called before a byte of a request is written."""
    version = connection.version() or "none"
    cipher = connection.cipher()
    suite = cipher[0] if cipher else "none"
    if version not in VERSIONS or suite not in SUITES:
        raise PushDeferred(
            f"The connection to {host} is not safe enough.",
            why=f"It agreed on {version} with {suite}; needed is TLS 1.2 or newer with forward secrecy and AEAD.",
            do="Ask whoever runs that server or the proxy in between to offer ECDHE with AES-GCM.",
            sent=False,
        )


def described(connection: ssl.SSLSocket) -> str:
    """Version, cipher suite, and who vouches for the certificate until when, for a person."""
    certificate = connection.getpeercert() or {}
    issuer = dict(pair for names in certificate.get("issuer", ()) for pair in names)  # type: ignore[misc]  # a tuple of tuples of pairs
    name = issuer.get("commonName") or issuer.get("organizationName") or "unknown"
    cipher = connection.cipher()
    ends = certificate.get("notAfter", "unknown")
    return f"{connection.version()}, {cipher[0] if cipher else 'none'}; certificate by {name}, valid to {ends}."


def explain(error: ssl.SSLError, host: str) -> AgentError:
    """The PushDeferred that says in words what a failed handshake with `host` means and what mends it."""
    why, do = _words(error)
    return PushDeferred(f"No safe connection to {host}.", why=why, do=do, sent=False)


def _words(error: ssl.SSLError) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _verification_words(error)
    reason = (error.reason or "").upper()
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return (
            f"What answers on that port does not speak TLS ({reason.lower()}).",
            "Check the port in cloud.endpoint; plain http is never used.",
        )
    if reason in (
        "UNSUPPORTED_PROTOCOL",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "WRONG_SSL_VERSION",
        "NO_PROTOCOLS_AVAILABLE",
    ):
        return ("It offers only TLS 1.1 or older.", "TLS 1.2 or newer must be switched on at the other end.")
    if reason in (
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV1_ALERT_HANDSHAKE_FAILURE",
        "NO_SHARED_CIPHER",
        "NO_CIPHERS_AVAILABLE",
    ):
        return (
            "It offers no cipher suite with forward secrecy and AEAD, or wants a client certificate.",
            "Ask whoever runs that server or proxy to offer ECDHE with AES-GCM.",
        )
    if reason in ("DH_KEY_TOO_SMALL", "EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "BAD_KEY_SHARE"):
        return (f"Its keys are too weak ({reason.lower()}).", "The certificate or the server's keys must be replaced.")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or "EOF" in reason:
        return (
            "The connection was closed in the middle of the TLS handshake.",
            "A firewall or a proxy in between may not let it pass; set cloud.proxy if this network needs one.",
        )
    return (f"The TLS handshake failed ({reason.lower() or 'no reason given'}).", "Run: portfolio-agent status")


def _verification_words(error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    code = error.verify_code
    if code in _VERIFY_WORDS:
        why, do = _VERIFY_WORDS[code]
        return f"It cannot prove who it is: {why}.", do
    if code in _WRONG_HOST:
        return (
            "It cannot prove who it is: its certificate names another host.",
            "Check the host name in cloud.endpoint; a certificate without subjectAltName counts as nameless.",
        )
    if code in _UNKNOWN_CA:
        return (
            "It cannot prove who it is: its certificate is signed by a CA that is unknown here, or a link is missing.",
            "Name your CA in cloud.ca_file, or install it: update-ca-certificates",
        )
    if code in _WRONG_PURPOSE:
        return (
            "It cannot prove who it is: its certificate is not meant for servers.",
            "It must be issued again with extendedKeyUsage serverAuth.",
        )
    if code in _WEAK:
        return (
            "It cannot prove who it is: its certificate is too weak.",
            "It must be issued again with a stronger key.",
        )
    if code in _STRICT:
        return (
            f"It cannot prove who it is: a certificate of its chain breaks RFC 5280 ({error.verify_message}).",
            "Ask whoever runs this CA (often a TLS-inspecting proxy) to issue a root that follows RFC 5280.",
        )
    return (f"It cannot prove who it is: {error.verify_message}.", "Run: portfolio-agent status")
