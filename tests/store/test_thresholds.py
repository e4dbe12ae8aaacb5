"""Where guardrails stand, kept for `status`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.store import Store, open_store
from agent.store.meta import set_meta
from agent.store.thresholds import KEY, ThresholdStatus, put_threshold_statuses, threshold_statuses

HOUR = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
EPICS = ThresholdStatus("jira.guardrail.epics", "exceeding", 100_001, None, 100_000, "https://example.com", HOUR)
USERS = ThresholdStatus(
    "jira.guardrail.users", "approaching", 80_000, 75_000, 100_000, "https://example.com", HOUR, "estimate"
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "state")
    yield opened
    opened.close()


def put(store: Store, *found: ThresholdStatus) -> None:
    with store.transaction() as connection:
        put_threshold_statuses(store, connection, found)


def test_newest_hour_of_each_metric(store: Store) -> None:
    """A metric that this hour did not count keeps its last threshold status; the hour closed last wins.

    Hours are closed in the store's order, so it is the newest measured, though a clock was set back since.
    """
    put(store, EPICS, USERS)
    later = replace(EPICS, value=5, level="optimal", hour=HOUR + timedelta(hours=1))
    put(store, later)
    assert threshold_statuses(store) == [later, USERS]
    put(store, EPICS)
    assert threshold_statuses(store) == [EPICS, USERS]


def test_forgotten_after_three_days(store: Store) -> None:
    """What was not counted for long says nothing of today."""
    put(store, USERS)
    put(store, replace(EPICS, hour=HOUR + timedelta(days=3)))
    assert [item.metric for item in threshold_statuses(store)] == ["jira.guardrail.epics"]


def test_what_a_clock_far_ahead_left_is_forgotten(store: Store) -> None:
    """An hour closed under a clock 40 days ahead neither hides what is counted after it, nor outlives it by 40 days."""
    put(store, replace(EPICS, hour=HOUR + timedelta(days=40)), replace(USERS, hour=HOUR + timedelta(days=40)))
    put(store, EPICS)
    assert threshold_statuses(store) == [EPICS]


@pytest.mark.parametrize("text", ["{", "[1]", '[{"metric": "x"}]', "{}"])
def test_damage_is_nothing(store: Store, text: str) -> None:
    """Whatever stands there, status answers and the next hour mends it."""
    with store.transaction() as connection:
        set_meta(connection, KEY, text)
    assert threshold_statuses(store) == []
    put(store, EPICS)
    assert threshold_statuses(store) == [EPICS]
