"""Engines on a real MariaDB: read-only, limited in time, silent about passwords."""

from __future__ import annotations

import time
import traceback

import pytest
from sqlalchemy import text

from agent.errors import SourceError
from agent.product.database.engine import open_engine
from agent.product.database.errors import database_errors
from agent.product.database.jdbc import DatabaseAddress
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, Secret
from tests.support.mariadb import MariaDbServer, mariadb

__all__ = ["mariadb"]  # the fixture

PASSWORD = "s3cret-$$-%s-word"


@pytest.fixture(scope="module")
def login(mariadb: MariaDbServer) -> DatabaseAccess:
    """A database with one table, and an account with every right on it: the session must hold it back."""
    mariadb.execute(
        "CREATE DATABASE jira",
        "CREATE TABLE jira.project (id bigint) ENGINE=InnoDB",
        "INSERT INTO jira.project VALUES (1), (2)",
        f"CREATE USER 'jira_user'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
        "GRANT ALL ON jira.* TO 'jira_user'@'127.0.0.1'",
    )
    address = DatabaseAddress(Dialect.MYSQL, ((mariadb.host, mariadb.port),), "jira")
    return DatabaseAccess(address, "jira_user", Secret(PASSWORD))


def read(login: DatabaseAccess, sql: str, timeout_s: float = 5.0) -> object:
    """One connection, one statement, as a source does it."""
    with database_errors(), open_engine(login, timeout_s).connect() as connection:
        return connection.execute(text(sql)).scalar()


def test_reads_and_does_not_write(login: DatabaseAccess) -> None:
    """Reading works; every write is refused by the session although the account may write."""
    assert read(login, "SELECT count(*) FROM project") == 2
    for sql in ("INSERT INTO project VALUES (3)", "DELETE FROM project", "UPDATE project SET id = 9"):
        with pytest.raises(SourceError) as caught:
            read(login, sql)
        assert caught.value.reason == "read-only"
    assert read(login, "SELECT count(*) FROM project") == 2


def test_slow_statement_is_ended(login: DatabaseAccess) -> None:
    """A statement past its time fails with `timeout`, by the server's own limit."""
    started = time.monotonic()
    with pytest.raises(SourceError) as caught:
        read(login, "SELECT count(*) FROM project a, project b WHERE sleep(5) = 0", 0.5)
    assert caught.value.reason == "timeout"
    assert time.monotonic() - started < 4


def test_locked_table_fails_within_the_lock_time(mariadb: MariaDbServer, login: DatabaseAccess) -> None:
    """A table that someone locks costs about two seconds."""
    import pymysql

    with pymysql.connect(unix_socket=str(mariadb.folder / "socket"), user="root") as other:
        other.cursor().execute("LOCK TABLES jira.project WRITE")
        started = time.monotonic()
        with pytest.raises(SourceError) as caught:
            read(login, "SELECT count(*) FROM project", 10)
        assert caught.value.reason == "timeout"
        assert time.monotonic() - started < 5


def broken(login: DatabaseAccess, case: str) -> DatabaseAccess:
    """One kind of broken login."""
    address = login.address
    if case == "wrong password":
        return DatabaseAccess(address, login.user, Secret(PASSWORD + "x"))
    if case == "unknown user":
        return DatabaseAccess(address, "nobody_here", Secret(PASSWORD))
    if case == "unknown database":
        other = DatabaseAddress(address.dialect, address.hosts, "nope")
        return DatabaseAccess(other, login.user, Secret(PASSWORD))
    host, port = {"closed port": ("127.0.0.1", 1), "unknown host": ("no-such-host.invalid", 3306)}[case]
    return DatabaseAccess(DatabaseAddress(address.dialect, ((host, port),), "jira"), login.user, Secret(PASSWORD))


@pytest.mark.parametrize(
    ("case", "reasons"),
    [
        ("wrong password", {"login-refused"}),
        ("unknown user", {"login-refused"}),
        ("unknown database", {"not-present", "permission-denied"}),
        ("closed port", {"refused"}),
        ("unknown host", {"unknown-host"}),
    ],
)
def test_broken_login_is_named_and_tells_no_password(login: DatabaseAccess, case: str, reasons: set[str]) -> None:
    """Requirement D4 with this driver: the reason is told, the password is not."""
    with pytest.raises(SourceError) as caught:
        read(broken(login, case), "SELECT 1")
    assert caught.value.reason in reasons, str(caught.value)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value)) + str(caught.value) + caught.value.why


def test_missing_table_and_column(login: DatabaseAccess) -> None:
    """What another version has and this one lacks is `not-present`."""
    for sql in ("SELECT 1 FROM nope", "SELECT nope FROM project"):
        with pytest.raises(SourceError) as caught:
            read(login, sql)
        assert caught.value.reason == "not-present"
