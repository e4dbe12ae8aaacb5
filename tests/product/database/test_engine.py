"""Engines on a real PostgreSQL and SQLite: read-only, limited in time, and silent about passwords."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from agent.errors import SourceError
from agent.product.database.engine import WATCH, open_engine
from agent.product.database.errors import database_errors, driver_missing
from agent.product.database.jdbc import DatabaseAddress
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, Secret
from tests.support.postgres import PostgresServer
from tests.support.stopwatch import Stopwatch

PASSWORD = "s3cret-$$-%s-\\-\"'-word"


def access(server: PostgresServer, database: str, user: str = "", password: str = "", **options: str) -> DatabaseAccess:
    address = DatabaseAddress(Dialect.POSTGRESQL, ((server.host, server.port),), database, options=options)
    return DatabaseAccess(address, user or server.superuser, Secret(password or server.password))


def read(login: DatabaseAccess, sql: str = "SELECT 1", timeout_s: float = 5.0) -> object:
    """What a source does: one connection, one statement, errors mapped without their origin."""
    engine = open_engine(login, timeout_s)
    with database_errors(), engine.connect() as connection:
        return connection.execute(text(sql)).scalar()


@contextmanager
def silent_server(answer: bytes | None) -> Iterator[int]:
    """A port that accepts and says nothing, or says `answer` and hangs up."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        kept: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                kept.append(connection)
                if answer is not None:
                    with connection, suppress(OSError):  # whoever asked may be gone
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in kept:
                connection.close()


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


def test_reads_with_a_password_of_hard_characters(postgres: PostgresServer, jira: str) -> None:
    """A password with quotes, percent, dollar and backslash logs in as it is."""
    assert read(access(postgres, jira, "reader", PASSWORD), "SELECT count(*) FROM project") == 2


@pytest.mark.parametrize(
    "sql", ["INSERT INTO project VALUES (3)", "CREATE TABLE t (i int)", "SET TRANSACTION READ WRITE"]
)
def test_session_cannot_write(postgres: PostgresServer, jira: str, sql: str) -> None:
    """Even as superuser no statement writes, and a statement that makes the transaction writable is no way out."""
    engine = open_engine(access(postgres, jira), 5.0)

    def write() -> None:
        with database_errors(), engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            connection.execute(text(sql))
            connection.execute(text("INSERT INTO project VALUES (4)"))

    with pytest.raises(SourceError) as caught:
        write()
    assert caught.value.reason in ("read-only", "database-error")
    assert postgres.execute(jira, "SELECT count(*) FROM project") == [(2,)]


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


def test_locked_table_fails_within_the_lock_time(postgres: PostgresServer, jira: str) -> None:
    """A table that someone locks costs two seconds, not the tick (requirement D1)."""
    import psycopg

    with psycopg.connect(postgres.dsn(jira)) as other:
        other.execute("LOCK TABLE project IN ACCESS EXCLUSIVE MODE")
        watch = Stopwatch()
        with pytest.raises(SourceError) as caught:
            read(access(postgres, jira), "SELECT count(*) FROM project", 10)
        assert caught.value.reason == "timeout"
        assert watch.elapsed_s < 5
        assert read(access(postgres, jira), "SELECT count(*) FROM hidden") == 0


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


def broken_logins(server: PostgresServer, database: str) -> dict[str, tuple[str, Callable[[], object]]]:
    """Ten kinds of broken login, each with the reason it must have."""

    def at(host: str, port: int) -> DatabaseAccess:
        return DatabaseAccess(DatabaseAddress(Dialect.POSTGRESQL, ((host, port),), "jira"), "reader", Secret(PASSWORD))

    def silent(answer: bytes | None) -> object:
        with silent_server(answer) as port:
            return read(at("127.0.0.1", port), timeout_s=1.0)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed_port = free.getsockname()[1]
    return {
        "wrong password": ("login-refused", lambda: read(access(server, database, "reader", PASSWORD + "x"))),
        "unknown user": ("login-refused", lambda: read(access(server, database, "nobody_here", PASSWORD))),
        "account without login": ("login-refused", lambda: read(access(server, database, "nologin", "x" + PASSWORD))),
        "unknown database": ("not-present", lambda: read(access(server, "no_such_db", "reader", PASSWORD))),
        "closed port": ("refused", lambda: read(at("127.0.0.1", closed_port))),
        "unknown host": ("unknown-host", lambda: read(at("no-such-host.invalid", 5432))),
        "silent port": ("timeout", lambda: silent(None)),
        "other service": ("connection-lost", lambda: silent(b"")),
        "no TLS there": ("tls", lambda: read(access(server, database, "reader", PASSWORD, sslmode="require"))),
        "no connection left": ("too-many-connections", lambda: read(access(server, database, "narrow", PASSWORD))),
        "no right": (
            "permission-denied",
            lambda: read(access(server, database, "reader", PASSWORD), "SELECT count(*) FROM hidden"),
        ),
        "no table": ("not-present", lambda: read(access(server, database, "reader", PASSWORD), "SELECT 1 FROM nope")),
    }


@pytest.mark.parametrize(
    "case",
    [
        "wrong password",
        "unknown user",
        "account without login",
        "unknown database",
        "closed port",
        "unknown host",
        "silent port",
        "other service",
        "no TLS there",
        "no connection left",
        "no right",
        "no table",
    ],
)
def test_broken_login_is_named_and_tells_no_password(
    postgres: PostgresServer, jira: str, case: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Requirement D4: each broken login has its reason code, words for an admin, and its password in no text."""
    caplog.set_level(logging.DEBUG)
    reason, attempt = broken_logins(postgres, jira)[case]
    with pytest.raises(SourceError) as caught:
        attempt()
    error = caught.value
    assert error.reason == reason, str(error)
    assert error.what
    assert error.do
    assert error.__cause__ is None
    assert error.__suppress_context__  # the driver's own text, host and user in it, is not shown behind ours
    printed = capfd.readouterr()
    texts = [
        str(error),
        repr(error),
        error.why,
        "".join(traceback.format_exception(error)),
        caplog.text,
        printed.out,
        printed.err,
    ]
    assert not any(PASSWORD in piece or PASSWORD[:8] in piece for piece in texts)
    assert "postgresql+psycopg://" not in "".join(texts)


def test_engine_does_not_show_the_password(postgres: PostgresServer, jira: str) -> None:
    """Neither the engine's own text nor the login's holds the password."""
    login = access(postgres, jira, "reader", PASSWORD)
    engine = open_engine(login, 5.0)
    assert PASSWORD not in f"{engine!r} {engine.url!r} {login!r}"


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
