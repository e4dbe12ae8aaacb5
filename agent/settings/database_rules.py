"""What must fit together in [database] and [database.tls].

In:   the settings as typed values and the keys the file holds. Out: (key, problem) pairs in words for an admin.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from agent.settings.password_rules import password_problems
from agent.settings.schema import DatabaseLogin, DatabaseSettings, Dialect, Settings, TlsMode

Problem = tuple[str, str]

ADDRESS_KEYS = (
    "dialect",
    "host",
    "port",
    "hosts",
    "target",
    "name",
    "sid",
    "instance",
    "schema",
    "user",
    "password_file",
    "password_credential",
)
# Keys that one dialect alone has a use for.
_ONLY = {"target": Dialect.POSTGRESQL, "sid": Dialect.ORACLE, "instance": Dialect.SQLSERVER}
_TLS_KEYS = ("mode", "ca_file", "certificate_file", "key_file", "expected_name")
_UNVERIFIED = (TlsMode.DISABLE, TlsMode.PREFER, TlsMode.REQUIRE)
_NO_CLIENT_CERTIFICATE = 'cannot be used with dialect = "sqlserver": the driver sends no certificate of its own'


def database_problems(settings: Settings, given: Collection[str]) -> Iterator[Problem]:
    """Everything about the database that does not fit together."""
    database = settings.database
    yield from _tls(database, given)
    if database.login is DatabaseLogin.PRODUCT:
        for name in ADDRESS_KEYS:
            if f"database.{name}" in given:
                yield (
                    f"database.{name}",
                    'has no effect with login = "product": address and login come from the product\'s own file; '
                    'set login = "own" to use an account of the agent',
                )
        return
    if database.dialect is None:
        yield "database.dialect", 'is required with login = "own"'
    yield from _name(database)
    if database.dialect is Dialect.SQLITE:
        yield from _sqlite(database, given)
        return
    yield from _place(database)
    if database.user is None:
        yield "database.user", 'is required with login = "own"'
    if database.dialect is Dialect.MYSQL and database.schema is not None:
        yield "database.schema", 'has no effect with dialect = "mysql": there a schema is the database, so use name'
    yield from password_problems(
        "database", database.user, database.password_file is not None, database.password_credential is not None
    )


def _name(database: DatabaseSettings) -> Iterator[Problem]:
    if database.dialect is Dialect.ORACLE:
        if database.name is None and database.sid is None:
            yield "database.name", 'is required with login = "own": the service name; or set database.sid'
        if database.name is not None and database.sid is not None:
            yield "database.sid", "has no effect beside database.name, the service name; keep one of the two"
    elif database.name is None:
        yield "database.name", 'is required with login = "own"'


def _sqlite(database: DatabaseSettings, given: Collection[str]) -> Iterator[Problem]:
    for name in ADDRESS_KEYS:
        if name not in ("dialect", "name") and f"database.{name}" in given:
            yield f"database.{name}", 'has no effect with dialect = "sqlite": name is the path of the file'
    if database.name is not None and not database.name.startswith("/"):
        yield "database.name", 'must be an absolute path with dialect = "sqlite"'


def _place(database: DatabaseSettings) -> Iterator[Problem]:
    if database.host is None and database.hosts is None:
        yield "database.host", 'is required with login = "own"; several servers: database.hosts'
    if database.host is not None and database.hosts is not None:
        yield "database.host", "has no effect beside database.hosts; keep one of the two"
    for name, dialect in _ONLY.items():
        if database.dialect is not None and getattr(database, name) is not None and database.dialect is not dialect:
            yield f"database.{name}", f'has no effect with dialect = "{database.dialect}": only {dialect} uses it'
    if database.instance is not None and database.dialect is Dialect.SQLSERVER:
        if database.port is not None:
            yield "database.instance", "has no effect beside database.port, which says it all; keep one of the two"
        if database.hosts is not None:
            yield "database.instance", "has no effect beside database.hosts: name the ports there"


def _tls(database: DatabaseSettings, given: Collection[str]) -> Iterator[Problem]:
    tls, dialect = database.tls, database.dialect
    if dialect is Dialect.SQLITE:
        for name in _TLS_KEYS:
            if f"database.tls.{name}" in given:
                yield f"database.tls.{name}", 'has no effect with dialect = "sqlite"'
        return
    if tls.mode is TlsMode.STRICT and dialect not in (Dialect.SQLSERVER, None):
        yield "database.tls.mode", f'"strict" is a mode of sqlserver only; with {dialect} use "verify-full"'
    if tls.mode is TlsMode.PREFER and dialect is Dialect.ORACLE:
        yield "database.tls.mode", 'cannot be used with dialect = "oracle": its port speaks TLS (TCPS) or does not'
    if tls.mode in _UNVERIFIED:
        for name in ("ca_file", "expected_name"):
            if f"database.tls.{name}" in given:
                yield f"database.tls.{name}", f'has no effect with mode = "{tls.mode}", which verifies nothing'
    if tls.mode is TlsMode.DISABLE:
        for name in ("certificate_file", "key_file"):
            if f"database.tls.{name}" in given:
                yield f"database.tls.{name}", 'has no effect with mode = "disable"'
    yield from _certificates(database)


def _certificates(database: DatabaseSettings) -> Iterator[Problem]:
    tls, dialect = database.tls, database.dialect
    if (tls.certificate_file is None) != (tls.key_file is None):
        missing = "key_file" if tls.key_file is None else "certificate_file"
        yield (
            f"database.tls.{missing}",
            "is required: a client certificate needs both certificate_file and key_file",
        )
    if dialect is Dialect.SQLSERVER and tls.certificate_file is not None:
        yield "database.tls.certificate_file", _NO_CLIENT_CERTIFICATE
    if tls.expected_name is not None and dialect in (Dialect.POSTGRESQL, Dialect.MYSQL):
        yield (
            "database.tls.expected_name",
            f'cannot be used with dialect = "{dialect}": name the server in database.host as its certificate does',
        )
    own = database.login is DatabaseLogin.OWN
    trusting = tls.ca_file is not None or tls.expected_name is not None
    if own and dialect is not None and tls.mode is None and trusting:
        key = "ca_file" if tls.ca_file is not None else "expected_name"
        yield f"database.tls.{key}", 'has no effect without database.tls.mode = "verify-full" (or "verify-ca")'
    if tls.expected_name is not None and dialect is Dialect.SQLSERVER and tls.mode is TlsMode.VERIFY_CA:
        yield "database.tls.expected_name", 'has no effect with mode = "verify-ca", which checks no name'


def expected_name_problem(text: str) -> str | None:
    """What is wrong with the name that the server's certificate should have; it goes into the drivers' own files."""
    return "must hold no quotes and no brackets" if any(character in text for character in "()\"'") else None


def instance_problem(text: str) -> str | None:
    """What is wrong with the name of an instance."""
    return None if re.fullmatch(r"[\w$#-]{1,64}", text) else "is not the name of an instance"
