"""One connection at a time in the product's database, and what a source says that did not get in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from agent.errors import SourceError
from agent.model import ConsentLevel, Outcome
from agent.product.database.gate import Gate
from agent.sampling import Sampler
from agent.settings import DatabaseSettings, HostSettings, InstanceSettings, JmxSettings, ProductType, Settings
from agent.sources.registry import open_sources
from tests.support.homes import write_home
from tests.support.jira_database import fill_sqlite
from tests.support.listings import jira_postgres
from tests.support.postgres import PostgresServer, postgres
from tests.support.sources import catalog, sqlite_engine
from tests.support.ticks import START

__all__ = ["postgres"]  # the fixture
SESSIONS = "select count(*) from pg_stat_activity where application_name = 'portfolio-agent'"


def test_the_database_never_sees_two_of_our_sessions(tmp_path: Path, postgres: PostgresServer) -> None:
    """Counts, apps, flags, links and nodes are read in one tick; an onlooker never counts more than one session."""
    url = f"jdbc:postgresql://{postgres.host}:{postgres.port}/{jira_postgres(postgres)}"
    home = write_home(tmp_path, url=url, user=postgres.superuser, password=postgres.password)
    settings = Settings(
        InstanceSettings(ProductType.JIRA, home, home / "shared"),
        jmx=JmxSettings(enabled=False),
        host=HostSettings(enabled=False),
        database=DatabaseSettings(),
    )
    sampler = Sampler(open_sources(settings, catalog(), lambda: ConsentLevel.BASIC))
    done = threading.Event()
    counted: list[int] = []

    def look() -> None:
        with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
            while not done.is_set():
                counted.append(connection.execute(SESSIONS).fetchall()[0][0])

    onlooker = threading.Thread(target=look)
    onlooker.start()
    tick = sampler.take(START, 30)
    done.set()
    onlooker.join()
    sampler.close()
    read = {report.source for report in tick.reports if report.outcome is Outcome.OK and report.samples}
    assert {"guardrails", "apps", "flags", "links", "nodes"} <= read
    assert max(counted) == 1


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[], Engine]:
    """Opens engines on a file."""
    path = fill_sqlite(tmp_path / "jira.db")
    return lambda: sqlite_engine(path)


def test_who_does_not_get_in_says_so(opened: Callable[[], Engine]) -> None:
    """While one source is inside, another waits as long as it may and gives the reason; afterwards it gets in."""
    gate = Gate()
    with gate.connected(1, opened), pytest.raises(SourceError) as caught, gate.connected(0.05, opened):
        pass
    assert caught.value.reason == "deadline"
    with gate.connected(0.05, opened) as connection:
        assert connection.exec_driver_sql("select 1").scalar() == 1


def test_a_connection_goes_on_to_who_waits_and_is_closed_after_the_last(opened: Callable[[], Engine]) -> None:
    """Two sources of a tick log in once; when nobody waits, nothing stays open; the next tick logs in anew."""
    gate = Gate()
    inside, used = threading.Event(), []

    def second() -> None:
        inside.set()
        with gate.connected(30, opened) as connection:
            used.append((connection, connection.closed))

    with gate.connected(1, opened) as first:
        waiting = threading.Thread(target=second)
        waiting.start()
        assert inside.wait(10)
        ends = time.monotonic() + 10
        while not gate.waiting and time.monotonic() < ends:
            time.sleep(0.001)  # between the event and the queue there is nothing to wait on
    waiting.join(10)
    assert used == [(first, False)]
    assert first.closed
    with gate.connected(1, opened) as third:
        assert third is not first


def test_what_goes_wrong_inside_costs_the_connection_and_opens_the_gate(opened: Callable[[], Engine]) -> None:
    """The next source gets in, with a connection and an engine of its own."""
    gate = Gate()
    with pytest.raises(ZeroDivisionError), gate.connected(1, opened) as first:
        raise ZeroDivisionError
    assert first.closed
    with gate.connected(0.05, opened) as second:
        assert second.engine is not first.engine
