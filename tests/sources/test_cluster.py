"""A source behind the turn: whole on the counting node, its own part elsewhere, nothing while nobody can tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.catalog import cluster_sources
from agent.errors import SourceError
from agent.model import ClusterTurn, ConsentLevel, Outcome, Role, Source
from agent.sampling import Sampler
from agent.settings import (
    DatabaseLogin,
    DatabaseSettings,
    Dialect,
    HostSettings,
    InstanceSettings,
    JmxSettings,
    ProductType,
    Settings,
)
from agent.sources.cluster import OncePerCluster, each_node
from agent.sources.governor import governor_of
from agent.sources.registry import open_cluster_sources
from tests.support.jira_database import fill_sqlite
from tests.support.sources import catalog, guardrails_source
from tests.support.ticks import START

WIDE = {metric.name for metric in catalog().of_source("guardrails") if metric.cluster_wide}
OWN = {metric.name for metric in catalog().of_source("guardrails")} - WIDE


def settings(folder: Path) -> Settings:
    """Guardrails alone, from a SQLite file."""
    database = DatabaseSettings(
        login=DatabaseLogin.OWN, dialect=Dialect.SQLITE, name=str(fill_sqlite(folder / "jira.db"))
    )
    return Settings(
        InstanceSettings(ProductType.JIRA, folder, folder),
        jmx=JmxSettings(enabled=False),
        host=HostSettings(enabled=False),
        database=database,
    )


def source(folder: Path, turn: ClusterTurn | None) -> Source:
    return opened(folder, lambda: turn)["guardrails"]


def opened(folder: Path, turn: Callable[[], ClusterTurn | None]) -> dict[str, Source]:
    """Every source of that database, by name."""
    given = settings(folder)
    sources = open_cluster_sources(given, catalog(), lambda: ConsentLevel.BASIC, governor_of(given, catalog()), turn)
    return {source.name: source for source in sources if source.name in cluster_sources()}


def test_there_is_something_of_each_kind() -> None:
    """Counts are the cluster's, the product's version is each node's."""
    assert "jira.guardrail.projects" in WIDE
    assert "product.version" in OWN


@pytest.mark.parametrize("turn", [None, ClusterTurn(Role.COUNTING, "s")])
def test_the_counting_node_reads_all(tmp_path: Path, turn: ClusterTurn | None) -> None:
    """Outside a cluster and on this node's turn nothing is left out."""
    reading = source(tmp_path, turn).read(30)
    assert {sample.series.metric for sample in reading.samples} == WIDE | OWN
    assert reading.failures == ()


def test_a_standby_reads_its_own_part(tmp_path: Path) -> None:
    """Every cluster-wide metric is missing with "other-node"; the source is well."""
    sampler = Sampler([source(tmp_path, ClusterTurn(Role.STANDBY))])
    tick = sampler.take(START, 30)
    sampler.close()
    assert {sample.series.metric for sample in tick.samples} == OWN
    (report,) = tick.reports
    assert report.outcome is Outcome.OK
    assert {(failure.metric, failure.reason) for failure in report.failures} == {(name, "other-node") for name in WIDE}


def test_a_standby_without_an_own_part_is_not_due(tmp_path: Path) -> None:
    """Nothing is expected from this node: the outcome is not-due."""
    whole = guardrails_source(fill_sqlite(tmp_path / "jira.db"))
    metrics = [metric for metric in catalog().of_source("guardrails") if metric.cluster_wide]
    sampler = Sampler([OncePerCluster(whole, None, metrics, lambda: ClusterTurn(Role.STANDBY))])
    tick = sampler.take(START, 30)
    sampler.close()
    assert (tick.samples, tick.reports[0].outcome) == ((), Outcome.NOT_DUE)


def test_nothing_is_read_while_nobody_can_tell(tmp_path: Path) -> None:
    """The lock cannot be asked: the source fails with that reason, rather than risk a second count."""

    def unknown() -> ClusterTurn | None:
        raise SourceError("refused", "The database does not accept connections.")

    for found in opened(tmp_path, unknown).values():
        with pytest.raises(SourceError) as caught:
            found.read(30)
        assert caught.value.reason == "refused"


def test_lists_are_read_by_the_counting_node_only(tmp_path: Path) -> None:
    """Apps, flags, links and nodes are the cluster's: all of them on one node, nothing on the others."""
    role = Role.STANDBY
    sources = opened(tmp_path, lambda: ClusterTurn(role, "s"))
    # The licence's text is not for an account of the agent's own.
    assert sources.keys() == cluster_sources() - {"licence"}
    lists = [sources[name] for name in sorted(sources.keys() - {"guardrails"})]
    assert all(not found.read(30).samples for found in lists)
    assert {failure.reason for found in lists for failure in found.read(30).failures} == {"other-node"}
    role = Role.COUNTING
    assert all(found.read(30).samples for found in lists)


def test_the_own_part_holds_nothing_of_the_clusters() -> None:
    """The limited catalog has every other metric, and none where a source has no own part."""
    own = each_node(catalog(), "guardrails")
    assert own is not None
    assert {metric.name for metric in own.of_source("guardrails")} == OWN
    assert own.of_source("jmx") == catalog().of_source("jmx")
    assert each_node(catalog(), "nowhere") is None
