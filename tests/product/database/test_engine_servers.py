"""Engines on real servers: what holds on PostgreSQL and MariaDB alike; test_engine.py has what one alone can do."""

from __future__ import annotations

import logging
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import psycopg
import pymysql
import pytest
from sqlalchemy import text

from agent.errors import SourceError
from agent.product.database.engine import open_engine
from agent.product.database.errors import database_errors
from agent.product.database.jdbc import DatabaseAddress
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, Secret
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer
from tests.support.silent import silent_server
from tests.support.stopwatch import Stopwatch

__all__ = ["mariadb"]  # the fixture

PASSWORD = "s3cret-$$-%s-\\-\"'-word"
NAME = "engines"
TABLES = ("CREATE TABLE project (id bigint)", "INSERT INTO project VALUES (1), (2)", "CREATE TABLE hidden (id bigint)")


@dataclass(frozen=True)
class Site:
    """A database with a table of two rows on one server, and what that server's words are."""

    reader: DatabaseAccess  # may read `project`, with the hard password
    writer: DatabaseAccess  # has every right: the session must hold it back
    slow: str
    default_port: int
    locked: Callable[[], Iterator[None]]

    def at(self, host: str, port: int) -> DatabaseAccess:
        """The reader's login, tried somewhere else."""
        return replace(self.reader, address=replace(self.reader.address, hosts=((host, port),)))


def read(login: DatabaseAccess, sql: str = "SELECT 1", timeout_s: float = 5.0) -> object:
    """What a source does: one connection, one statement, errors mapped without their origin."""
    engine = open_engine(login, timeout_s)
    with database_errors(), engine.connect() as connection:
        return connection.execute(text(sql)).scalar()


@pytest.fixture(scope="module")
def on_postgres(postgres: PostgresServer) -> Site:
    name = postgres.create_database(NAME)
    quoted = PASSWORD.replace("'", "''")
    postgres.execute(
        name,
        *TABLES,
        f"CREATE ROLE reader_of_{name} LOGIN PASSWORD '{quoted}'",
        f"GRANT SELECT ON project TO reader_of_{name}",
    )
    address = DatabaseAddress(Dialect.POSTGRESQL, ((postgres.host, postgres.port),), name)

    def locked() -> Iterator[None]:
        with psycopg.connect(postgres.dsn(name)) as other:
            other.execute("LOCK TABLE project IN ACCESS EXCLUSIVE MODE")
            yield

    return Site(
        DatabaseAccess(address, f"reader_of_{name}", Secret(PASSWORD)),
        DatabaseAccess(address, postgres.superuser, Secret(postgres.password)),
        "SELECT pg_sleep(30)",
        5432,
        locked,
    )


@pytest.fixture(scope="module")
def on_mariadb(mariadb: MariaDbServer) -> Site:
    quoted = PASSWORD.replace("\\", "\\\\").replace("'", "''")
    mariadb.execute(f"CREATE DATABASE {NAME}", f"USE {NAME}", *TABLES)
    for user, rights in (("reader", f"SELECT ON {NAME}.project"), ("writer", f"ALL ON {NAME}.*")):
        mariadb.execute(
            f"CREATE USER '{user}_of_{NAME}'@'127.0.0.1' IDENTIFIED BY '{quoted}'",
            f"GRANT {rights} TO '{user}_of_{NAME}'@'127.0.0.1'",
        )
    address = DatabaseAddress(Dialect.MYSQL, ((mariadb.host, mariadb.port),), NAME)

    def locked() -> Iterator[None]:
        with pymysql.connect(unix_socket=str(mariadb.folder / "socket"), user="root") as other:
            other.cursor().execute(f"LOCK TABLES {NAME}.project WRITE")
            yield

    return Site(
        DatabaseAccess(address, f"reader_of_{NAME}", Secret(PASSWORD)),
        DatabaseAccess(address, f"writer_of_{NAME}", Secret(PASSWORD)),
        "SELECT count(*) FROM project a, project b WHERE sleep(5) = 0",
        3306,
        locked,
    )


@pytest.fixture(params=["postgresql", "mariadb"])
def site(request: pytest.FixtureRequest) -> Site:
    """Each server."""
    made: Site = request.getfixturevalue("on_postgres" if request.param == "postgresql" else "on_mariadb")
    return made


