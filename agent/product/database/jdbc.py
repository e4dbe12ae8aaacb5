"""A JDBC URL as the products write it becomes a `DatabaseAddress`; garbage becomes `BadUrl`, never anything else.

A URL may hold a login (`user:password@`, `?password=`): it is dropped here, only options on the allow-list are kept,
and no message repeats any part of the URL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from agent.settings import Dialect

URL_LIMIT = 8192
DEFAULT_PORTS = {
    Dialect.POSTGRESQL: 5432,
    Dialect.MYSQL: 3306,
    Dialect.ORACLE: 1521,
    Dialect.SQLSERVER: 1433,
    Dialect.SQLITE: 0,
}
# What may pass from a URL to our own connection: how TLS is done, which schema, which replica. Lower case.
OPTIONS = {
    Dialect.POSTGRESQL: frozenset({"ssl", "sslmode", "sslrootcert", "sslfactory", "currentschema", "targetservertype"}),
    Dialect.MYSQL: frozenset({"usessl", "requiressl", "sslmode", "verifyservercertificate"}),
    Dialect.ORACLE: frozenset({"protocol"}),
    Dialect.SQLSERVER: frozenset({"encrypt", "trustservercertificate", "instancename", "applicationintent"}),
    Dialect.SQLITE: frozenset[str](),
}


class BadUrl(ValueError):
    """A JDBC URL that cannot be used; the message says why, in words, without the URL."""


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where a database answers. `name` is the database, or the file of sqlite; Oracle has `service` or `sid`.

    `hosts` is empty for sqlite; several hosts are tried in their order. Option names are lower case.
    """

    dialect: Dialect
    hosts: tuple[tuple[str, int], ...] = ()
    name: str = ""
    service: str = ""
    sid: str = ""
    options: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """The first host, or "" for sqlite."""
        return self.hosts[0][0] if self.hosts else ""

    @property
    def port(self) -> int:
        """The first host's port, or 0 for sqlite."""
        return self.hosts[0][1] if self.hosts else 0

    def __str__(self) -> str:
        """For a person: dialect, host, port and database; options are left out."""
        name = self.name or self.service or self.sid
        places = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"{self.dialect} {places}/{name}" if places else f"{self.dialect} {name}"


def parse_jdbc_url(url: str) -> DatabaseAddress:
    """The address in a JDBC URL; raises BadUrl, and only BadUrl, for any other text."""
    url = url.strip()
    if len(url) > URL_LIMIT:
        raise BadUrl("is too long")
    # The product's file is data: what it says goes into connection strings and messages.
    if not url.isprintable():
        raise BadUrl("holds control characters")
    if not url.lower().startswith("jdbc:"):
        raise BadUrl("does not begin with jdbc:")
    if url.lower().startswith(("jdbc:h2:", "jdbc:hsqldb:")):
        raise BadUrl("names the built-in evaluation database (H2), which only the product itself can open")
    for prefix, parse in _FORMS:
        if url.lower().startswith(prefix):
            return parse(url[len(prefix) :])
    raise BadUrl("names a database that is not known: PostgreSQL, MySQL, MariaDB, Oracle and SQL Server are")


def _postgresql(rest: str) -> DatabaseAddress:
    place, _, query = rest.partition("?")
    authority, name = "", place
    if place.startswith("//"):
        authority, _, name = place[2:].partition("/")
    name = unquote(name.removeprefix("/"))
    return _checked(
        DatabaseAddress(
            Dialect.POSTGRESQL,
            _hosts(authority or "localhost", Dialect.POSTGRESQL),
            _required(name, "database name"),
            options=_options(query.split("&"), Dialect.POSTGRESQL),
        )
    )


_MYSQL_ADDRESS = re.compile(r"(?:address\s*=\s*)?((?:\([^()]*\)\s*)+)", re.IGNORECASE)
_PAIR = re.compile(r"\(\s*([A-Za-z_]+)\s*=\s*([^()]*?)\s*\)")


