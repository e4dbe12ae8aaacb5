"""What `status` tells of guardrails, and that the daemon keeps what their queries cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.model import Outcome, Sample, Series, SourceReport, Tick
from agent.runtime.resident.daemon import CostKeeper
from agent.sources.governor import CostGovernor
from agent.store import Store, open_store
from agent.store.costs import QueryCost, load_costs, save_costs
from agent.store.thresholds import ThresholdStatus, put_threshold_statuses
from agent.store.ticks import TickWriter
from agent.views.status.guardrails import guardrail_rows, guardrails_against_thresholds, slow_queries
from tests.support.site import make_site
from tests.support.words import flat

NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
SOURCE = "https://example.com/guardrails"
USERS = ThresholdStatus("jira.guardrail.users", "approaching", 80_000, 75_000, 100_000, SOURCE, NOW)
COST = QueryCost("comments", "jira.guardrail.comments", NOW, 24.0, 2400.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "state")
    yield opened
    opened.close()


def test_worst_first_and_nothing_about_what_is_well(store: Store) -> None:
    """JSON has every threshold status, the text only what nears or passes its own, with numbers, hour and source."""
    epics = replace(
        USERS, metric="jira.guardrail.epics", level="exceeding", value=100_001, warn=None, method="estimate"
    )
    well = replace(USERS, metric="jira.guardrail.projects.active", level="optimal", value=3)
    with store.transaction() as connection:
        put_threshold_statuses(store, connection, [USERS, well, epics])
    found = guardrails_against_thresholds(store)
    assert [item.level for item in found] == ["exceeding", "approaching", "optimal"]
    assert guardrail_rows(found, ()) == [
        ("Guardrail", "jira.guardrail.epics exceeding: about 100,001, limit 100,000 (2026-11-22 19:00 UTC)"),
        ("", f"  source: {SOURCE}"),
        (
            "Guardrail",
            "jira.guardrail.users approaching: 80,000, warning at 75,000, limit 100,000 (2026-11-22 19:00 UTC)",
        ),
        ("", f"  source: {SOURCE}"),
    ]


def test_slow_counts_are_told(store: Store) -> None:
    """Which count runs less often than ticks, how often, what it took; not those of each tick, nor absent ones."""
    ended = replace(
        COST, query="b", label="jira.guardrail.b", took_s=30.0, every_s=86_400.0, timeouts=5, estimated=True
    )
    quick = replace(COST, query="c", every_s=120.0)
    gone = replace(COST, query="d", absent="not-present")
    with store.transaction() as connection:
        save_costs(connection, [COST, ended, quick, gone])
    found = slow_queries(store, 120.0)
    assert [item.query for item in found] == ["b", "comments"]
    assert [text for _, text in guardrail_rows((), found)] == [
        "jira.guardrail.b: every 24 h, last run was ended after 30 s; estimated where the database can",
        "jira.guardrail.comments: every 40 min, last run took 24 s",
    ]


def test_costs_are_written_when_it_matters(store: Store) -> None:
    """A changed decision is stored at once, the same one after an hour or before the agent stops."""
    governor = CostGovernor(tick_s=120)
    keeper = CostKeeper(store, governor)
    keeper.save_if_due(0.0, NOW)
    assert load_costs(store) == []
    governor.note("q", 0.0, 12.0)
    keeper.save_if_due(10.0, NOW)
    assert [cost.every_s for cost in load_costs(store)] == [1200]
    governor.note("q", 1200.0, 12.0)
    keeper.save_if_due(1300.0, NOW + timedelta(seconds=1300))
    first = load_costs(store)[0].began_at
    keeper.save_if_due(1310.0, NOW + timedelta(seconds=1310), stopping=True)
    assert load_costs(store)[0].began_at > first
    governor.note("q", 1310.0, 50.0)
    keeper.save_if_due(1320.0, NOW)
    assert load_costs(store)[0].estimated


def test_status_of_a_closed_hour(tmp_path: Path) -> None:
    """From a tick to the command line: the closed hour's figures stand against their thresholds, in text and JSON."""
    agent = make_site(tmp_path, mode="offline", hour="1h")
    taken_at = datetime.now(UTC) - timedelta(hours=2)
    store = open_store(agent.settings.agent.state_dir)
    users = Sample(Series("guardrails", "jira.guardrail.users"), 80_000)
    epics = Sample(Series("guardrails", "jira.guardrail.epics"), 100_001)
    report = SourceReport("guardrails", Outcome.OK, 2)
    TickWriter(store, 3600).append(Tick(taken_at, (users, epics), (report,)))
    with store.transaction() as connection:
        save_costs(connection, [COST])
    store.close()
    assert agent.run("deliver").code == 0
    answer = agent.json("status", code=1)
    assert [(item["metric"], item["level"], item["value"]) for item in answer["guardrails"]] == [
        ("jira.guardrail.epics", "exceeding", 100_001),
        ("jira.guardrail.users", "approaching", 80_000),
    ]
    assert answer["guardrails"][1]["source"].startswith("https://")
    assert [(item["metric"], item["everyS"]) for item in answer["slowQueries"]] == [("jira.guardrail.comments", 2400.0)]
    text = flat(agent.run("status").out)
    assert "jira.guardrail.users approaching: 80,000, warning at 75,000, limit 100,000" in text
    assert "jira.guardrail.comments: every 40 min, last run took 24 s" in text
