"""What engines on PostgreSQL or SQLite alone can do; test_engine_servers.py has what holds on each server."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from agent.errors import SourceError
from agent.product.database.engine import WATCH, open_engine
from agent.product.database.errors import database_errors, driver_missing
from agent.product.database.jdbc import DatabaseAddress, DatabaseTls
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, Secret, TlsMode
from tests.product.database.test_engine_servers import PASSWORD, read, tells_no_password
from tests.support.postgres import PostgresServer
from tests.support.stopwatch import Stopwatch


def access(
    server: PostgresServer, database: str, user: str = "", password: str = "", mode: TlsMode | None = None
) -> DatabaseAccess:
    place = ((server.host, server.port),)
    address = DatabaseAddress(Dialect.POSTGRESQL, place, database, tls=DatabaseTls(mode))
    return DatabaseAccess(address, user or server.superuser, Secret(password or server.password))


@pytest.fixture(scope="module")
def jira(postgres: PostgresServer) -> str:
    """A database with one table, and an account that may read it with the hard password."""
    name = postgres.create_database("jira")
    quoted = PASSWORD.replace("'", "''")
    postgres.execute(
        name,
        "CREATE TABLE project (id bigint)",
        "INSERT INTO project VALUES (1), (2)",
        "CREATE TABLE hidden (id bigint)",
        f"CREATE ROLE reader LOGIN PASSWORD '{quoted}'",
        "CREATE ROLE nologin NOLOGIN PASSWORD 'x'",
        f"CREATE ROLE narrow LOGIN PASSWORD '{quoted}' CONNECTION LIMIT 0",
        "GRANT SELECT ON project TO reader",
    )
    return name


def test_session_default_switched_off_still_does_not_write(postgres: PostgresServer, jira: str) -> None:
    """Every transaction begins read-only by itself, not only through a session default that a statement may change."""
    with open_engine(access(postgres, jira), 5.0).connect() as connection:
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.commit()
        with pytest.raises(SourceError) as caught, database_errors():
            connection.execute(text("INSERT INTO project VALUES (5)"))
    assert caught.value.reason == "read-only"


def test_slow_statement_is_ended_on_the_server(postgres: PostgresServer, jira: str) -> None:
    """A statement past its time fails with `timeout` and its session is gone from the server."""
    watch = Stopwatch()
    with pytest.raises(SourceError) as caught:
        read(access(postgres, jira), "SELECT pg_sleep(30)", 0.5)
    assert caught.value.reason == "timeout"
    assert watch.elapsed_s < 3
    left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'portfolio-agent'"
    ends = time.monotonic() + 5
    while postgres.execute(jira, left) != [(0,)]:
        assert time.monotonic() < ends, "the session stays on the server"


def test_frozen_server_is_cut_on_this_side(postgres: PostgresServer, jira: str) -> None:
    """A server process that is stopped cannot end the statement: this side does, and says `timeout`."""
    engine = open_engine(access(postgres, jira), 0.5)
    with engine.connect() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        os.kill(backend, signal.SIGSTOP)
        try:
            watch = Stopwatch()
            with pytest.raises(SourceError) as caught, database_errors():
                connection.execute(text("SELECT count(*) FROM project"))
            assert caught.value.reason == "timeout"
            assert watch.elapsed_s < 6
        finally:
            os.kill(backend, signal.SIGCONT)
    assert read(access(postgres, jira)) == 1


def test_one_watch_serves_a_connection_and_ends_with_it(postgres: PostgresServer, jira: str) -> None:
    """Many statements need one thread; when the connection is closed it ends, and the next connection has its own."""
    engine = open_engine(access(postgres, jira), 30.0)
    # A connection that an earlier test left to the garbage collector may have its watch still.
    others = {thread for thread in threading.enumerate() if thread.name == WATCH}
    for _ in range(2):
        with engine.connect() as connection:
            watching = set()
            for _ in range(20):
                connection.execute(text("SELECT 1"))
                watching |= {thread for thread in threading.enumerate() if thread.name == WATCH} - others
            assert len(watching) == 1
        watch = watching.pop()
        watch.join(10)
        assert not watch.is_alive()


def test_session_guards_are_set(postgres: PostgresServer, jira: str) -> None:
    """The server itself knows the limits, so a client that dies leaves no endless statement."""
    login = access(postgres, jira)
    for name, expected in (
        ("default_transaction_read_only", "on"),
        ("transaction_read_only", "on"),
        ("statement_timeout", "5s"),
        ("lock_timeout", "2s"),
        ("idle_in_transaction_session_timeout", "65s"),
        ("application_name", "portfolio-agent"),
        ("jit", "off"),
    ):
        assert read(login, f"SELECT current_setting('{name}')") == expected


def test_schema_of_the_product_is_searched(postgres: PostgresServer, jira: str) -> None:
    """Tables are found in the schema that dbconfig.xml names, also with capitals and blanks in it."""
    postgres.execute(jira, 'CREATE SCHEMA "Jira X"', 'CREATE TABLE "Jira X".only_here (id int)')
    base = access(postgres, jira)
    login = DatabaseAccess(base.address, base.user, base.password, "Jira X")
    assert read(login, "SELECT count(*) FROM only_here") == 0


def test_password_is_asked_anew_for_each_connection(postgres: PostgresServer, jira: str) -> None:
    """A password the product changed is picked up by the next connection of the same engine."""
    passwords = ["wrong", PASSWORD]
    first = access(postgres, jira, "reader", "old")
    engine = open_engine(first, 5.0, lambda: DatabaseAccess(first.address, "reader", Secret(passwords.pop(0))))
    with pytest.raises(SourceError) as caught, database_errors():
        engine.connect()
    assert caught.value.reason == "login-refused"
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1


@pytest.mark.parametrize(
    ("user", "mode", "reason"),
    [
        ("nologin", None, "login-refused"),
        ("narrow", None, "too-many-connections"),
        ("reader", TlsMode.REQUIRE, "tls"),
    ],
)
def test_login_that_only_postgresql_can_refuse(
    postgres: PostgresServer, jira: str, user: str, mode: TlsMode | None, reason: str
) -> None:
    """An account without login, one without a connection left, a server without TLS: each has its code."""
    with pytest.raises(SourceError) as caught:
        read(access(postgres, jira, user, PASSWORD, mode))
    assert caught.value.reason == reason
    tells_no_password(caught.value)


def test_missing_driver_says_what_to_install() -> None:
    """A driver that is not installed is named with the extra that brings it."""
    error = driver_missing(Dialect.ORACLE, "oracledb")
    assert error.reason == "driver-missing"
    assert "portfolio-agent[oracle]" in error.do


@pytest.fixture
def demo(tmp_path: Path) -> DatabaseAccess:
    """A SQLite file as the demo product has one."""
    path = tmp_path / "ji ra#?.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE project (id INTEGER)")
        connection.execute("INSERT INTO project VALUES (1)")
    connection.close()
    return DatabaseAccess(DatabaseAddress(Dialect.SQLITE, (), str(path)), "", None)


def test_sqlite_is_read_only_and_limited(demo: DatabaseAccess) -> None:
    """SQLite: reading works, writing is refused, an endless query ends in its time."""
    assert read(demo, "SELECT count(*) FROM project") == 1
    with pytest.raises(SourceError) as caught:
        read(demo, "INSERT INTO project VALUES (2)")
    assert caught.value.reason == "read-only"
    watch = Stopwatch()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(SourceError) as caught:
        read(demo, endless, 0.3)
    assert caught.value.reason == "timeout"
    assert watch.elapsed_s < 3


def test_sqlite_file_that_is_missing_or_no_database(tmp_path: Path) -> None:
    """A missing file is not created; a file that is no database is named as that."""
    missing = tmp_path / "none.db"
    with pytest.raises(SourceError) as caught:
        read(DatabaseAccess(DatabaseAddress(Dialect.SQLITE, (), str(missing)), "", None))
    assert caught.value.reason == "not-present"
    assert not missing.exists()
    noise = tmp_path / "noise.db"
    noise.write_bytes(b"no database at all" * 100)
    with pytest.raises(SourceError) as caught:
        read(DatabaseAccess(DatabaseAddress(Dialect.SQLITE, (), str(noise)), "", None), "SELECT * FROM project")
    assert caught.value.reason == "damaged"
