"""The one TLS policy: TLS 1.2 or newer, forward secrecy, AEAD, full checks; for the cloud, the product, and a JVM.

Nothing is left to defaults: an interpreter from a distribution may offer CBC, RSA key exchange and PSK, and an
OpenSSL configuration file may lower the minimum version. There is no switch that weakens any of it. Revocation is
not checked (Python cannot); a site that needs it names its own CA.

ECDHE only: DHE would be allowed by the promise, but its group size is the server's choice. The variables
SSL_CERT_FILE, SSL_CERT_DIR and SSLKEYLOGFILE are ignored.
Importing this module brings `ssl`, which costs 6 MiB: who reads over plain RMI never does.
"""

from __future__ import annotations

import codecs
import re
import ssl
from functools import lru_cache
from pathlib import Path

from agent.net.error import Fault, NetError, Step
from agent.net.options import OptionNames, TlsTrust

# For TLS 1.2; all suites of 1.3 are forward secret and AEAD. Left to itself Debian 12's own python3.11 offers 60
# suites, 36 of them without AEAD, and connects without forward secrecy (measured). At security level 1 a server with a
# group of 1024 bits would do.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!aDSS:!PSK:!SRP:@SECLEVEL=2"
LARGEST_CA_FILE = 8 * 1024 * 1024  # a system's whole bundle has 0.25
PEM_BEGINS = b"-----BEGIN "
PEM_INDENTED = re.compile(rb"^[ \t]+-----BEGIN ", re.MULTILINE)
PEM_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----")
NO_CERTIFICATE = "It holds no certificate, in PEM or DER form."
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


def client_context(trust: TlsTrust, *, http: bool = True) -> ssl.SSLContext:
    """A client context as `trust` says; `http` offers HTTP/1.1 by ALPN. Raises NetError `tls-files`.

    Kept while the files are as they were: loading the system's authorities takes 30 ms.
    """
    files = (trust.ca_file, trust.certificate_file, trust.key_file)
    try:
        versions = tuple(file.stat().st_mtime_ns for file in files if file)
    except OSError as error:
        raise _unusable(error) from error
    return _make_context(trust, http, versions)


@lru_cache(maxsize=16)
def _make_context(trust: TlsTrust, http: bool, _versions: tuple[int, ...]) -> ssl.SSLContext:
    # Not create_default_context: it honours SSLKEYLOGFILE, and leaves suites and version to the system.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Said, because OPENSSL_CONF decides otherwise.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.hostname_checks_common_name = trust.common_name
    context.check_hostname = trust.check_name
    if trust.strict_chain:
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    # None of them is of use to a client with one connection, and each has had its attacks.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    if http:
        context.set_alpn_protocols(["http/1.1"])
    try:
        _load_authorities(context, trust.ca_file)
        if trust.certificate_file is not None:
            context.load_cert_chain(trust.certificate_file, trust.key_file, password=_no_passphrase)
    except (OSError, ValueError) as error:
        raise _unusable(error) from error
    return context


def _load_authorities(context: ssl.SSLContext, ca_file: Path | None) -> None:
    if ca_file is not None:
        octets = ca_file.read_bytes()[:LARGEST_CA_FILE]
        text = _without_mark(octets)
        if PEM_BEGINS not in text:
            # DER, as browsers export it.
            context.load_verify_locations(cadata=octets)
        elif text == octets and not PEM_INDENTED.search(text):
            context.load_verify_locations(ca_file)
        else:
            # OpenSSL passes over a certificate behind a byte order mark or blanks without a word.
            lines = b"\n".join(line.strip() for line in text.splitlines())
            context.load_verify_locations(cadata=b"\n".join(PEM_BLOCK.findall(lines)).decode("ascii"))
        return
    # Not load_default_certs, which believes SSL_CERT_FILE and SSL_CERT_DIR: these are OpenSSL's built-in places.
    paths = ssl.get_default_verify_paths()
    file, folder = Path(paths.openssl_cafile), Path(paths.openssl_capath)
    if file.is_file() or folder.is_dir():
        context.load_verify_locations(file if file.is_file() else None, folder if folder.is_dir() else None)


