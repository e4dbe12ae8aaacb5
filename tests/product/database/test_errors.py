"""What each driver raises, by documented code or by a real server, and the words that a person gets for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg
import pymysql
import pytest
from sqlalchemy import exc

from agent.errors import SourceError
from agent.product.database.causes import CAUSES, NUMBERS, ORACLE, SQLSTATES, TEXTS
from agent.product.database.engine import open_engine
from agent.product.database.errors import FINER, database_errors, map_database_error
from agent.product.database.jdbc import DatabaseAddress
from agent.product.model import DatabaseAccess
from agent.reasons import REASONS
from agent.settings import Dialect, Secret
from tests.support.between import pgbouncer
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres

__all__ = ["mariadb", "postgres"]  # the fixtures


@dataclass
class OracleWords:
    """What python-oracledb has as the first argument of its errors."""

    full_code: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.full_code}: {self.text}"


class OracleError(Exception):
    """python-oracledb's DatabaseError."""


class SqlServerError(Exception):
    """pymssql's OperationalError, whose number is wrapped once more while connecting."""


def cause_of(error: BaseException) -> str:
    """The name of the cause whose words came out."""
    found = map_database_error(error)
    return next(name for name, cause in CAUSES.items() if (cause.what, cause.do) == (found.what, found.do))


def test_every_cause_has_a_known_reason_and_words() -> None:
    """A reason may leave the building; what happened and what to do are sentences, and each cause can come up."""
    named = {*NUMBERS.values(), *ORACLE.values(), *SQLSTATES.values(), *[cause for _, cause in TEXTS]}
    assert named <= set(CAUSES)
    for name, cause in CAUSES.items():
        assert cause.reason in REASONS, name
        assert cause.what.endswith("."), name
        assert cause.do.endswith("."), name
        assert name in named | {"database-error", "not-supported"}, name
    assert set().union(*FINER.values()) | set(FINER) <= set(CAUSES)


LIBPQ = 'connection failed: connection to server at "192.0.2.7", port 5432 failed: '
POSTGRESQL = [
    ('FATAL:  password authentication failed for user "jira"', "password-or-validity"),
    ("FATAL:  Passwort-Authentifizierung für Benutzer »jira« fehlgeschlagen", "password-or-validity"),
    ("FATAL:  authentification par mot de passe échouée pour l'utilisateur « jira »", "password-or-validity"),
    ('ФАТАЛЬНО:  пользователь "jira" не прошёл проверку подлинности (по паролю)', "password-or-validity"),
    ('FATAL:  role "jira" does not exist', "role-unknown"),
    ('FATAL:  role "jira" is not permitted to log in', "role-nologin"),
    ('FATAL:  database "jira" does not exist', "no-database"),
    ('FATAL:  no pg_hba.conf entry for host "192.0.2.8", user "jira", database "jira", no encryption', "pg-hba"),
    ('FATAL:  Peer authentication failed for user "jira"', "ident"),
    ("fe_sendauth: no password supplied", "no-password"),
    ("authentication method 7 not supported", "auth-method"),
    ("GSSAPI continuation error: No credentials were supplied", "auth-method"),
    ("none of the server's SASL authentication mechanisms are supported", "auth-method"),
    ('FATAL:  too many connections for role "jira"', "account-connections"),
    ('FATAL:  too many connections for database "jira"', "account-connections"),
    ("FATAL:  sorry, too many clients already", "too-many-connections"),
    ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", "too-many-connections"),
    ("FATAL:  the database system is starting up", "starting"),
    ("FATAL:  the database system is shutting down", "starting"),
    ("FATAL:  the database system is in recovery mode", "starting"),
    ("FATAL:  the database system is not yet accepting connections", "starting"),
    ("FATAL:  the database system is not accepting connections", "not-served"),
    ('FATAL:  database "jira" is not currently accepting connections', "not-served"),
    ("session is read-only", "not-served"),
    ('FATAL:  permission denied for database "jira"', "connect-denied"),
    ("server does not support SSL, but SSL was required", "tls-not-offered"),
    ("SSL error: certificate verify failed", "ca-unknown"),
    ('server certificate for "db.example.com" does not match host name "db"', "name-differs"),
    ("SSL error: certificate has expired", "certificate-ended"),
    ("FATAL:  connection requires a valid client certificate", "client-certificate"),
    ('root certificate file "/x.pem" does not exist', "ca-file"),
    ("SSL error: unsupported protocol", "tls-old"),
    ("SSL error: sslv3 alert handshake failure", "tls-old"),
    ("received invalid response to SSL negotiation: H", "other-protocol"),
    ("expected authentication request from server, but received H", "other-protocol"),
    ("FATAL:  no such user", "pooler-login"),
    ("FATAL:  no such database: jira", "pooler-login"),
    ("Connection refused\n\tIs the server running on that host?", "refused"),
    ("No route to host", "refused"),
    ("server closed the connection unexpectedly", "connection-lost"),
]


