"""URLs of mssql-jdbc and jTDS: `jdbc:sqlserver://host\\INST:1433;databaseName=jira;encrypt=true`.

mssql-jdbc: a port beats an instance; from 10.2 on `encrypt` is on and the certificate checked where nothing is said.
jTDS: an instance beats the port; TLS is off where nothing is said, and `authenticate` checks no name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from agent.product.database.address import DEFAULT_PORTS, BadUrl, DatabaseAddress, DatabaseTls, checked
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

_OFF = ("false", "optional", "no")
_ON = ("true", "mandatory", "yes", "")
_JTDS_MODES = {
    "off": TlsMode.PREFER,
    "request": TlsMode.PREFER,
    "require": TlsMode.REQUIRE,
    "authenticate": TlsMode.VERIFY_CA,
}
_ENTRA = "logs in through Microsoft Entra ID (authentication)"


def parse_sqlserver(rest: str) -> DatabaseAddress:
    """The address in what follows `jdbc:sqlserver:`; raises BadUrl."""
    authority, options = _split(rest)
    found = Findings()
    _logins(options, found)
    port, instance, host = _place(authority, options)
    # The documented order: with a port the instance is not looked up.
    address = DatabaseAddress(
        Dialect.SQLSERVER,
        _with_failover(_host(host, port), options, found),
        required(options.get("databasename") or options.get("database", ""), "databaseName"),
        instance="" if port else instance,
        tls=_tls(options, host, found),
    )
    return _finished(address, found)


def parse_jtds(rest: str) -> DatabaseAddress:
    """The address in what follows `jdbc:jtds:sqlserver:`; raises BadUrl."""
    authority, options = _split(rest)
    authority, _, name = authority.partition("/")
    found = Findings()
    _logins(options, found)
    if flag(options, "namedpipe"):
        raise BadUrl("is reached through a named pipe (namedPipe); give the agent a host and port")
    port, instance, host = _place(authority, options)
    address = DatabaseAddress(
        Dialect.SQLSERVER,
        _host(host, "" if instance else port),
        required(name or options.get("databasename", ""), "database name"),
        instance=instance,
        tls=DatabaseTls(tls_mode(options.get("ssl") or "off", _JTDS_MODES)),
    )
    return _finished(address, found)


def _finished(address: DatabaseAddress, found: Findings) -> DatabaseAddress:
    return checked(replace(address, login_gap=found.login_gap, notes=tuple(found.notes)))


def _split(rest: str) -> tuple[str, dict[str, str]]:
    if not rest.startswith("//"):
        raise BadUrl("has no // after the database's kind")
    authority, *pieces = split_semicolons(rest[2:])
    options = options_of(pieces)
    refuse_socket_factory(options, ("socketFactoryClass",))
    return authority, options


def _place(authority: str, options: Mapping[str, str]) -> tuple[str, str, str]:
    """Port and instance, each "" where it is not said, and the host."""
    host, port = authority.rpartition("@")[2], ""
    if "," in host:
        raise BadUrl("holds a comma where a colon stands before the port")
    if not host:
        host = options.get("servername") or options.get("server") or "localhost"
    host, _, instance = host.partition("\\")
    if instance:
        instance, _, port = instance.partition(":")
    elif match := re.fullmatch(r"(\[[^\]]*\]|[^:]*):([0-9]*)", host):
        host, port = match[1], match[2]
    port = port or options.get("portnumber") or options.get("port") or ""
    return port, options.get("instancename") or options.get("instance") or instance, host


def _host(host: str, port: str) -> tuple[tuple[str, int], ...]:
    name = hosts_of(host, Dialect.SQLSERVER)[0][0]
    return ((name, port_of(port, Dialect.SQLSERVER)),)


def _with_failover(
    hosts: tuple[tuple[str, int], ...], options: Mapping[str, str], found: Findings
) -> tuple[tuple[str, int], ...]:
    partner = options.get("failoverpartner", "")
    if not partner:
        return hosts
    if re.fullmatch(r"[A-Za-z0-9._-]+", partner, re.ASCII):
        return (*hosts, (partner, DEFAULT_PORTS[Dialect.SQLSERVER]))
    found.note("failoverPartner", "is followed only when it is a host alone; the first server is used.")
    return hosts


def _logins(options: Mapping[str, str], found: Findings) -> None:
    scheme = options.get("authenticationscheme", "").lower()
    if flag(options, "integratedsecurity"):
        kind = "with Kerberos" if scheme == "javakerberos" else "with the account of the process"
        found.gap(f"logs in with Windows authentication, {kind} (integratedSecurity)")
    if scheme in ("ntlm", "javakerberos") or options.get("domain") or flag(options, "usentlmv2"):
        found.gap("logs in with Windows authentication (authenticationScheme, domain)")
    if options.get("authentication", "").lower() not in ("", "notspecified", "sqlpassword"):
        found.gap(_ENTRA)
    if options.get("msiclientid") or options.get("accesstokencallbackclass") or options.get("aadsecureprincipalid"):
        found.gap(_ENTRA)


def _expected_name(name: str, host: str) -> str:
    """The name in the certificate; "" where it is a pattern that the host fits, whose own name is then checked."""
    fits = name.startswith("*.") and host.partition(".")[2].lower() == name[2:].lower()
    return "" if fits else name


def _tls(options: Mapping[str, str], host: str, found: Findings) -> DatabaseTls:
    word = options.get("encrypt")
    if word is not None and word.lower() in _OFF:
        return DatabaseTls(TlsMode.PREFER)
    if word is not None and word.lower() not in (*_ON, "strict"):
        raise BadUrl("holds a value of encrypt that its driver does not know")
    strict = word is not None and word.lower() == "strict"
    if flag(options, "trustservercertificate") and not strict:
        return DatabaseTls(TlsMode.REQUIRE)
    if options.get("trustmanagerclass"):
        found.note("trustManagerClass", f"is a class of the product and is not followed. {NEEDS_PEM}")
    if options.get("truststore"):
        found.note("trustStore", f"the agent cannot read a trust store. {NEEDS_PEM}")
    if word is None:
        found.note(
            "encrypt",
            "is not said, which newer drivers (10.2 and later) read as on with a certificate that is checked; so does "
            'the agent. Where the product runs with an older one: [database.tls] mode = "require"',
        )
    return DatabaseTls(
        TlsMode.STRICT if strict else TlsMode.VERIFY_FULL,
        local_path(options.get("servercertificate", "")),
        expected_name=_expected_name(options.get("hostnameincertificate", ""), host),
        assumed=word is None,
    )


def split_semicolons(text: str) -> list[str]:
    """Pieces between semicolons; a value in braces may hold semicolons."""
    pieces, current, braces = [], "", False
    for character in text:
        if character == "{" and current.endswith("="):
            braces = True
        elif character == "}" and braces:
            braces = False
        elif character == ";" and not braces:
            pieces.append(current)
            current = ""
        else:
            current += character
    return [*pieces, current]