def _without_mark(octets: bytes) -> bytes:
    """A text file's bytes without what editors of other systems put in front; UTF-16 as UTF-8."""
    if octets.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return octets.decode("utf-16", "replace").encode("utf-8")
    return octets.removeprefix(codecs.BOM_UTF8)


def _no_passphrase() -> bytes:
    # Without it OpenSSL asks on the terminal, and a daemon hangs.
    return b""


def _unusable(error: Exception) -> NetError:
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "").upper()
        why = {
            "NO_CERTIFICATE_OR_CRL_FOUND": NO_CERTIFICATE,
            "NOT_ENOUGH_DATA": NO_CERTIFICATE,
            "KEY_VALUES_MISMATCH": "The key does not belong to the certificate.",
        }.get(reason, "It holds no certificate or key in PEM form, or a key with a passphrase.")
    elif isinstance(error, OSError):
        why = f"{error.strerror or error}."
    else:
        why = "A key with a passphrase cannot be used."
    return NetError(Fault.TLS_FILES, why, cause=error if isinstance(error, OSError) else None)


def check_connection(connection: ssl.SSLSocket | ssl.SSLObject) -> None:
    """Refuse an established connection outside the policy; called before a byte of a request is written."""
    # The context should make anything else impossible. It is asked all the same: after this the key is on its way.
    version = connection.version() or "none"
    cipher = connection.cipher()
    suite = cipher[0] if cipher else "none"
    if version not in VERSIONS or suite not in SUITES:
        raise NetError(
            Fault.TLS,
            f"The connection is not safe enough: it agreed on {version} with {suite}; needed is TLS 1.2 or newer with "
            "forward secrecy and AEAD.",
            "Ask whoever runs that server or the proxy in between to offer ECDHE with AES-GCM.",
            step=Step.HANDSHAKE,
        )


def described(connection: ssl.SSLSocket | ssl.SSLObject) -> str:
    """Version, cipher suite, and who vouches for the certificate until when, for a person."""
    certificate = connection.getpeercert() or {}
    issuer = dict(pair for names in certificate.get("issuer", ()) for pair in names)  # type: ignore[misc]  # a tuple of tuples of pairs
    name = issuer.get("commonName") or issuer.get("organizationName") or "unknown"
    cipher = connection.cipher()
    ends = certificate.get("notAfter", "unknown")
    return f"{connection.version()}, {cipher[0] if cipher else 'none'}; certificate by {name}, valid to {ends}."


# what went wrong

