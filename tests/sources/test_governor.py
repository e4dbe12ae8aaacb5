"""The cost governor: shares of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.sources.governor import DAY_S, CostGovernor

NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)


def test_first_run_is_always_due() -> None:
    """Nothing is known before the first run."""
    assert CostGovernor().wait_s("q", 5.0) == 0


@settings(deadline=None)  # a loaded machine is no fault
@given(st.floats(0.001, 60), st.floats(0, 10_000))
def test_share_stays_below_one_percent(took_s: float, later_s: float) -> None:
    """Whenever a query is due, its last run was at most 1 % of the time since it began."""
    governor = CostGovernor()
    governor.note("q", 0.0, took_s)
    if governor.wait_s("q", later_s) == 0:
        assert took_s <= 0.01 * later_s * (1 + 1e-9)


def test_cheap_query_is_due_each_tick() -> None:
    """A second in two minutes is within the budget."""
    governor = CostGovernor()
    governor.note("q", 0.0, 1.1)
    assert governor.wait_s("q", 120.0) == 0
    assert governor.wait_s("q", 60.0) > 0


def test_absent_table_is_asked_for_once_an_hour() -> None:
    """A query without its table is cheap but leaves an error in the database's log."""
    governor = CostGovernor()
    governor.note("q", 0.0, 0.001, "not-present")
    assert governor.wait_s("q", 3599.0) > 0
    assert governor.wait_s("q", 3600.0) == 0


@pytest.mark.parametrize(
    ("took_s", "every_s"), [(0.01, 120), (1.2, 120), (1.3, 240), (12.0, 1200), (24.0, 2400), (3600.0, 360_000)]
)
def test_how_often_in_whole_ticks(took_s: float, every_s: float) -> None:
    """What one per cent allows, rounded up to ticks; never more often than ticks."""
    governor = CostGovernor(tick_s=120)
    governor.note("q", 0.0, took_s)
    assert governor.every_s("q") == every_s


def test_largest_class_runs_once_a_day() -> None:
    """However fast it was: XL joins the two largest tables."""
    governor = CostGovernor(costs={"q": "XL", "other": "L"})
    for name in ("q", "other"):
        governor.note(name, 0.0, 0.1)
    assert governor.wait_s("other", 60.0) == 0
    assert governor.wait_s("q", DAY_S - 1) > 0
    assert governor.wait_s("q", DAY_S) == 0


def test_runs_in_vain_are_tried_less_and_less() -> None:
    """Each further timeout doubles the wait, up to a day; a success forgets them."""
    governor = CostGovernor()
    waits = []
    for _ in range(9):
        governor.note("q", 0.0, 30.0, timed_out=True)
        waits.append(governor.wait_s("q", 0.0))
    assert waits[:3] == [3000, 6000, 12_000]
    assert waits[-1] == DAY_S
    governor.note("q", 0.0, 30.0)
    assert governor.wait_s("q", 0.0) == 3000


def test_when_an_estimate_stands_in() -> None:
    """After a timeout, and where the budget allows less than one run an hour; never for what is absent."""
    governor = CostGovernor()
    assert not governor.estimated("q")
    governor.note("q", 0.0, 35.0)
    assert not governor.estimated("q")
    governor.note("q", 0.0, 37.0)
    assert governor.estimated("q")
    governor.note("q", 0.0, 1.0, timed_out=True)
    assert governor.estimated("q")
    governor.note("q", 0.0, 60.0, "not-present")
    assert not governor.estimated("q")


