"""Closing hours: once and whole, late ticks as a numbered revision; never before consent or under a wrong clock."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.errors import AlreadyRunning, StoreError
from agent.model import Consent, ConsentLevel
from agent.runtime.hourly.close import close_hours
from agent.runtime.hourly.lock import run_lock
from agent.runtime.hourly.report import Closed
from agent.runtime.pipeline import open_pipeline
from agent.store import open_store
from agent.store.losses import losses
from tests.support.clock import reckoned
from tests.support.site import Agent, make_site

NINE = datetime(2026, 11, 22, 9, tzinfo=UTC)
CLOSES = NINE + timedelta(hours=1)


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """An offline agent with hours of one hour that close at once: Basic holds without a link."""
    return make_site(tmp_path, mode="offline")


def close(agent: Agent, now: datetime) -> Closed:
    """Close what is over at `now`."""
    with open_pipeline(agent.settings) as pipeline:
        return close_hours(pipeline, reckoned(pipeline.store, now))


def rows(agent: Agent, sql: str) -> list[tuple[object, ...]]:
    """Rows of the store."""
    store = open_store(agent.settings.agent.state_dir, read_only=True)
    try:
        return [tuple(row) for row in store.execute(sql)]
    finally:
        store.close()


def test_hour_is_closed_once_and_only_when_it_is_over(agent: Agent) -> None:
    """An hour closes after its end, once; a second run finds nothing to do."""
    agent.tick(at=NINE)
    assert close(agent, CLOSES - timedelta(seconds=1)).hours == []
    first = close(agent, CLOSES)
    assert [(item.hour.start, item.revision, item.ticks) for item in first.hours] == [(NINE, 0, 1)]
    assert first.batches == 1
    again = close(agent, CLOSES + timedelta(minutes=5))
    assert (again.hours, again.batches) == ([], 0)


def test_late_tick_makes_a_revision_with_its_own_batch(agent: Agent) -> None:
    """A tick that is stored late corrects its hour as revision 1, under an id of its own."""
    agent.tick(1000, at=NINE)
    close(agent, CLOSES)
    agent.tick(9000, at=NINE + timedelta(minutes=30))
    again = close(agent, CLOSES + timedelta(minutes=30))
    assert [(item.revision, item.ticks) for item in again.hours] == [(1, 2)]
    assert again.batches == 1
    batches = rows(agent, "SELECT hour_s, revision, state FROM batch ORDER BY revision")
    assert [row[1:] for row in batches] == [(0, "waiting"), (1, "waiting")]
    assert len(rows(agent, "SELECT DISTINCT id FROM batch")) == 2


def test_too_late_tick_is_a_counted_loss(agent: Agent) -> None:
    """More than two hours late the hour stands; the tick is dropped, and counted where status shows it."""
    agent.tick(at=NINE)
    close(agent, CLOSES)
    agent.tick(at=NINE + timedelta(minutes=30))
    assert close(agent, CLOSES + timedelta(hours=2, seconds=1)).hours == []
    store = open_store(agent.settings.agent.state_dir, read_only=True)
    assert [(loss.reason, loss.count) for loss in losses(store)] == [("tick-too-late", 1)]
    store.close()
    assert rows(agent, "SELECT count(*) FROM tick") == [(1,)]


def test_an_hour_that_was_never_closed_is_not_too_late(agent: Agent) -> None:
    """After days without a run (agent off, shared home away) a first closing loses nothing."""
    agent.tick(at=NINE)
    assert len(close(agent, CLOSES + timedelta(days=3)).hours) == 1


@pytest.mark.fault(36)
def test_clock_before_its_time_closes_nothing(agent: Agent) -> None:
    """A host clock that is not set yet closes no hour."""
    agent.tick(at=datetime(1970, 1, 1, 5, tzinfo=UTC))
    assert close(agent, datetime(1970, 1, 2, tzinfo=UTC)).hours == []
    assert rows(agent, "SELECT count(*) FROM hour") == [(0,)]


def test_nothing_is_sealed_without_a_link(tmp_path: Path) -> None:
    """In linked mode without a link hours are closed, and no batch is made of them."""
    agent = make_site(tmp_path)
    agent.tick(at=NINE)
    done = close(agent, CLOSES)
    assert (len(done.hours), done.batches) == (1, 0)
    assert rows(agent, "SELECT count(*) FROM batch") == [(0,)]


def test_what_was_measured_before_consent_is_not_sealed(agent: Agent) -> None:
    """Consent covers what was measured since it was given, never an hour before it."""
    agent.tick(at=NINE)
    agent.tick(at=NINE + timedelta(hours=1))
    agent.tick(at=NINE + timedelta(hours=1, minutes=12))
    given = Consent(ConsentLevel.BASIC, "test", NINE + timedelta(hours=1, minutes=10))
    with open_pipeline(agent.settings) as pipeline:
        object.__setattr__(pipeline, "consent", given)
        done = close_hours(pipeline, reckoned(pipeline.store, CLOSES + timedelta(hours=1)))
    assert (len(done.hours), done.batches) == (2, 1)
    assert rows(agent, "SELECT hour_s FROM batch") == [(int((NINE + timedelta(hours=1)).timestamp()),)]


@pytest.mark.fault(2)
def test_hour_and_batches_are_one_transaction(agent: Agent) -> None:
    """When the batch cannot be stored the hour stays open too, and the next run makes both."""
    agent.tick(at=NINE)
    file = agent.settings.agent.state_dir / "agent.sqlite3"
    trigger = "CREATE TRIGGER refuse BEFORE INSERT ON batch BEGIN SELECT RAISE(ABORT, 'no'); END"
    with sqlite3.connect(file) as connection:
        connection.execute(trigger)
    connection.close()
    with pytest.raises(StoreError):
        close(agent, CLOSES)
    assert rows(agent, "SELECT count(*) FROM hour") == [(0,)]
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TRIGGER refuse")
    connection.close()
    assert close(agent, CLOSES).batches == 1


def test_two_runs_never_work_at_once(tmp_path: Path) -> None:
    """The second run on a state folder says that one is at work."""
    with run_lock(tmp_path), pytest.raises(AlreadyRunning, match="at work"), run_lock(tmp_path):
        pass
    with run_lock(tmp_path):
        pass