def _mysql(rest: str) -> DatabaseAddress:
    # Keywords for load balancing stand before the slashes; the addresses read the same.
    match = re.match(r"(?:(?:loadbalance|replication|sequential|failover|aurora):)?//", rest, re.IGNORECASE)
    if match is None:
        raise BadUrl("has no // after the database's kind")
    place, _, query = rest[match.end() :].partition("?")
    authority, _, name = place.partition("/")
    authority = authority.rpartition("@")[2]
    hosts = _mysql_addresses(authority) if "(" in authority else _hosts(authority or "localhost", Dialect.MYSQL)
    return _checked(
        DatabaseAddress(
            Dialect.MYSQL,
            hosts,
            _required(unquote(name), "database name"),
            options=_options(query.split("&"), Dialect.MYSQL),
        )
    )


def _mysql_addresses(authority: str) -> tuple[tuple[str, int], ...]:
    hosts = []
    # The short form keeps all of one host in one pair of brackets: (host=db,port=3306).
    for group in _MYSQL_ADDRESS.findall(re.sub(r",(?=\s*[A-Za-z]+\s*=)(?!\s*address)", ")(", authority)):
        pairs = {key.lower(): value for key, value in _PAIR.findall(group)}
        hosts.append((pairs.get("host", "localhost"), _port(pairs.get("port", ""), Dialect.MYSQL)))
    return tuple(hosts)


def _oracle(rest: str) -> DatabaseAddress:
    # A login may stand before the @ and is not kept.
    _, found, place = rest.partition("@")
    if not found:
        raise BadUrl("has no @ before the address")
    place = place.strip()
    if place.startswith("("):
        return _checked(_oracle_description(place))
    place = place.partition("?")[0]
    options = {}
    if match := re.match(r"(tcps?)://", place, re.IGNORECASE):
        options = {"protocol": match[1].lower()}
        place = place[match.end() :]
    place = place.removeprefix("//")
    if "/" in place:
        authority, _, service = place.partition("/")
        service = _required(service.partition(":")[0], "service name")
        return _checked(DatabaseAddress(Dialect.ORACLE, _hosts(authority, Dialect.ORACLE), "", service, "", options))
    authority, _, sid = place.rpartition(":")
    if not authority:
        raise BadUrl("is a name of tnsnames.ora; write host, port and service in full")
    return _checked(
        DatabaseAddress(Dialect.ORACLE, _hosts(authority, Dialect.ORACLE), "", "", _required(sid, "SID"), options)
    )


def _oracle_description(text: str) -> DatabaseAddress:
    if text.count("(") != text.count(")"):
        raise BadUrl("has a description whose brackets do not match")
    hosts = []
    protocols = set()
    for block in re.findall(r"\(\s*ADDRESS\s*=\s*((?:\([^()]*\)\s*)+)\)", text, re.IGNORECASE):
        pairs = {key.lower(): value for key, value in _PAIR.findall(block)}
        if "host" in pairs:
            hosts.append((pairs["host"], _port(pairs.get("port", ""), Dialect.ORACLE)))
            protocols.add(pairs.get("protocol", "tcp").lower())
    if not hosts:
        raise BadUrl("has a description without an ADDRESS with a HOST")
    pairs = {key.lower(): value for key, value in _PAIR.findall(text)}
    service, sid = pairs.get("service_name", ""), pairs.get("sid", "")
    if not service and not sid:
        raise BadUrl("has a description without SERVICE_NAME or SID")
    options = {"protocol": "tcps"} if protocols == {"tcps"} else {}
    return DatabaseAddress(Dialect.ORACLE, tuple(hosts), "", service, "" if service else sid, options)


