"""Closed hours on disk: revisions, and what is removed when."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from agent.model import Hour, HourlyAggregate
from agent.store import Store, open_store
from agent.store.hours import (
    ClosedHour,
    aggregates_of,
    closed_hours,
    horizon,
    hour_before,
    put_hour,
    remove_hours,
    uncounted,
)
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


def hours_of(store: Store) -> list[tuple[int, int, int, bool, bool]]:
    """(hours after START, revision, ticks from first to last, vouched for, left) of each hour to be closed."""
    return [
        (
            (item.hour.start - START) // timedelta(hours=1),
            item.revision,
            item.last - item.first + 1,
            item.vouched,
            item.is_left,
        )
        for item in uncounted(store, 3600).hours
    ]


def test_late_tick_makes_the_next_revision(store: Store) -> None:
    """An hour is listed while it holds ticks that no revision counted, with the next revision's number."""
    writer = TickWriter(store, 3600)
    first = writer.append(tick(0, {HEAP: 1}))
    assert hours_of(store) == [(0, 0, 1, True, False)]
    close(store, 0, first)
    assert hours_of(store) == []
    late = writer.append(tick(58, {HEAP: 2}))
    assert hours_of(store) == [(0, 1, 1, True, False)]
    close(store, 1, late)
    assert [item.revision for item in closed_hours(store)] == [1]


def test_an_hour_is_one_unbroken_run_of_ticks(store: Store) -> None:
    """What a clock set back labels into an hour that is past belongs to no hour; what it had left goes on after it.

    In the store's order: an hour back in which the first hour is labelled once more, then the second goes on.
    """
    writer = TickWriter(store, 3600)
    numbers = [writer.append(tick(minute, {HEAP: 1})) for minute in (0, 58, 60, 90, 30, 58, 92, 118)]
    found = uncounted(store, 3600)
    assert [(item.first, item.last, item.is_left) for item in found.hours] == [
        (numbers[0], numbers[1], True),
        (numbers[2], numbers[7], False),
    ]
    assert found.set_back == (numbers[4], numbers[5])


def test_a_closed_hour_is_not_opened_again_once_another_was_closed(store: Store) -> None:
    """Nor after it was tidied away long ago: that it was closed is never forgotten."""
    writer = TickWriter(store, 3600)
    close(store, 0, writer.append(tick(0, {HEAP: 1})))
    later = Hour(HOUR.end)
    last = writer.append(tick(60, {HEAP: 1}))
    with store.transaction() as connection:
        put_hour(connection, ClosedHour(later, 0, later.end, last, 1), [])
        remove_hours(connection, 1)
    assert [item.hour for item in closed_hours(store)] == [later]
    back = writer.append(tick(30, {HEAP: 1}))
    assert uncounted(store, 3600).set_back == (back,)


def test_an_older_hour_that_never_was_is_closed_like_any_other(store: Store) -> None:
    """After a clock that was 40 days ahead is set right, the hours it passed over are new: they come in their order."""
    writer = TickWriter(store, 3600)
    for minute in (0, 40 * 1440, 2, 60):
        writer.append(tick(minute, {HEAP: 1}))
    # Two ticks of the first hour stand on both sides of the one that was ahead: the second is set back.
    assert [(first, left) for first, *_, left in hours_of(store)] == [(0, True), (960, True), (1, False)]
    assert uncounted(store, 3600).set_back == (3,)


def test_the_hour_before_is_the_one_measured_before(store: Store) -> None:
    """Found by the store's number, and only when it ends where this one starts."""
    for number in range(3):
        hour = Hour(START + timedelta(hours=number))
        with store.transaction() as connection:
            put_hour(connection, ClosedHour(hour, 0, hour.end, 10 * (number + 1), 1), [])
    before = hour_before(store, Hour(START + timedelta(hours=2)), 21)
    assert before is not None
    assert before.last_tick == 20
    assert hour_before(store, Hour(START + timedelta(hours=2)), 11) is None
    assert hour_before(store, Hour(START + timedelta(hours=9)), 31) is None


def test_how_old_an_hour_is_is_told_by_the_hours_closed_since(store: Store) -> None:
    """The horizon is the last tick of the newest hour that may go; while fewer were closed, none may."""
    with store.transaction() as connection:
        assert horizon(connection, 0) == -1
        for number in range(6):
            hour = Hour(START - timedelta(days=number))  # by their labels the newest is the oldest
            put_hour(connection, ClosedHour(hour, 0, hour.end, 10 * (number + 1), 1), [])
        assert [horizon(connection, kept) for kept in (0, 4, 6)] == [60, 20, -1]


def test_hour_with_a_waiting_batch_is_kept(store: Store) -> None:
    """The aggregates behind a batch that still waits are needed when consent is lowered."""
    close(store, 0, 1)
    store.connection.execute(
        """INSERT INTO batch (id, hour_s, length_s, revision, part, state, level, field_list_version, sha256,
             size_bytes, entries, body, sealed_ms)
           VALUES ('b', ?, 3600, 0, '0', 'waiting', 'basic', 'v', '', 1, 1, x'00', 0)""",
        (int(START.timestamp()),),
    )
    with store.transaction() as connection:
        assert remove_hours(connection, 1) == 0
        connection.execute("UPDATE batch SET state = 'acknowledged'")
        assert remove_hours(connection, 0) == 0
        assert remove_hours(connection, 1) == 1
