"""Guardrails against their published thresholds: what `status` and the report say about the product, not the agent.

In:   the aggregates of one closed hour, the catalog's thresholds. Out: one `ThresholdStatus` a metric that was counted.
A metric that was not counted in this hour has no threshold status in it; the store keeps the one of its last hour.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.catalog import Catalog
from agent.model import HourlyAggregate
from agent.store.thresholds import ThresholdStatus


def threshold_statuses_of(aggregates: Iterable[HourlyAggregate], catalog: Catalog) -> list[ThresholdStatus]:
    """The last figure of each metric that has a threshold, with the numbers and the page they are from."""
    rows = list(aggregates)
    lasts = {row.series.metric: row.figures.get("last") for row in rows if row.samples}
    found = []
    for row in rows:
        metric = catalog.metrics.get(row.series.metric)
        value = row.figures.get("last")
        if metric is None or metric.threshold is None or not row.samples:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        own = lasts.get(metric.threshold.limit_from)
        threshold = metric.threshold.of_the_site(own if isinstance(own, int | float) else None)
        if threshold is None:
            continue  # this site has switched the limit off
        found.append(
            ThresholdStatus(
                metric=metric.name,
                level=threshold.state(value).value,
                value=value,
                warn=threshold.warn,
                limit=threshold.limit,
                source=threshold.source,
                hour=row.hour.start,
                method=str(row.figures.get("method", "exact")),
            )
        )
    return found
