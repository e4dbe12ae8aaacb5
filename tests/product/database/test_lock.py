"""The cluster's lock on real servers: one holder, freed when it dies, and nothing left open meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from agent.errors import SourceError
from agent.model import Role
from agent.product.database.engine import open_engine
from agent.product.database.jdbc import DatabaseAddress
from agent.product.database.lock import ClusterLock, LockName
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, Secret
from tests.product.database.test_engine import silent_server
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres
from tests.support.stopwatch import Stopwatch

__all__ = ["mariadb", "postgres"]  # the fixtures

INSTANCE = "6f1c7e0a-5a4e-4b83-9a62-0c5a4a3b1d11"


@dataclass
class Server:
    """One database server: how to log in, whom it serves, and how an administrator ends our sessions."""

    login: DatabaseAccess
    end_sessions: Callable[[], object]

    def lock(self, instance: str = INSTANCE) -> ClusterLock:
        """One node's view of the lock."""
        return ClusterLock(lambda: open_engine(self.login, 5.0), instance, interval_s=60.0)


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Server:
    """Both servers, each with an account that may do nothing but log in."""
    if request.param == "postgresql":
        return _postgresql(request.getfixturevalue("postgres"))
    return _mariadb(request.getfixturevalue("mariadb"))


def _postgresql(postgres: PostgresServer) -> Server:
    name = postgres.create_database("lock")
    postgres.execute("postgres", f"CREATE ROLE {name} LOGIN PASSWORD 'word-1'")
    login = DatabaseAccess(
        DatabaseAddress(Dialect.POSTGRESQL, ((postgres.host, postgres.port),), name), name, Secret("word-1")
    )
    ending = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{name}'"
    return Server(login, lambda: postgres.execute("postgres", ending))


def _mariadb(mariadb: MariaDbServer) -> Server:
    name = f"lock_{uuid.uuid4().hex[:8]}"
    mariadb.execute(
        f"CREATE DATABASE {name}",
        f"CREATE USER '{name}'@'127.0.0.1' IDENTIFIED BY 'word-1'",
        f"GRANT SELECT ON {name}.* TO '{name}'@'127.0.0.1'",
    )
    address = DatabaseAddress(Dialect.MYSQL, ((mariadb.host, mariadb.port),), name)
    return Server(DatabaseAccess(address, name, Secret("word-1")), lambda: mariadb.execute(f"KILL USER '{name}'"))


@pytest.fixture
def nodes(server: Server) -> Iterator[list[ClusterLock]]:
    """Two nodes of one cluster."""
    locks = [server.lock(), server.lock()]
    yield locks
    for lock in locks:
        lock.release()


def until(role: Role, lock: ClusterLock) -> bool:
    """Ask until the answer is `role`: a server notices a closed socket a moment later."""
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        if lock.turn().role is role:
            return True
        time.sleep(0.05)  # what happens inside the server tells nobody
    return False


def test_one_holds_the_other_waits(nodes: list[ClusterLock]) -> None:
    """The first to ask counts and goes on counting under one session; the other stands by until it lets go."""
    first, second = nodes
    turn = first.turn()
    assert turn.role is Role.COUNTING
    assert second.turn().role is Role.STANDBY
    again = first.turn()
    assert (again.session, again.since_s) == (turn.session, turn.since_s)
    assert again.seen_s > turn.seen_s
    assert abs(again.ahead_s) < 5
    first.release()
    assert until(Role.COUNTING, second)
    assert first.turn().role is Role.STANDBY
    assert second.turn().session not in ("", turn.session)


def test_release_does_not_wait_for_a_silent_database() -> None:
    """A stop comes while another thread waits for the server: the release gives up, since the process ends anyway."""
    with silent_server(None) as port:
        login = DatabaseAccess(DatabaseAddress(Dialect.POSTGRESQL, (("127.0.0.1", port),), "jira"), "u", Secret("w"))
        engine_wanted = threading.Event()

        def engine() -> Engine:
            engine_wanted.set()
            return open_engine(login, 5.0)

        lock = ClusterLock(engine, INSTANCE)

        def ask() -> None:
            with pytest.raises(SourceError):
                lock.turn()

        asking = threading.Thread(target=ask)
        asking.start()
        assert engine_wanted.wait(10)
        watch = Stopwatch()
        lock.release()
        assert watch.elapsed_s < 2
        assert asking.is_alive(), "the server is still silent"
    asking.join(30)


def test_another_instance_has_another_lock(server: Server, nodes: list[ClusterLock]) -> None:
    """Two instances on one database server do not wait for each other."""
    other = server.lock("a-second-instance")
    assert nodes[0].turn().role is Role.COUNTING
    assert other.turn().role is Role.COUNTING
    other.release()


