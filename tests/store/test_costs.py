"""Costs of queries and standings of guardrails across restarts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.store import Store, open_store
from agent.store.costs import KEY, QueryCost, load_costs, save_costs
from agent.store.meta import set_meta

NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
COST = QueryCost("comments", "jira.guardrail.comments", NOW, 12.25, 1320.0, "", 1, estimated=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "state")
    yield opened
    opened.close()


def test_nothing_at_first(store: Store) -> None:
    """A new store knows no costs."""
    assert load_costs(store) == []


def test_saved_and_loaded(store: Store, tmp_path: Path) -> None:
    """What was saved is there after a restart; saving replaces it."""
    other = replace(COST, query="links", began_at=NOW - timedelta(hours=3), timeouts=0, estimated=False)
    for costs in ([COST], [COST, other]):
        with store.transaction() as connection:
            save_costs(connection, costs)
    again = open_store(tmp_path / "state", read_only=True)
    assert load_costs(again) == [COST, other]
    again.close()


@pytest.mark.parametrize("text", ["{", "[1]", '[{"query": "x"}]', '[{"query":"x","label":"y","beganMs":1e30}]', "{}"])
def test_damage_is_learnt_again(store: Store, text: str) -> None:
    """Whatever stands there, the agent starts."""
    with store.transaction() as connection:
        set_meta(connection, KEY, text)
    assert load_costs(store) == []