_SPEAKS_CLEAR = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
_OLD_VERSION = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_SSL_VERSION", "NO_PROTOCOLS_AVAILABLE"}
)
_NO_SUITE = frozenset(
    {
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "TLSV1_ALERT_HANDSHAKE_FAILURE",
        "NO_SHARED_CIPHER",
        "NO_CIPHERS_AVAILABLE",
    }
)
_WEAK_KEYS = frozenset({"DH_KEY_TOO_SMALL", "EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "BAD_KEY_SHARE"})


def fault_of(error: OSError, trust: TlsTrust) -> Fault:
    """Which fault an error of a handshake is, or of a first read: with TLS 1.3 some alerts come that late."""
    reason = (getattr(error, "reason", None) or "").upper()
    if isinstance(error, ssl.SSLCertVerificationError):
        return Fault.UNTRUSTED
    if "CERTIFICATE_REQUIRED" in reason or ("ALERT_BAD_CERTIFICATE" in reason and trust.certificate_file is None):
        return Fault.CERTIFICATE_WANTED
    if reason in _SPEAKS_CLEAR:
        return Fault.NOT_TLS
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionResetError | BrokenPipeError):
        return Fault.TLS_CUT
    return Fault.TLS_CUT if "EOF" in reason and "ALERT" not in reason else Fault.TLS


def explain(error: OSError, trust: TlsTrust, names: OptionNames, *, before: str = "") -> NetError:
    """The NetError that says in words what a failed handshake means and what mends it; `before` begins its sentence."""
    fault = fault_of(error, trust)
    why, do = _words(fault, error, names)
    return NetError(fault, before + why, do, step=Step.HANDSHAKE, cause=error)


def _words(fault: Fault, error: OSError, names: OptionNames) -> tuple[str, str]:
    reason = (getattr(error, "reason", None) or "").upper()
    if isinstance(error, ssl.SSLCertVerificationError):
        return _verification_words(error, names)
    if fault is Fault.CERTIFICATE_WANTED:
        return ("It wants a client certificate that it trusts.", "Give one, or ask whoever runs it to do without.")
    if fault is Fault.NOT_TLS:
        return (
            f"What answers on that port does not speak TLS ({reason.lower()}).",
            f"Check the port in {names.address}; plain http is never used.",
        )
    if fault is Fault.TLS_CUT:
        return (
            "The connection was closed in the middle of the TLS handshake.",
            f"A firewall or a proxy in between may not let it pass; set {names.proxy} if this network needs one.",
        )
    if reason in _OLD_VERSION:
        return ("It offers only TLS 1.1 or older.", "TLS 1.2 or newer must be switched on at the other end.")
    if reason in _NO_SUITE:
        return (
            "It offers no cipher suite with forward secrecy and AEAD, or wants a client certificate.",
            "Ask whoever runs that server or proxy to offer ECDHE with AES-GCM.",
        )
    if reason in _WEAK_KEYS:
        return (f"Its keys are too weak ({reason.lower()}).", "The certificate or the server's keys must be replaced.")
    return (f"The TLS handshake failed ({reason.lower() or 'no reason given'}).", "Run: portfolio-agent status")


# OpenSSL's X509_V_ERR_* numbers: stable since 1.0, the texts are not.
_EXPIRED, _NOT_YET = 10, 9
_SELF_SIGNED, _SELF_SIGNED_CHAIN = 18, 19
_UNKNOWN_CA = (2, 20, 21)
_WRONG_PURPOSE = (24, 26, 79)
_WEAK = (66, 67, 68)
_WRONG_HOST = (62, 64)
_NO_KEY_USAGE = 92
_STRICT = range(80, 96)


def _verify_words(names: OptionNames) -> dict[int, tuple[str, str]]:
    return {
        _EXPIRED: (
            "its certificate has expired",
            "If this host's clock is right (check: timedatectl), the certificate must be renewed at the other end.",
        ),
        _NOT_YET: ("its certificate is not valid yet", "Check this host's clock: timedatectl"),
        _SELF_SIGNED: (
            "its certificate is self-signed",
            f"If this is your own server or proxy, name its CA in {names.ca_file}; otherwise ask who answers at this "
            "address.",
        ),
        _SELF_SIGNED_CHAIN: (
            "the root of its certificate chain is not trusted here",
            f"If a proxy inspects TLS on your network, name its root in {names.ca_file}.",
        ),
        _NO_KEY_USAGE: (
            "a CA certificate of its chain has no keyUsage extension, which RFC 5280 demands",
            "Ask whoever runs this CA (often a TLS-inspecting proxy) to issue a root with keyUsage keyCertSign; "
            "until then let the proxy pass this host without inspection.",
        ),
    }


def _verification_words(error: ssl.SSLCertVerificationError, names: OptionNames) -> tuple[str, str]:
    code = error.verify_code
    known = _verify_words(names)
    if code in known:
        why, do = known[code]
        return f"It cannot prove who it is: {why}.", do
    if code in _WRONG_HOST:
        return (
            "It cannot prove who it is: its certificate names another host.",
            f"Check the host name in {names.address}; a certificate without subjectAltName counts as nameless.",
        )
    if code in _UNKNOWN_CA:
        return (
            "It cannot prove who it is: its certificate is signed by a CA that is unknown here, or a link is missing.",
            f"Name your CA in {names.ca_file}, or install it: update-ca-certificates",
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
