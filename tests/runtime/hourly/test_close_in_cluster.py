"""When an hour closes in a cluster, and what a node leaves to others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from agent.aggregation.cluster_rows import without_cluster_rows
from agent.model import ClusterTurn, Outcome, Role, Sample, Series, SourceReport, Tick, hour_of
from agent.runtime.hourly.close import close_hours
from agent.runtime.pipeline import open_pipeline
from agent.settings import HourSettings
from agent.settings.schedule import closes_after_s
from agent.store import open_store
from agent.store.hours import aggregates_of
from agent.store.losses import losses
from agent.store.ticks import TickWriter
from tests.support.clock import reckoned
from tests.support.site import HEAP, make_site
from tests.support.ticks import START

PROJECTS = Series("guardrails", "jira.guardrail.projects")
VERSION = Series("guardrails", "product.version")
GONE = Series("guardrails", "jira.guardrail.of_an_older_agent")
END = hour_of(START).end.timestamp()


def close(folder: Path, turn: ClusterTurn | None, *, clustered: bool = True) -> tuple[set[str], dict[str, int]]:
    """The metrics that one hour keeps after one tick under `turn`, and the losses that were counted."""
    agent = make_site(folder, mode="offline")
    samples = (Sample(HEAP, 5), Sample(PROJECTS, 12), Sample(VERSION, "9.12.4"), Sample(GONE, 1))
    reports = (SourceReport("jmx", Outcome.OK, 1), SourceReport("guardrails", Outcome.OK, 3))
    store = open_store(agent.settings.agent.state_dir)
    TickWriter(store, 3600).append(Tick(START, samples, reports, turn=turn))
    store.close()
    with open_pipeline(agent.settings) as opened:
        pipeline = replace(opened, clustered=clustered)
        (closed,) = close_hours(pipeline, reckoned(pipeline.store, START + timedelta(hours=2))).hours
        rows = aggregates_of(pipeline.store, closed.hour, closed.revision)
        lost = {loss.reason: loss.count for loss in losses(pipeline.store)}
    return {row.series.metric for row in rows}, lost


EVERYTHING = {series.metric for series in (HEAP, PROJECTS, VERSION, GONE)}


def test_a_node_alone_keeps_everything(tmp_path: Path) -> None:
    """Outside a cluster no turn is needed."""
    assert close(tmp_path, None, clustered=False) == (EVERYTHING, {})


def test_the_holder_at_the_end_keeps_everything(tmp_path: Path) -> None:
    """One unbroken hold over the hour's end."""
    assert close(tmp_path, ClusterTurn(Role.COUNTING, "s", END - 60, END + 1)) == (EVERYTHING, {})


def test_who_did_not_hold_at_the_end_keeps_its_own(tmp_path: Path) -> None:
    """The cluster's rows are dropped before they are stored, and counted; a metric the catalog forgot goes too."""
    kept, lost = close(tmp_path, ClusterTurn(Role.COUNTING, "s", END - 60, END - 1))
    assert kept == {HEAP.metric, VERSION.metric}
    assert lost == {"no-turn-at-hour-end": 2}


def test_a_loss_has_its_true_name(tmp_path: Path) -> None:
    """Another node is blamed only by one that stands by: who has the lock again, or cannot ask, knows of no other."""
    left = {
        Role.STANDBY: "counted-by-another-node",
        Role.COUNTING: "no-turn-at-hour-end",
        Role.UNKNOWN: "no-turn-at-hour-end",
    }
    for role, reason in left.items():
        assert close(tmp_path / role.value, ClusterTurn(role, "s", END + 2, END + 5))[1] == {reason: 2}


def test_a_node_that_never_had_the_turn_keeps_its_own(tmp_path: Path) -> None:
    """No turn was ever recorded: nothing cluster-wide is kept."""
    assert close(tmp_path, None)[0] == {HEAP.metric, VERSION.metric}


def test_a_cluster_waits_for_the_tick_after_the_end(tmp_path: Path) -> None:
    """An hour of a cluster closes one tick and its deadline later, so that a hold can be confirmed after the end."""
    settings = replace(make_site(tmp_path).settings, hour=HourSettings(3600, 60.0))
    sampling = settings.sampling
    assert closes_after_s(settings, clustered=False) == 60.0
    assert closes_after_s(settings, clustered=True) == 60.0 + sampling.interval_s + sampling.deadline_s


def test_without_rows_nothing_is_left_out() -> None:
    """An empty hour stays empty."""
    from tests.support.sources import catalog

    assert without_cluster_rows([], catalog()) == []
