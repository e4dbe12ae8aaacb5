"""A source that a cluster has once: read whole on the node whose turn it is, else only what each node says for itself.

In:   the source, the same source limited to the metrics of each node (None when it has none), this node's turn.
Out:  the reading; on another node's turn every cluster-wide metric is missing with the reason "other-node".
      When nobody can tell whose turn it is nothing is read: SourceError with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.catalog import Catalog, Metric
from agent.model import ClusterTurn, Failure, Reading, Role, Source
from agent.reasons import OTHER_NODE


class OncePerCluster:
    """One source behind the turn."""

    def __init__(
        self, whole: Source, own: Source | None, metrics: Sequence[Metric], turn: Callable[[], ClusterTurn | None]
    ) -> None:
        self.name = whole.name
        self._whole = whole
        self._own = own
        self._elsewhere = tuple(Failure(metric.name, OTHER_NODE) for metric in metrics if metric.cluster_wide)
        self._turn = turn

    def read(self, deadline_s: float) -> Reading:
        """The whole source on this node's turn and outside a cluster."""
        turn = self._turn()
        if turn is None or turn.role is Role.COUNTING:
            return self._whole.read(deadline_s)
        own = Reading(()) if self._own is None else self._own.read(deadline_s)
        return replace(own, failures=own.failures + self._elsewhere)

    def close(self) -> None:
        """Close both."""
        self._whole.close()
        if self._own is not None:
            self._own.close()


def each_node(catalog: Catalog, source: str) -> Catalog | None:
    """The catalog without what a cluster has once; None when `source` has nothing else."""
    metrics = {name: metric for name, metric in catalog.metrics.items() if not metric.cluster_wide}
    if not any(metric.source == source for metric in metrics.values()):
        return None
    return replace(catalog, metrics=metrics)
