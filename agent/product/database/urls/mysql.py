"""URLs of MySQL Connector/J (5.1 to 9) and MariaDB Connector/J (2 and 3), which share most words.

MariaDB's driver reads `jdbc:mysql:` too, so the words of both count in both. Defaults differ: Connector/J prefers TLS
without checking it, MariaDB's switches it off; `useSsl` alone verifies in MariaDB's and in Connector/J 5.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from agent.product.database.address import BadUrl, DatabaseAddress, DatabaseTls, checked
from agent.product.database.urls.pieces import (
    NEEDS_PEM,
    Findings,
    flag,
    hosts_of,
    local_path,
    options_of,
    port_of,
    refuse_socket_factory,
    required,
    tls_mode,
)
from agent.settings import Dialect, TlsMode

MODES = {
    "disabled": TlsMode.DISABLE,
    "disable": TlsMode.DISABLE,
    "preferred": TlsMode.PREFER,
    "prefer": TlsMode.PREFER,
    "required": TlsMode.REQUIRE,
    "require": TlsMode.REQUIRE,
    "trust": TlsMode.REQUIRE,
    "verify-ca": TlsMode.VERIFY_CA,
    "verify-identity": TlsMode.VERIFY_FULL,
    "verify-full": TlsMode.VERIFY_FULL,
}
# Keywords for load balancing stand before the slashes; the addresses read the same.
_START = re.compile(
    r"(?:(?:loadbalance|load-balance|load-balance-read|replication|sequential|failover|aurora):)?//", re.IGNORECASE
)
_ADDRESS = re.compile(r"(?:address\s*=\s*)?((?:\([^()]*\)\s*)+)", re.IGNORECASE)
_PAIR = re.compile(r"\(\s*([A-Za-z_]+)\s*=\s*([^()]*?)\s*\)")
_STANDARD = ("StandardSocketFactory",)
_PLUG_INS = {
    "azure": "takes its password from a plug-in for Microsoft Entra ID (authentication plug-in)",
    "aws": "logs in with a token of AWS IAM (authentication plug-in)",
    "iam": "logs in with a token of AWS IAM (authentication plug-in)",
    "kerberos": "logs in with Kerberos (authentication plug-in)",
    "gssapi": "logs in with Kerberos (authentication plug-in)",
    "ldap": "logs in through LDAP (authentication plug-in)",
    "oci": "logs in with a token of Oracle's cloud (authentication plug-in)",
    "fido": "logs in with a security device (authentication plug-in)",
    "webauthn": "logs in with a security device (authentication plug-in)",
    "openid": "logs in with a token (authentication plug-in)",
}
_STORES = ("trustCertificateKeyStoreUrl", "trustStore")
_CLIENT_STORES = ("clientCertificateKeyStoreUrl", "keyStore")
_CLIENT_WAY = (
    "the agent cannot read a key store; where the server asks for a certificate, name one as PEM: [database.tls] "
    "certificate_file and key_file"
)


def parse_mysql(rest: str) -> DatabaseAddress:
    """The address in what follows `jdbc:mysql:`; raises BadUrl."""
    return _parse(rest, mariadb=False)


def parse_mariadb(rest: str) -> DatabaseAddress:
    """The address in what follows `jdbc:mariadb:`; raises BadUrl."""
    return _parse(rest, mariadb=True)


def _parse(rest: str, *, mariadb: bool) -> DatabaseAddress:
    match = _START.match(rest)
    if match is None:
        raise BadUrl("has no // after the database's kind")
    place, _, query = rest[match.end() :].partition("?")
    authority, _, name = place.partition("/")
    options = options_of(query.split("&"))
    _refuse_places(options)
    found = Findings()
    _logins(options, found)
    return checked(
        DatabaseAddress(
            Dialect.MYSQL,
            _hosts(authority.rpartition("@")[2].strip()),
            required(unquote(name), "database name"),
            tls=_tls(options, found, mariadb=mariadb),
            login_gap=found.login_gap,
            notes=tuple(found.notes),
        )
    )


def _refuse_places(options: Mapping[str, str]) -> None:
    refuse_socket_factory(options, ("socketFactory",), _STANDARD)
    if options.get("socksproxyhost"):
        raise BadUrl("is reached through a SOCKS proxy (socksProxyHost), which is not followed")
    if flag(options, "dnssrv"):
        raise BadUrl("asks DNS for the hosts (dnsSrv), which is not followed; write hosts and ports in full")
    for name in ("localSocket", "pipe", "namedPipePath", "sharedMemory"):
        if options.get(name.lower()):
            raise BadUrl(f"is reached through a local socket or pipe ({name}); give the agent a host and port")


def _hosts(authority: str) -> tuple[tuple[str, int], ...]:
    # [a:1,b] and [(host=a),(host=b)] are lists; [2001:db8::7]:3306 is one address.
    if match := re.fullmatch(r"\[(.*)\]", authority):
        inner = match[1]
        if "(" in inner or "," in inner or not re.fullmatch(r"[0-9A-Fa-f:.%]*:[0-9A-Fa-f:.%]*:.*", inner):
            authority = inner
    return _described(authority) if "(" in authority else hosts_of(authority or "localhost", Dialect.MYSQL)


def _described(authority: str) -> tuple[tuple[str, int], ...]:
    hosts = []
    # The short form keeps all of one host in one pair of brackets: (host=db,port=3306).
    for group in _ADDRESS.findall(re.sub(r",(?=\s*[A-Za-z]+\s*=)(?!\s*address)", ")(", authority, flags=re.IGNORECASE)):
        pairs = {key.lower(): value for key, value in _PAIR.findall(group)}
        if pairs.get("protocol", "tcp").lower() != "tcp":
            raise BadUrl("is reached through a local socket or pipe (protocol); give the agent a host and port")
        hosts.append((pairs.get("host", "localhost").strip("[]"), port_of(pairs.get("port", ""), Dialect.MYSQL)))
    if not hosts:
        raise BadUrl("holds a list of addresses that cannot be read")
    return tuple(hosts)


def _logins(options: Mapping[str, str], found: Findings) -> None:
    words = [options.get(name, "") for name in ("authenticationplugins", "defaultauthenticationplugin")]
    for text in words:
        for mark, gap in _PLUG_INS.items():
            if mark in text.lower():
                found.gap(gap)
    if options.get("credentialtype", "").lower() not in ("", "property"):
        found.gap("takes its password from a plug-in (credentialType)")
    if options.get("serviceprincipalname"):
        found.gap("logs in with Kerberos (servicePrincipalName)")


def _tls(options: Mapping[str, str], found: Findings, *, mariadb: bool) -> DatabaseTls:
    word = options.get("sslmode", "")
    assumed = False
    if word:
        mode: TlsMode | None = tls_mode(word, MODES)
    else:
        mode, assumed = _by_switches(options, found, mariadb=mariadb)
    for option in _CLIENT_STORES:
        if options.get(option.lower()) and mode is not TlsMode.DISABLE:
            found.note(option, _CLIENT_WAY)
    if not DatabaseTls(mode).verifies:
        return DatabaseTls(mode, assumed=assumed)
    root = options.get("serversslcert", "")
    if root and not local_path(root):
        found.note("serverSslCert", f"is not an absolute path, so it is not followed. {NEEDS_PEM}")
    for option in _STORES:
        if options.get(option.lower()):
            found.note(option, f"the agent cannot read a trust store. {NEEDS_PEM}")
    return DatabaseTls(mode, local_path(root), assumed=assumed)


def _by_switches(options: Mapping[str, str], found: Findings, *, mariadb: bool) -> tuple[TlsMode | None, bool]:
    """Mode and whether it is assumed, of the switches older than `sslMode`."""
    use = flag(options, "usessl")
    trusting = flag(options, "trustservercertificate")
    if use is False:
        return TlsMode.DISABLE, False
    if flag(options, "verifyservercertificate"):
        return TlsMode.VERIFY_CA, False
    if mariadb:
        if not use:
            return None, False
        if trusting:
            return TlsMode.REQUIRE, False
        return (TlsMode.VERIFY_CA if flag(options, "disablesslhostnameverification") else TlsMode.VERIFY_FULL), False
    if flag(options, "requiressl") or (use and trusting):
        return TlsMode.REQUIRE, False
    if not use:
        return None, False
    if flag(options, "verifyservercertificate") is None:
        found.note(
            "useSSL",
            "says nothing of the certificate; the agent encrypts and does not check it. To check it: "
            '[database.tls] mode = "verify-ca"',
        )
    return TlsMode.REQUIRE, True