@pytest.mark.parametrize(("text", "cause"), POSTGRESQL)
def test_postgresql_while_connecting(text: str, cause: str) -> None:
    """libpq gives no code while it connects: the text decides, names in quotes left out."""
    assert cause_of(psycopg.OperationalError(LIBPQ + text)) == cause


def test_postgresql_before_connecting() -> None:
    """What libpq says before there is an address."""
    assert (
        cause_of(psycopg.OperationalError("failed to resolve host 'x': [Errno -2] Name or service")) == "unknown-host"
    )
    assert cause_of(psycopg.errors.ConnectionTimeout("connection timeout expired")) == "not-reached"


MYSQL = [
    (1045, "Access denied for user 'jira'@'192.0.2.8' (using password: YES)", "login-refused"),
    (1698, "Access denied for user 'jira'@'localhost'", "auth-plugin"),
    (1820, "You must reset your password using ALTER USER statement", "mysql-expired"),
    (1862, "Your password has expired. To log in you must change it", "mysql-expired"),
    (3118, "Access denied for user 'jira'@'%'. Account is locked.", "mysql-locked"),
    (4151, "Access denied, this account is locked", "mysql-locked"),
    (3955, "Access denied. Account is blocked for 3 day(s) due to 3 consecutive failed logins.", "mysql-locked"),
    (1130, "Host '192.0.2.8' is not allowed to connect to this MySQL server", "mysql-host"),
    (1129, "Host '192.0.2.8' is blocked because of many connection errors", "host-blocked"),
    (1251, "Client does not support authentication protocol requested by server", "auth-plugin"),
    (2059, "Authentication plugin 'b'authentication_ldap_sasl_client'' not configured", "auth-plugin"),
    (3159, "Connections using insecure transport are prohibited", "tls-required"),
    (2026, "SSL is required but the server doesn't support it", "tls-not-offered"),
    (1049, "Unknown database 'jira'", "no-database"),
    (1044, "Access denied for user 'jira'@'%' to database 'jira'", "connect-denied"),
    (1040, "Too many connections", "too-many-connections"),
    (1203, "User jira already has more than 'max_user_connections' active connections", "account-connections"),
    (1226, "User 'jira' has exceeded the 'max_connections_per_hour' resource", "account-connections"),
    (1053, "Server shutdown in progress", "starting"),
    (4031, "The client was disconnected by the server because of inactivity", "connection-lost"),
    (2003, "Can't connect to MySQL server on 'db' ([Errno 111] Connection refused)", "refused"),
    (2003, "Can't connect to MySQL server on 'db' (timed out)", "not-reached"),
    (2003, "Can't connect to MySQL server on 'db' ([Errno -2] Name or service not known)", "unknown-host"),
    (2003, "Can't connect ... certificate verify failed: self-signed certificate", "ca-unknown"),
    (2003, "Can't connect ... Hostname mismatch, certificate is not valid for 'db'", "name-differs"),
    (2003, "Can't connect ... certificate verify failed: certificate has expired", "certificate-ended"),
]


