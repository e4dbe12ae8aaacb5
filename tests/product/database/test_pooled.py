"""Sessions behind a real PgBouncer: what they must be they are, and none of it reaches the product's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from agent.errors import SourceError
from agent.model import Role
from agent.product.database.engine import open_engine
from agent.product.database.errors import map_database_error
from agent.product.database.jdbc import DatabaseAddress
from agent.product.database.lock import ClusterLock
from agent.product.database.pooled import is_pooled
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, Secret
from tests.support.between import haproxy, pgbouncer
from tests.support.postgres import PostgresServer, postgres

__all__ = ["postgres"]  # the fixture

IGNORED = "ignore_startup_parameters = options,extra_float_digits"
INSTANCE = "6f1c7e0a-5a4e-4b83-9a62-0c5a4a3b1d11"


@pytest.fixture(scope="module")
def site(postgres: PostgresServer) -> DatabaseAccess:
    """A product's database with its tables in a schema of their own."""
    name = postgres.create_database("pooled")
    postgres.execute(
        "postgres", f"CREATE ROLE {name} LOGIN PASSWORD 'word-1'", f"GRANT ALL ON DATABASE {name} TO {name}"
    )
    postgres.execute(
        name, f"CREATE SCHEMA jira AUTHORIZATION {name}", f"SET ROLE {name}", "CREATE TABLE jira.t (n int)"
    )
    postgres.execute(name, f"ALTER TABLE jira.t OWNER TO {name}", "INSERT INTO jira.t VALUES (7)")
    address = DatabaseAddress(Dialect.POSTGRESQL, ((postgres.host, postgres.port),), name)
    return DatabaseAccess(address, name, Secret("word-1"), schema="jira")


@contextmanager
def pooled(site: DatabaseAccess, mode: str, *settings: str) -> Iterator[DatabaseAccess]:
    """The same login through a PgBouncer."""
    with pgbouncer(site.address.hosts[0][1], mode, site.user, "word-1", *settings) as port:
        yield at_port(site, port)


def at_port(site: DatabaseAccess, port: int) -> DatabaseAccess:
    """The same login at another port of this machine."""
    address = DatabaseAddress(Dialect.POSTGRESQL, (("127.0.0.1", port),), site.address.name)
    return DatabaseAccess(address, site.user, site.password, schema=site.schema)


@contextmanager
def session(login: DatabaseAccess) -> Iterator[Connection]:
    """One connection as the sources use it."""
    engine = open_engine(login, 3.0)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def guards_of(connection: Connection) -> tuple[object, ...]:
    """What holds inside a transaction."""
    names = ("statement_timeout", "lock_timeout", "transaction_read_only", "jit", "max_parallel_workers_per_gather")
    with connection.begin():
        return tuple(connection.exec_driver_sql(f"show {name}").scalar() for name in names)


GUARDS = ("3s", "2s", "on", "off", "0")


@pytest.mark.parametrize("mode", ["session", "transaction"])
@pytest.mark.parametrize("settings", [(), (IGNORED,)], ids=["as-shipped", "ignores-options"])
def test_guards_and_schema_hold_behind_a_pooler(site: DatabaseAccess, mode: str, settings: tuple[str, ...]) -> None:
    """Refused or dropped start-up options change nothing: read-only, limits and schema hold in each transaction."""
    with pooled(site, mode, *settings) as login, session(login) as connection:
        assert is_pooled(connection)
        assert guards_of(connection) == GUARDS
        with connection.begin():
            assert connection.exec_driver_sql("select n from t").scalar() == 7
        with pytest.raises(DBAPIError) as caught:
            connection.exec_driver_sql("insert into t values (1)")
        assert map_database_error(caught.value).reason == "read-only"


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_the_products_sessions_keep_their_own_settings(site: DatabaseAccess, mode: str) -> None:
    """The server's session that ours was given, given to the product next, is as the product's always were."""
    with pooled(site, mode, IGNORED, "default_pool_size = 1") as login:
        address = login.address.hosts[0]
        words = f"host={address[0]} port={address[1]} dbname={login.address.name} user={login.user} password=word-1"
        with session(login) as connection:
            assert guards_of(connection) == GUARDS
        with closing(psycopg.connect(words, prepare_threshold=None)) as product:
            names = ("default_transaction_read_only", "statement_timeout", "lock_timeout", "search_path")
            shown = [product.execute(f"show {name}".encode()).fetchone() for name in names]
            assert shown == [("off",), ("0",), ("0",), ('"$user", public',)]
            product.execute("insert into jira.t values (8)")
            product.rollback()


def test_a_direct_session_costs_no_statement_more(site: DatabaseAccess) -> None:
    """Without a pooler the options of the start hold, and no transaction begins with words of ours."""
    with session(site) as connection:
        assert not is_pooled(connection)
        assert guards_of(connection) == GUARDS


def test_a_load_balancer_is_no_pooler(site: DatabaseAccess) -> None:
    """HAProxy hands bytes on: the session is the one that was logged in to."""
    with haproxy(site.address.hosts[0][1], "10s") as port, session(at_port(site, port)) as connection:
        assert not is_pooled(connection)


def test_statement_mode_is_named(site: DatabaseAccess) -> None:
    """A pooler that allows no transaction cannot be used, and says which setting mends it."""
    with pooled(site, "statement", IGNORED) as login, pytest.raises(DBAPIError) as caught, session(login) as connection:
        guards_of(connection)
    error = map_database_error(caught.value)
    assert error.reason == "pooler"
    assert "pool_mode" in error.do


@pytest.mark.parametrize("size", [1, 5])
def test_a_cluster_is_not_counted_through_shared_sessions(site: DatabaseAccess, size: int) -> None:
    """Two nodes behind one pooler in transaction mode: both are refused by name, nobody counts, no lock stays."""
    with pooled(site, "transaction", IGNORED, f"default_pool_size = {size}") as login:
        for _ in range(2):
            lock = ClusterLock(lambda: open_engine(login, 3.0), INSTANCE)
            with pytest.raises(SourceError) as caught:
                lock.turn()
            assert caught.value.reason == "pooler"
            assert "pool_mode = session" in caught.value.do
            lock.release()
        direct = ClusterLock(lambda: open_engine(site, 3.0), INSTANCE)
        assert direct.turn().role is Role.COUNTING
        direct.release()


def test_a_pooler_in_session_mode_serves_a_cluster(site: DatabaseAccess) -> None:
    """One session for one client is all that the lock needs: one node counts, the other stands by."""
    with pooled(site, "session", IGNORED) as login:
        locks = [ClusterLock(lambda: open_engine(login, 3.0), INSTANCE) for _ in range(2)]
        assert [lock.turn().role for lock in locks] == [Role.COUNTING, Role.STANDBY]
        assert locks[0].turn().role is Role.COUNTING
        for lock in locks:
            lock.release()