def _sqlserver(rest: str) -> DatabaseAddress:
    if not rest.startswith("//"):
        raise BadUrl("has no // after the database's kind")
    authority, *pieces = _split_semicolons(rest[2:])
    host, _, instance = authority.partition("\\")
    port = ""
    if instance:
        instance, _, port = instance.partition(":")
    given = {key.strip().lower(): value for key, _, value in (piece.partition("=") for piece in pieces)}
    host = host or given.get("servername") or given.get("server") or "localhost"
    port = port or given.get("portnumber") or given.get("port") or ""
    if port:
        hosts = ((_hosts(host, Dialect.SQLSERVER)[0][0], _port(port, Dialect.SQLSERVER)),)
    else:
        hosts = (_hosts(host, Dialect.SQLSERVER)[0],)
    options = _options(pieces, Dialect.SQLSERVER)
    if instance:
        options["instancename"] = instance
    name = given.get("databasename") or given.get("database") or ""
    return _checked(DatabaseAddress(Dialect.SQLSERVER, hosts, _required(name, "databaseName"), options=options))


def _jtds(rest: str) -> DatabaseAddress:
    authority, *pieces = _split_semicolons(rest.removeprefix("//"))
    authority, _, name = authority.partition("/")
    return _sqlserver(f"//{authority};databaseName={name};{';'.join(pieces)}")


def _split_semicolons(text: str) -> list[str]:
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


def _sqlite(rest: str) -> DatabaseAddress:
    if not rest.startswith("/") or "?" in rest or ".." in rest.split("/"):
        raise BadUrl("must be jdbc:sqlite: and an absolute path")
    return DatabaseAddress(Dialect.SQLITE, (), rest)


_FORMS: tuple[tuple[str, Callable[[str], DatabaseAddress]], ...] = (
    ("jdbc:postgresql:", _postgresql),
    ("jdbc:mysql:", _mysql),
    ("jdbc:mariadb:", _mysql),
    ("jdbc:oracle:thin:", _oracle),
    ("jdbc:sqlserver:", _sqlserver),
    ("jdbc:jtds:sqlserver:", _jtds),
    ("jdbc:sqlite:", _sqlite),
)

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?", re.ASCII)
_NAME = re.compile(r"[^\x00-\x1f\x7f;?&()'\"\\]{1,128}")


def _hosts(authority: str, dialect: Dialect) -> tuple[tuple[str, int], ...]:
    authority = authority.rpartition("@")[2]
    hosts = []
    for piece in authority.split(","):
        if match := re.fullmatch(r"\[([^\[\]]*)\](?::([0-9]*))?", piece):
            hosts.append((match[1], _port(match[2] or "", dialect)))
        else:
            host, _, port = piece.partition(":")
            hosts.append((host or "localhost", _port(port, dialect)))
    return tuple(hosts)


def _port(text: str, dialect: Dialect) -> int:
    if not text:
        return DEFAULT_PORTS[dialect]
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 1 <= int(text) <= 65535:
        raise BadUrl("holds a port that is not a number from 1 to 65535")
    return int(text)


def _required(value: str, what: str) -> str:
    if not value:
        raise BadUrl(f"holds no {what}")
    return value


def _options(pieces: list[str], dialect: Dialect) -> dict[str, str]:
    found = {}
    for piece in pieces:
        key, _, value = piece.partition("=")
        if key.strip().lower() in OPTIONS[dialect] and len(value) <= 1024:
            found[key.strip().lower()] = unquote(value)
    return found


def _checked(address: DatabaseAddress) -> DatabaseAddress:
    if len(address.hosts) > 16:
        raise BadUrl("holds too many hosts")
    if not all(_HOST.fullmatch(host) for host, _ in address.hosts):
        raise BadUrl("holds a host that is not a host name or address")
    for name in (address.name, address.service, address.sid):
        if name and not _NAME.fullmatch(name):
            raise BadUrl("holds a database name with characters that cannot be used")
    if not all(value.isprintable() for value in address.options.values()):
        raise BadUrl("holds an option with control characters")
    return address