def test_a_lost_session_is_a_new_hold(server: Server, nodes: list[ClusterLock]) -> None:
    """When the server ends the holder's session, whoever asks next holds, and never under the old session."""
    first, second = nodes
    before = first.turn()
    server.end_sessions()
    after = first.turn()
    assert after.role is Role.COUNTING
    assert after.session != before.session
    assert after.since_s > before.seen_s
    server.end_sessions()
    assert until(Role.COUNTING, second)
    assert first.turn().role is Role.STANDBY


def test_a_killed_holder_frees_the_lock(server: Server, nodes: list[ClusterLock]) -> None:
    """SIGKILL of the process that holds it: another node gets the lock at its next try."""
    address = server.login.address
    program = (
        "import sys\n"
        "from tests.product.database.test_lock import DatabaseAccess, DatabaseAddress, Dialect, Secret, Server\n"
        f"address = DatabaseAddress(Dialect('{address.dialect}'), (('{address.host}', {address.port}),), "
        f"'{address.name}')\n"
        f"lock = Server(DatabaseAccess(address, '{server.login.user}', Secret('word-1')), print).lock()\n"
        "print(lock.turn().role, flush=True)\n"
        "sys.stdin.read()\n"
    )
    root = Path(__file__).parents[2]
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], cwd=root, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "counting"
        assert nodes[0].turn().role is Role.STANDBY
        holder.kill()
        holder.wait(10)
    assert until(Role.COUNTING, nodes[0])


def test_holding_leaves_nothing_open(postgres: PostgresServer) -> None:
    """The holder's session is idle in no transaction, keeps no snapshot, tells its name, and asks for keepalives."""
    server = _postgresql(postgres)
    lock = server.lock()
    assert lock.turn().role is Role.COUNTING
    lock.turn()
    rows = postgres.execute(
        "postgres",
        "SELECT state, backend_xmin, backend_xid, xact_start, application_name FROM pg_stat_activity "
        f"WHERE usename = '{server.login.user}'",
    )
    assert rows == [("idle", None, None, None, "portfolio-agent")]
    held = lock._held  # the one session there is: what it was told cannot be seen from another
    assert held is not None
    shown = [
        held[0].exec_driver_sql(f"show {name}").scalar()
        for name in ("tcp_keepalives_idle", "default_transaction_read_only")
    ]
    assert shown == ["20", "on"]
    lock.release()


def test_holding_leaves_nothing_open_on_mariadb(mariadb: MariaDbServer) -> None:
    """No InnoDB transaction belongs to the holder, and the server forgets a silent one after a tick and a half."""
    import pymysql

    server = _mariadb(mariadb)
    lock = server.lock()
    assert lock.turn().role is Role.COUNTING
    held = lock._held
    assert held is not None
    assert held[0].exec_driver_sql("select @@session.wait_timeout").scalar() == 100
    with pymysql.connect(unix_socket=str(mariadb.folder / "socket"), user="root") as root, root.cursor() as cursor:
        cursor.execute(
            "SELECT count(t.trx_id) FROM information_schema.processlist p LEFT JOIN information_schema.innodb_trx t "
            f"ON p.id = t.trx_mysql_thread_id WHERE p.user = '{server.login.user}' GROUP BY p.user"
        )
        assert cursor.fetchone() == (0,)
    lock.release()


def test_a_database_that_is_gone_is_an_error_not_a_turn() -> None:
    """Nobody answers: SourceError with its reason; no turn is made up."""
    address = DatabaseAddress(Dialect.POSTGRESQL, (("127.0.0.1", 1),), "none")
    lock = ClusterLock(lambda: open_engine(DatabaseAccess(address, "nobody", Secret("x")), 1.0), INSTANCE)
    with pytest.raises(SourceError) as caught:
        lock.turn()
    assert caught.value.reason == "refused"


def test_sqlite_counts_always(tmp_path: Path) -> None:
    """One file has one node; nothing is locked."""
    path = tmp_path / "jira.db"
    path.touch()
    login = DatabaseAccess(DatabaseAddress(Dialect.SQLITE, (), str(path)), "", None)
    locks = [ClusterLock(lambda: open_engine(login, 1.0), INSTANCE) for _ in range(2)]
    assert [lock.turn().role for lock in locks] == [Role.COUNTING, Role.COUNTING]
    assert os.stat(path).st_size == 0


def test_the_name_is_the_instances() -> None:
    """Every node of an instance makes the same name; databases take it: 64 bits, at most 64 characters."""
    assert LockName.of(INSTANCE) == LockName.of(INSTANCE) != LockName.of("other")
    name = LockName.of(INSTANCE)
    assert -(2**63) <= name.number < 2**63
    assert len(name.text) <= 64
    assert 0 <= name.values(60)["small"] < 2**30
