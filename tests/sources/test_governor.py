"""The cost governor: shares of time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.sources.governor import CostGovernor


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
