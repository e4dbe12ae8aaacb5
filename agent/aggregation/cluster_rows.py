"""Third stage: which rows of an hour a cluster has once, so that a node keeps only its own where another one counts."""

from __future__ import annotations

from agent.catalog import Catalog, cluster_sources
from agent.model import HourlyAggregate


def without_cluster_rows(aggregates: list[HourlyAggregate], catalog: Catalog) -> list[HourlyAggregate]:
    """The rows of this node alone: what a cluster has once is taken out, metrics the catalog forgot included."""
    return [row for row in aggregates if not _is_cluster_row(row, catalog)]


def _is_cluster_row(row: HourlyAggregate, catalog: Catalog) -> bool:
    metric = catalog.metrics.get(row.series.metric)
    return row.series.source in cluster_sources() if metric is None else metric.cluster_wide