def test_costs_outlive_a_restart() -> None:
    """Monotonic seconds mean nothing to the next process: instants carry them over, timeouts included."""
    old = CostGovernor(tick_s=120, costs={"big": "XL"}, labels={"slow": "jira.guardrail.slow"})
    old.note("slow", 500.0, 12.0)
    old.note("big", 900.0, 1.0)
    old.note("vain", 990.0, 30.0, timed_out=True)
    old.note("gone", 990.0, 0.1, "not-present")
    costs = old.remember(1000.0, NOW)
    assert [(cost.query, cost.label, cost.every_s) for cost in costs if cost.query == "slow"] == [
        ("slow", "jira.guardrail.slow", 1200)
    ]
    new = CostGovernor(tick_s=120, costs={"big": "XL"})
    new.recall(costs, 5.0, NOW + timedelta(seconds=100))
    assert new.wait_s("slow", 5.0) == pytest.approx(1200 - 600)
    assert new.wait_s("big", 5.0) == pytest.approx(DAY_S - 200)
    assert new.wait_s("vain", 5.0) == pytest.approx(3000 - 110)
    assert new.estimated("vain")
    assert new.wait_s("gone", 5.0) == 0


def test_a_clock_that_was_set_back_does_not_stop_counting() -> None:
    """A run that seems to begin in the future began now: the wait is never longer than the budget asks."""
    old = CostGovernor()
    old.note("slow", 0.0, 12.0)
    new = CostGovernor()
    new.recall(old.remember(0.0, NOW), 50.0, NOW - timedelta(days=400))
    assert new.wait_s("slow", 50.0) == pytest.approx(1200)


def test_a_lost_run_waits_for_its_cost_only() -> None:
    """Until its reading is accepted nothing was read: no day for XL, no hour for an absent table, only its share."""
    governor = CostGovernor(tick_s=120, costs={"big": "XL"})
    governor.note("big", 0.0, 12.0, accepted=False)
    assert governor.wait_s("big", 0.0) == 1200
    governor.accept(["big", "never ran"])
    assert governor.wait_s("big", 0.0) == DAY_S
    governor.note("gone", 0.0, 0.1, "not-present", accepted=False)
    assert governor.wait_s("gone", 0.0) == 0
    governor.accept(["gone"])
    assert governor.wait_s("gone", 0.0) == 3600


def test_runs_that_are_lost_again_and_again_are_tried_less_and_less() -> None:
    """As those that are ended: doubled up to a day. What fits into each tick is not the cause and is due at once."""
    governor = CostGovernor(tick_s=120)
    waits = []
    for _ in range(9):
        governor.note("slow", 0.0, 30.0, accepted=False)
        governor.note("quick", 0.0, 1.0, accepted=False)
        waits.append(governor.wait_s("slow", 0.0))
        assert governor.wait_s("quick", 0.0) == 0
    assert waits[:3] == [3000, 6000, 12_000]
    assert waits[-1] == DAY_S
    governor.accept(["slow"])
    assert governor.wait_s("slow", 0.0) == 3000


def test_lost_runs_outlive_a_restart() -> None:
    """The next process does not run them at once, and does not take them for read."""
    old = CostGovernor(tick_s=120, costs={"big": "XL"})
    for _ in range(2):
        old.note("big", 0.0, 12.0, accepted=False)
    new = CostGovernor(tick_s=120, costs={"big": "XL"})
    new.recall(old.remember(0.0, NOW), 5.0, NOW)
    assert new.wait_s("big", 5.0) == 2400


def test_what_is_bounded_otherwise_is_forgotten() -> None:
    """A list that was accepted is good for its hour, whatever it cost before."""
    governor = CostGovernor()
    governor.note("list", 0.0, 30.0, accepted=False)
    governor.forget(["list", "never ran"])
    assert governor.wait_s("list", 0.0) == 0


def test_a_run_that_was_ended_is_no_lost_one() -> None:
    """It gave nothing, accepted or not: that it takes too long counts at once, for XL with the day of its class."""
    governor = CostGovernor(tick_s=120, costs={"big": "XL"})
    governor.note("big", 0.0, 0.1, timed_out=True, accepted=False)
    assert governor.wait_s("big", 0.0) == DAY_S
    assert governor.estimated("big")
