"""Marks of consents: since which tick each holds on this node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.model import Consent, ConsentLevel, Moment, Tick
from agent.store import Store, open_store
from agent.store.consents import KEPT, KEY, consent_marks, mark_of, note_given, note_seen
from agent.store.meta import set_meta
from agent.store.ticks import TickWriter, remove_lost

NINE = datetime(2026, 11, 22, 9, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    made = open_store(tmp_path / "state")
    yield made
    made.close()


def moment(seconds: float, boot: str = "boot-1") -> Moment:
    """So many seconds after nine and after a boot."""
    return Moment(NINE + timedelta(seconds=seconds), seconds, boot)


def tick(number: int, seconds: float, boot: str = "boot-1") -> Tick:
    """A stored tick."""
    return Tick(NINE, (), (), number=number, moment=moment(seconds, boot))


def append(store: Store, seconds: float) -> int:
    """Store an empty tick."""
    return TickWriter(store, 3600).append(Tick(NINE, (), (), moment=moment(seconds)))


def test_a_tick_in_the_making_is_from_before_consent(store: Store) -> None:
    """What was begun before consent was given and stored after it does not count, whatever its number."""
    last = append(store, 10)
    note_given(store, NINE, moment(15))
    mark = consent_marks(store)[int(NINE.timestamp() * 1000)]
    assert mark.tick == last
    assert not mark.is_before(tick(last, 20))
    assert not mark.is_before(tick(last + 1, 14))
    assert mark.is_before(tick(last + 1, 16))
    assert mark.is_before(tick(last + 1, 14, boot="boot-2"))
    assert mark.is_before(replace(tick(last + 1, 14), moment=None))


def test_the_number_is_the_last_that_was_given(store: Store) -> None:
    """Ticks that were deleted since do not lower it: a number is never given twice."""
    last = append(store, 10)
    with store.transaction() as connection:
        remove_lost(connection, [last], "test", NINE)
    note_given(store, NINE, moment(15))
    assert consent_marks(store)[int(NINE.timestamp() * 1000)].tick == last


def test_a_known_mark_stays_and_the_oldest_go(store: Store) -> None:
    """Noted again it is the same; more than a stretch can name are not kept."""
    note_given(store, NINE, moment(1))
    append(store, 10)
    note_given(store, NINE, moment(20))
    assert [mark.tick for mark in consent_marks(store).values()] == [0]
    for number in range(KEPT):
        note_given(store, NINE + timedelta(seconds=number + 1), moment(30))
    assert len(consent_marks(store)) == KEPT
    assert int(NINE.timestamp() * 1000) not in consent_marks(store)


def test_only_what_lies_ahead_is_noted_when_seen(store: Store) -> None:
    """Another node's consent goes by its instant; one that lies ahead holds since this node saw it."""
    last = append(store, 10)
    past, ahead = (Consent(ConsentLevel.BASIC, "f", NINE + days * DAY) for days in (-1, 40))
    note_seen(store, [past, ahead, Consent(ConsentLevel.BASIC, "f")], NINE, moment(15))
    append(store, 20)
    note_seen(store, [past, ahead], NINE, moment(25))
    marks = consent_marks(store)
    assert mark_of(marks, past) is None
    found = mark_of(marks, ahead)
    assert found is not None
    assert found.tick == last


@pytest.mark.parametrize("text", ["{", "[1]", "[[1, 2]]", "7", "null"])
def test_marks_that_cannot_be_read_are_none(store: Store, text: str) -> None:
    """Then the instants hold."""
    with store.transaction() as connection:
        set_meta(connection, KEY, text)
    assert consent_marks(store) == {}