@pytest.mark.parametrize(("number", "text", "cause"), MYSQL)
def test_mysql_and_mariadb(number: int, text: str, cause: str) -> None:
    """The server's number decides; where it is the driver's own for all that fails on the way, the text does."""
    assert cause_of(exc.OperationalError("", {}, pymysql.err.OperationalError(number, text))) == cause


def test_mysql_without_a_number() -> None:
    """What the driver finds out itself: no server of this kind, and packages that a login needs."""
    assert cause_of(pymysql.err.InternalError("Packet sequence number wrong - got 72 expected 0")) == "other-protocol"
    needs = RuntimeError("'cryptography' package is required for sha256_password or caching_sha2_password auth methods")
    assert cause_of(needs) == "auth-needs-tls"


SQLSERVER = [
    (18456, "login-refused"),
    (18486, "mssql-locked"),
    (18487, "mssql-expired"),
    (18488, "mssql-must-change"),
    (18470, "mssql-disabled"),
    (18452, "mssql-windows"),
    (4060, "no-database"),
    (18461, "not-served"),
    (978, "not-served"),
    (40615, "mssql-firewall"),
    (17187, "starting"),
]


@pytest.mark.parametrize(("number", "cause"), SQLSERVER)
@pytest.mark.parametrize("wrapped", [True, False])
def test_sql_server(number: int, cause: str, wrapped: bool) -> None:
    """Documented numbers of the server, as the driver hands them on while connecting and later."""
    arguments = ((number, b"Login failed"),) if wrapped else (number, b"Login failed")
    assert cause_of(SqlServerError(*arguments)) == cause


ORACLE_CODES = [
    ("ORA-01017", "", "login-refused"),
    ("ORA-28000", "", "oracle-locked"),
    ("ORA-28001", "", "oracle-expired"),
    ("ORA-28040", "", "old-password"),
    ("DPY-3015", "password verifier type 0x939 is not supported", "old-password"),
    ("ORA-01045", "", "oracle-session"),
    ("ORA-12514", "", "no-service"),
    ("DPY-6001", "", "no-service"),
    ("DPY-6000", "Listener refused connection. (Similar to ORA-12519)", "too-many-connections"),
    ("DPY-6005", "cannot connect to database. [Errno 111] Connection refused", "refused"),
    ("DPY-6005", "cannot connect to database. certificate verify failed: self-signed", "ca-unknown"),
    ("DPY-6005", "cannot connect to database. timed out", "timeout"),
    ("ORA-02391", "", "account-connections"),
    ("ORA-01033", "", "starting"),
    ("ORA-01034", "", "not-served"),
    ("ORA-12528", "", "not-served"),
    ("ORA-03135", "", "connection-lost"),
]


@pytest.mark.parametrize(("code", "text", "cause"), ORACLE_CODES)
def test_oracle(code: str, text: str, cause: str) -> None:
    """Documented codes of server and driver; behind the driver's own code stands the listener's."""
    assert cause_of(OracleError(OracleWords(code, text))) == cause


def test_no_name_of_the_site_gets_into_the_words() -> None:
    """Host, user, database and password of a driver's text are repeated nowhere."""
    text = 'FATAL:  password authentication failed for user "u-secret" at h-secret.example.com password=p-secret'
    error = map_database_error(psycopg.OperationalError(text))
    assert "secret" not in f"{error} {error.what} {error.why} {error.do}"


# ------------------------------------------------------------------------------------------------- real servers


def failed(login: DatabaseAccess) -> SourceError:
    """What a person is told of a login that does not work."""
    engine = open_engine(login, 3.0)
    try:
        with pytest.raises(SourceError) as caught, database_errors(), engine.connect() as connection:
            connection.exec_driver_sql("select 1")
    finally:
        engine.dispose()
    return caught.value


@dataclass
class Account:
    """An account of a real PostgreSQL, and how to change it."""

    server: PostgresServer
    login: DatabaseAccess

    def alter(self, words: str) -> None:
        self.server.execute("postgres", f"ALTER ROLE {self.login.user} {words}")


