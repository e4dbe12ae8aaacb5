"""URLs of pgjdbc: `jdbc:postgresql://a:5432,b/jira?sslmode=verify-full`, and what its options mean to libpq.

Defaults are pgjdbc's: `prefer` where nothing is said, `verify-full` for `ssl=true`; a mode wins over the switch.
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
    refuse_socket_factory,
    required,
    tls_mode,
)
from agent.settings import Dialect, TargetServer, TlsMode

MODES = {
    "disable": TlsMode.DISABLE,
    # libpq and pgjdbc try without first; ours is the stronger of the two.
    "allow": TlsMode.PREFER,
    "prefer": TlsMode.PREFER,
    "require": TlsMode.REQUIRE,
    "verify-ca": TlsMode.VERIFY_CA,
    "verify-full": TlsMode.VERIFY_FULL,
}
TARGETS = {
    "any": TargetServer.ANY,
    "primary": TargetServer.PRIMARY,
    "master": TargetServer.PRIMARY,
    # libpq has no word for it. All nodes of a cluster must ask the same server, so it is the primary or none.
    "preferprimary": TargetServer.PRIMARY,
    "secondary": TargetServer.STANDBY,
    "slave": TargetServer.STANDBY,
    "prefersecondary": TargetServer.PREFER_STANDBY,
    "preferslave": TargetServer.PREFER_STANDBY,
}
_KEY_WAY = (
    "the agent needs it as PEM or PKCS#8 without a passphrase: convert it, and name it in [database.tls] "
    "certificate_file and key_file"
)


def parse_postgresql(rest: str) -> DatabaseAddress:
    """The address in what follows `jdbc:postgresql:`; raises BadUrl."""
    place, _, query = rest.partition("?")
    authority, name = "", place
    if place.startswith("//"):
        authority, _, name = place[2:].partition("/")
    options = options_of(query.split("&"), plus_is_blank=True)
    refuse_socket_factory(options, ("socketFactory",))
    if "cloudsqlinstance" in options:
        refuse_socket_factory({"cloudsqlinstance": "cloud.sql"}, ("cloudSqlInstance",))
    if "service" in options:
        raise BadUrl("takes host and database from a service file (service); write host, port and database in full")
    found = Findings()
    _logins(options, found)
    host, port = options.get("pghost", ""), options.get("pgport", "")
    authority = authority or (f"{host}:{port}" if host and port else host) or "localhost"
    name = unquote(name.removeprefix("/")) or options.get("pgdbname", "")
    return checked(
        DatabaseAddress(
            Dialect.POSTGRESQL,
            hosts_of(unquote(authority) if "%" in authority else authority, Dialect.POSTGRESQL),
            required(name, "database name"),
            schema=_schema(options, found),
            target=_target(options, found),
            tls=_tls(options, found),
            login_gap=found.login_gap,
            notes=tuple(found.notes),
        )
    )


def _logins(options: Mapping[str, str], found: Findings) -> None:
    if options.get("authenticationpluginclassname"):
        found.gap("takes its password from a plug-in (authenticationPluginClassName)")
    if options.get("gsslib", "").lower() in ("gssapi", "sspi") or options.get("kerberosservername"):
        found.gap("logs in with Kerberos (gsslib, kerberosServerName)")
    if options.get("gssencmode", "").lower() == "require":
        raise BadUrl("asks for encryption by Kerberos (gssEncMode=require), which is not followed; TLS is")


def _target(options: Mapping[str, str], found: Findings) -> TargetServer:
    word = options.get("targetservertype", "any").lower() or "any"
    if word not in TARGETS:
        raise BadUrl("holds a targetServerType that its driver does not know")
    if word == "preferprimary":
        found.note("targetServerType", "preferPrimary is read as primary, so that all nodes ask the same server.")
    if flag(options, "loadbalancehosts"):
        found.note("loadBalanceHosts", "is not followed; the hosts are tried in their order.")
    return TARGETS[word]


_SEARCH_PATH = re.compile(r"(?:-c\s*|--)search_path=((?:\\.|[^\s\\])*)", re.IGNORECASE)
_SETTING = re.compile(r"(?:-c\s*|--)([A-Za-z_.-]+)=")


def _schema(options: Mapping[str, str], found: Findings) -> str:
    session = options.get("options", "")
    if any(name.lower() != "search_path" for name in _SETTING.findall(session)):
        found.note("options", "of the session only search_path is handed on.")
    path = _SEARCH_PATH.findall(session)
    return options.get("currentschema", "") or (path[-1].replace("\\", "") if path else "")


def _tls(options: Mapping[str, str], found: Findings) -> DatabaseTls:
    factory = options.get("sslfactory", "").rpartition(".")[2]
    mode = _mode(options, factory)
    for option in ("channelBinding", "requireAuth", "sslNegotiation", "sslhostnameverifier"):
        if options.get(option.lower()):
            found.note(option, "is not handed on; the driver's own way is used.")
    if mode in (None, TlsMode.DISABLE):
        certificate, key = ("", "") if mode else _client(options, found)
        return DatabaseTls(mode, certificate_file=certificate, key_file=key)
    certificate, key = _client(options, found)
    root = options.get("sslrootcert", "")
    tls = DatabaseTls(mode, local_path(root), certificate, key)
    if not tls.verifies:
        return DatabaseTls(mode, "", certificate, key)
    if root and not tls.ca_file:
        found.note("sslrootcert", f"is not an absolute path, so it is not followed. {NEEDS_PEM}")
    elif factory and factory != "LibPQFactory":
        found.note("sslfactory", f"the product's own trust store cannot be read by the agent. {NEEDS_PEM}")
    elif not root:
        found.note("sslmode", f"without sslrootcert the product reads a file in its account's home folder. {NEEDS_PEM}")
    return tls


def _mode(options: Mapping[str, str], factory: str) -> TlsMode | None:
    word = options.get("sslmode", "")
    if word:
        mode = tls_mode(word, MODES)
    elif flag(options, "ssl"):
        mode = TlsMode.VERIFY_FULL
    else:
        return None
    unverified = factory.lower() == "nonvalidatingfactory" and mode in (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL)
    # That class accepts any certificate, whatever the mode says.
    return TlsMode.REQUIRE if unverified else mode


def _client(options: Mapping[str, str], found: Findings) -> tuple[str, str]:
    """Certificate and key that can be handed on; both or none."""
    certificate, key = options.get("sslcert", ""), options.get("sslkey", "")
    if not certificate and not key:
        return "", ""
    if key.lower().endswith((".p12", ".pfx", ".jks")) or certificate.lower().endswith((".p12", ".pfx", ".jks")):
        found.note("sslkey", f"a key store is not handed on; {_KEY_WAY}")
    elif options.get("sslpassword"):
        found.note("sslpassword", f"a key with a passphrase is not handed on; {_KEY_WAY}")
    elif not local_path(certificate) or not local_path(key):
        found.note("sslcert, sslkey", f"are handed on only when both are absolute paths; {_KEY_WAY}")
    else:
        return local_path(certificate), local_path(key)
    return "", ""
