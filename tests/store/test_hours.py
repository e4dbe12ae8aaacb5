"""Closed hours on disk: revisions, and what is removed when."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from agent.model import HourlyAggregate
from agent.store import Store, open_store
from agent.store.hours import ClosedHour, aggregates_of, closed_hours, hours_with_new_ticks, put_hour, remove_hours
from agent.store.ticks import TickWriter
from tests.support.ticks import HEAP, HOUR, START, tick

ROW = HourlyAggregate(HEAP, HOUR, {"min": 1, "mean": 1.5, "delta": None}, 29, 30, {"timeout": 1})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "state")


def close(store: Store, revision: int, last_tick: int) -> None:
    with store.transaction() as connection:
        put_hour(connection, ClosedHour(HOUR, revision, HOUR.end, last_tick, 1), [ROW])


def test_aggregates_come_back_as_they_went_in(store: Store) -> None:
    """Tags, figures, missing figures and reasons survive unchanged."""
    close(store, 0, 1)
    assert aggregates_of(store, HOUR, 0) == [ROW]
    assert aggregates_of(store, HOUR, 7) == []


def test_late_tick_makes_the_next_revision(store: Store) -> None:
    """An hour is listed while it holds ticks that no revision counted, with the next revision's number."""
    writer = TickWriter(store, 3600)
    first = writer.append(tick(0, {HEAP: 1}))
    assert hours_with_new_ticks(store, 3600) == [(HOUR, 0)]
    close(store, 0, first)
    assert hours_with_new_ticks(store, 3600) == []
    late = writer.append(tick(58, {HEAP: 2}))
    assert hours_with_new_ticks(store, 3600) == [(HOUR, 1)]
    close(store, 1, late)
    assert [item.revision for item in closed_hours(store)] == [1]


def test_hour_with_a_waiting_batch_is_kept(store: Store) -> None:
    """The aggregates behind a batch that still waits are needed when consent is lowered."""
    close(store, 0, 1)
    store.connection.execute(
        """INSERT INTO batch (id, hour_s, length_s, revision, part, state, level, field_list_version, sha256,
             size_bytes, entries, body, sealed_ms)
           VALUES ('b', ?, 3600, 0, '0', 'waiting', 'basic', 'v', '', 1, 1, x'00', 0)""",
        (int(START.timestamp()),),
    )
    later = START + timedelta(days=30)
    with store.transaction() as connection:
        assert remove_hours(connection, later) == 0
        connection.execute("UPDATE batch SET state = 'acknowledged'")
        assert remove_hours(connection, later) == 1