@contextmanager
def account(server: PostgresServer) -> Iterator[Account]:
    name = server.create_database("login")
    server.execute("postgres", f"CREATE ROLE {name} LOGIN PASSWORD 'word-1'")
    address = DatabaseAddress(Dialect.POSTGRESQL, ((server.host, server.port),), name)
    yield Account(server, DatabaseAccess(address, name, Secret("word-1")))


ALTERED = {
    "VALID UNTIL '2001-01-01'": "VALID UNTIL 'infinity'",
    "NOLOGIN": "LOGIN",
    "CONNECTION LIMIT 0": "CONNECTION LIMIT 5",
}


@pytest.mark.parametrize("words", ALTERED)
def test_the_cure_for_a_postgresql_role_works_as_typed(postgres: PostgresServer, words: str) -> None:
    """The statement that the error names, typed with the role's name, mends it."""
    with account(postgres) as site:
        site.alter(words)
        told = failed(site.login)
        cure = re.search(r"ALTER ROLE <user> [A-Z]+(?: UNTIL '\w+'| LIMIT \d)?", told.do)
        assert cure is not None
        assert ALTERED[words] in cure[0]
        postgres.execute("postgres", cure[0].replace("<user>", site.login.user))
        engine = open_engine(site.login, 3.0)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("select 1").scalar() == 1
        engine.dispose()


def test_postgresql_names_what_it_can(postgres: PostgresServer) -> None:
    """Unknown database, TLS that is not offered, a MySQL's port: each has its own words."""
    with account(postgres) as site:
        address = site.login.address
        assert failed(replace(site.login, address=replace(address, name="none"))).what == CAUSES["no-database"].what


def test_a_pooler_that_does_not_know_the_user_is_named(postgres: PostgresServer) -> None:
    """PgBouncer has a list of users of its own; the words point there."""
    with account(postgres) as site, pgbouncer(postgres.port, "session", "somebody", "word-2") as port:
        address = replace(site.login.address, hosts=(("127.0.0.1", port),))
        error = failed(replace(site.login, address=address))
    assert error.reason == "login-refused"


MARIADB = {
    "ACCOUNT LOCK": ("mysql-locked", "ACCOUNT UNLOCK"),
    "PASSWORD EXPIRE": ("mysql-expired", "IDENTIFIED BY 'word-1' PASSWORD EXPIRE NEVER"),
}


@pytest.mark.parametrize("words", MARIADB)
def test_the_cure_for_a_mariadb_account_works(mariadb: MariaDbServer, words: str) -> None:
    """Locked and expired accounts of a real server are told apart, and what is advised mends them."""
    name = f"login_{abs(hash(words)) % 10_000}"
    who = f"'{name}'@'127.0.0.1'"
    cause, cure = MARIADB[words]
    mariadb.execute(
        f"CREATE DATABASE {name}", f"CREATE USER {who} IDENTIFIED BY 'word-1'", f"GRANT SELECT ON {name}.* TO {who}"
    )
    address = DatabaseAddress(Dialect.MYSQL, ((mariadb.host, mariadb.port),), name)
    login = DatabaseAccess(address, name, Secret("word-1"))
    mariadb.execute(f"ALTER USER {who} {words}")
    error = failed(login)
    assert error.what == CAUSES[cause].what
    assert cure.replace("'word-1'", "'<new>'") in error.do
    mariadb.execute(f"ALTER USER {who} {cure}")
    engine = open_engine(login, 3.0)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select 1").scalar() == 1
    engine.dispose()


def test_a_database_of_another_kind_at_the_port_is_named(postgres: PostgresServer, mariadb: MariaDbServer) -> None:
    """A MySQL address that leads to PostgreSQL, and the other way round."""
    here = {Dialect.MYSQL: postgres.port, Dialect.POSTGRESQL: mariadb.port}
    for dialect, port in here.items():
        login = DatabaseAccess(DatabaseAddress(dialect, (("127.0.0.1", port),), "jira"), "jira", Secret("word-1"))
        assert failed(login).reason in ("refused", "timeout", "connection-lost")
