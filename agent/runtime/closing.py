"""What the daemon and the hourly child must agree on: when an hour may be closed, and whose rows it keeps.

In a cluster an hour waits for one tick more: only a tick after the hour's end can confirm that this node held the
cluster's lock at that end (the rule stands in `agent.store.cluster`).
"""

from __future__ import annotations

from agent.catalog import CLUSTER_SOURCES, Catalog, is_cluster_wide
from agent.model import HourlyAggregate
from agent.settings import Settings


def closes_after_s(settings: Settings, *, clustered: bool) -> float:
    """How many seconds after its end an hour is closed at the earliest."""
    one_tick_s = settings.sampling.interval_s + settings.sampling.deadline_s
    return settings.hour.close_after_s + (one_tick_s if clustered else 0.0)


def without_cluster_rows(aggregates: list[HourlyAggregate], catalog: Catalog) -> list[HourlyAggregate]:
    """The rows of this node alone: what a cluster has once is taken out, metrics the catalog forgot included."""
    return [row for row in aggregates if not _is_cluster_row(row, catalog)]


def _is_cluster_row(row: HourlyAggregate, catalog: Catalog) -> bool:
    metric = catalog.metrics.get(row.series.metric)
    return row.series.source in CLUSTER_SOURCES if metric is None else is_cluster_wide(metric)
