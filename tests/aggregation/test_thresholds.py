"""Aggregates of an hour against the catalog's thresholds."""

from __future__ import annotations

import pytest

from agent.aggregation.thresholds import threshold_statuses_of
from agent.catalog import load_catalog
from agent.model import HourlyAggregate, Series, Value
from tests.support.ticks import HOUR, START


def row(metric: str, samples: int = 1, **figures: Value) -> HourlyAggregate:
    return HourlyAggregate(Series("guardrails", metric), HOUR, figures, samples, 30, {})


def test_levels_with_numbers_and_source() -> None:
    """The last figure decides; numbers and page come from the catalog; an estimate is named one."""
    rows = [
        row("jira.guardrail.users", last=100_001, method="estimate"),
        row("jira.guardrail.projects.active", last=5250),
        row("jira.guardrail.epics", last=100_000),
    ]
    found = {item.metric: item for item in threshold_statuses_of(rows, load_catalog("jira"))}
    assert {name: item.level for name, item in found.items()} == {
        "jira.guardrail.users": "exceeding",
        "jira.guardrail.projects.active": "approaching",
        "jira.guardrail.epics": "optimal",
    }
    users = found["jira.guardrail.users"]
    assert (users.value, users.warn, users.limit, users.method, users.hour) == (
        100_001,
        75_000,
        100_000,
        "estimate",
        START,
    )
    assert users.source.startswith("https://")


def test_what_has_no_threshold_status() -> None:
    """No threshold, no sample in this hour, no catalog entry, no number: nothing is said."""
    rows = [
        row("jira.guardrail.issues", last=10**9),
        row("jira.guardrail.users", samples=0),
        row("jira.guardrail.unknown", last=5),
        row("jira.guardrail.epics", last="many"),
    ]
    assert threshold_statuses_of(rows, load_catalog("jira")) == []


@pytest.mark.parametrize(
    ("own", "level", "limit"),
    [(None, "exceeding", 1000), (2000, "optimal", 2000), (500, "exceeding", 500), (1001, "optimal", 1001)],
)
def test_limit_of_the_site(own: int | None, level: str, limit: int) -> None:
    """Where an admin has set another number for the safeguard, the figure is compared with that."""
    rows = [row("jira.guardrail.comments.per_issue.max", last=1001)]
    rows += [] if own is None else [row("jira.safeguard.issue_comments.limit", last=own)]
    (found,) = threshold_statuses_of(rows, load_catalog("jira"))
    assert (found.level, found.limit) == (level, limit)


def test_limit_that_the_site_has_switched_off() -> None:
    """-1 means no safeguard: nothing is compared, in whatever order the two figures come."""
    rows = [
        row("jira.guardrail.comments.per_issue.max", last=1001),
        row("jira.safeguard.issue_comments.limit", last=-1),
    ]
    assert threshold_statuses_of(rows, load_catalog("jira")) == []
    assert threshold_statuses_of(rows[::-1], load_catalog("jira")) == []