def test_reads_with_a_password_of_hard_characters(site: Site) -> None:
    """A password with quotes, percent, dollar and backslash logs in as it is."""
    assert read(site.reader, "SELECT count(*) FROM project") == 2


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO project VALUES (3)",
        "DELETE FROM project",
        "UPDATE project SET id = 9",
        "CREATE TABLE t (i int)",
        "SET TRANSACTION READ WRITE",
    ],
)
def test_session_cannot_write(site: Site, sql: str) -> None:
    """Whatever the account may: no statement writes, and one that makes the transaction writable is no way out."""
    engine = open_engine(site.writer, 5.0)

    def write() -> None:
        with database_errors(), engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            connection.execute(text(sql))
            connection.execute(text("INSERT INTO project VALUES (4)"))

    with pytest.raises(SourceError) as caught:
        write()
    assert caught.value.reason in ("read-only", "database-error")
    assert caught.value.reason == "read-only" or sql.startswith("SET")
    assert read(site.reader, "SELECT count(*) FROM project") == 2


def test_slow_statement_is_ended(site: Site) -> None:
    """A statement past its time fails with `timeout`, by the server's own limit."""
    watch = Stopwatch()
    with pytest.raises(SourceError) as caught:
        read(site.writer, site.slow, 0.5)
    assert caught.value.reason == "timeout"
    assert watch.elapsed_s < 4


def test_locked_table_fails_within_the_lock_time(site: Site) -> None:
    """A table that someone locks costs two seconds, not the tick, and no other table (requirement D1)."""
    with contextmanager(site.locked)():
        watch = Stopwatch()
        with pytest.raises(SourceError) as caught:
            read(site.writer, "SELECT count(*) FROM project", 10)
        assert caught.value.reason == "timeout"
        assert watch.elapsed_s < 5
        assert read(site.writer, "SELECT count(*) FROM hidden") == 0


def silent(site: Site, answer: bytes | None) -> object:
    with silent_server(answer) as port:
        return read(site.at("127.0.0.1", port), timeout_s=1.0)


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def database(site: Site, name: str) -> DatabaseAccess:
    return replace(site.reader, address=replace(site.reader.address, name=name))


# What is wrong with a login: the reasons it may have (MariaDB does not tell whom it does not know what is missing),
# and the attempt.
BROKEN: dict[str, tuple[set[str], Callable[[Site], object]]] = {
    "wrong password": ({"login-refused"}, lambda site: read(replace(site.reader, password=Secret(PASSWORD + "x")))),
    "unknown user": ({"login-refused"}, lambda site: read(replace(site.reader, user="nobody_here"))),
    "unknown database": ({"not-present", "permission-denied"}, lambda site: read(database(site, "no_such_db"))),
    "closed port": ({"refused"}, lambda site: read(site.at("127.0.0.1", closed_port()))),
    "unknown host": ({"unknown-host"}, lambda site: read(site.at("no-such-host.invalid", site.default_port))),
    "silent port": ({"timeout"}, lambda site: silent(site, None)),
    "other service": ({"connection-lost"}, lambda site: silent(site, b"")),
    "no right": ({"permission-denied"}, lambda site: read(site.reader, "SELECT count(*) FROM hidden")),
    "no table": ({"not-present", "permission-denied"}, lambda site: read(site.reader, "SELECT 1 FROM nope")),
    "no column": ({"not-present"}, lambda site: read(site.writer, "SELECT nope FROM project")),
    "no table for whom may see all": ({"not-present"}, lambda site: read(site.writer, "SELECT 1 FROM nope")),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_login_is_named_and_tells_no_password(
    site: Site, case: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Requirement D4: each broken login has its reason code, words for an admin, and its password in no text."""
    caplog.set_level(logging.DEBUG)
    reasons, attempt = BROKEN[case]
    with pytest.raises(SourceError) as caught:
        attempt(site)
    error = caught.value
    assert error.reason in reasons, str(error)
    tells_no_password(error, caplog.text, *capfd.readouterr())


def tells_no_password(error: SourceError, *printed: str) -> None:
    """The words are ours: the driver's own text, host and user in it, is not shown behind them."""
    assert error.what
    assert error.do
    assert error.__cause__ is None
    assert error.__suppress_context__
    texts = [str(error), repr(error), error.why, "".join(traceback.format_exception(error)), *printed]
    assert not any(PASSWORD in piece or PASSWORD[:8] in piece for piece in texts)
    assert "postgresql+psycopg://" not in "".join(texts)
    assert "mysql+pymysql://" not in "".join(texts)


def test_unknown_database_is_not_present(on_postgres: Site) -> None:
    """PostgreSQL tells it apart from a lack of rights."""
    with pytest.raises(SourceError) as caught:
        read(database(on_postgres, "no_such_db"))
    assert caught.value.reason == "not-present"


def test_engine_does_not_show_the_password(site: Site) -> None:
    """Neither the engine's own text nor the login's holds the password."""
    engine = open_engine(site.reader, 5.0)
    assert PASSWORD not in f"{engine!r} {engine.url!r} {site.reader!r}"
