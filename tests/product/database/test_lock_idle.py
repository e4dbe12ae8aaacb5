"""The cluster's lock where something ends idle sessions sooner than a tick: a real HAProxy, a server's own limits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent.errors import SourceError
from agent.model import ClusterTurn
from agent.product.database.engine import open_engine
from agent.product.database.jdbc import DatabaseAddress
from agent.product.database.lock import ClusterLock
from agent.product.database.lock_beat import NAME, LockBeat
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, Secret
from tests.support.between import haproxy
from tests.support.cloud import wait_until
from tests.support.postgres import PostgresServer, postgres

__all__ = ["postgres"]  # the fixture

INSTANCE = "6f1c7e0a-5a4e-4b83-9a62-0c5a4a3b1d11"


@pytest.fixture
def account(postgres: PostgresServer) -> str:
    """A database and its account."""
    name = postgres.create_database("idle")
    postgres.execute("postgres", f"CREATE ROLE {name} LOGIN PASSWORD 'word-1'")
    return name


@contextmanager
def lock_at(port: int, account: str, interval_s: float, shortest_s: float = 0.1) -> Iterator[ClusterLock]:
    """One node whose database is at `port`."""
    login = DatabaseAccess(
        DatabaseAddress(Dialect.POSTGRESQL, (("127.0.0.1", port),), account), account, Secret("word-1")
    )
    lock = ClusterLock(lambda: open_engine(login, 3.0), INSTANCE, interval_s=interval_s, shortest_beat_s=shortest_s)
    try:
        yield lock
    finally:
        lock.release()


def sessions(postgres: PostgresServer, account: str) -> int:
    """How many the server has for this account."""
    ((count,),) = postgres.execute("postgres", f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{account}'")
    return int(str(count))


def beats() -> list[threading.Thread]:
    """The threads that keep a session in use."""
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def test_a_session_outlives_an_idle_limit_shorter_than_a_tick(postgres: PostgresServer, account: str) -> None:
    """After a few lost sessions the holder has learnt how often its session must be used, and keeps one hold."""
    with haproxy(postgres.port, "1s") as port, lock_at(port, account, 4.0) as lock:
        began: list[ClusterTurn] = []
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            began.append(lock.turn())
            if began[-1].seen_s - began[-1].since_s > 3.0:
                break
            time.sleep(2.0)  # a tick: twice the limit
        assert began[-1].seen_s - began[-1].since_s > 3.0, "no hold outlived the limit"
        assert len({turn.session for turn in began}) > 1, "the limit ended no session: nothing was shown"


def test_where_nothing_ends_sessions_nothing_is_asked(postgres: PostgresServer, account: str) -> None:
    """A session that is found again costs no thread and no question between the ticks."""
    with lock_at(postgres.port, account, 4.0) as lock:
        first = lock.turn()
        assert lock.turn().session == first.session
        assert beats() == []


def test_the_servers_own_idle_limit_does_not_end_the_holder(postgres: PostgresServer, account: str) -> None:
    """idle_session_timeout of PostgreSQL is switched off for the one session that has to be idle."""
    postgres.execute("postgres", f"ALTER ROLE {account} SET idle_session_timeout = '100ms'")
    with lock_at(postgres.port, account, 60.0) as lock:
        first = lock.turn()
        time.sleep(0.5)  # five times the limit
        assert lock.turn().session == first.session


def test_a_limit_that_cannot_be_met_is_named(postgres: PostgresServer, account: str) -> None:
    """Lost again and again although it is used as often as may be: an error that names the limit and the settings."""
    with haproxy(postgres.port, "200ms") as port, lock_at(port, account, 2.0, shortest_s=1.0) as lock:

        def error_of_a_tick() -> SourceError | None:
            try:
                lock.turn()
            except SourceError as error:
                return error
            wait_until(lambda: sessions(postgres, account) == 0)
            return None

        error = next(found for _ in range(10) if (found := error_of_a_tick()) is not None)
        assert error.reason == "connection-lost"
        assert "timeout client" in error.do
        assert "1 s" in error.why


def test_a_release_ends_the_beat(postgres: PostgresServer, account: str) -> None:
    """Nothing goes on asking for a node that has let go."""
    with lock_at(postgres.port, account, 2.0) as lock:
        lock.turn()
        postgres.execute(
            "postgres", f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{account}'"
        )
        lock.turn()
        assert len(beats()) == 1
        lock.release()
        wait_until(lambda: beats() == [])


def test_each_loss_halves_the_wait_down_to_the_shortest() -> None:
    """120 s, never used between; then 60, 30, 15, 7.5, 5 and no less."""
    beat = LockBeat(120.0, 5.0, lambda: None)
    assert (beat.every_s, beat.exhausted) == (None, False)
    seen = []
    for _ in range(6):
        beat.shorten()
        seen.append(beat.every_s)
    assert seen == [60.0, 30.0, 15.0, 7.5, 5.0, 5.0]
    assert beat.exhausted
