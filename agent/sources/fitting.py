"""A source without what this instance cannot have: entries for other versions, figures of an index that is not used.

In:   the source, its entries, the product's version and whether it searches elsewhere, both as callables.
Out:  the reading. What tells of an index that is not used is never told as a number, least of all as zero: "not-used".
      What is for other versions and gave nothing is "not-in-version"; a value that is there all the same counts, since
      the product knows better. While the version is not known, nothing is said to be for another one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.catalog import Metric
from agent.catalog.versions import Version, VersionRange
from agent.model import Failure, Reading, Source
from agent.reasons import NOT_IN_VERSION, NOT_USED
from agent.sources.base import once_each
from agent.system.clock import monotonic_s

AGAIN_S = 3600.0  # a product is not restarted more often, and looking reads files
OPENSEARCH = "the product searches in OpenSearch"


class Fitting:
    """One source behind what its instance can have."""

    def __init__(
        self,
        source: Source,
        metrics: Sequence[Metric],
        version: Callable[[], Version | None],
        elsewhere: Callable[[], bool],
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        self.name = source.name
        self._source = source
        self._of_index = frozenset(metric.name for metric in metrics if metric.local_index)
        self._ranges = {
            metric.name: (bounds, metric.versions)
            for metric in metrics
            if (bounds := VersionRange.parse(metric.versions)) != VersionRange()
        }
        self._version = version
        self._elsewhere = elsewhere
        self._clock = clock
        self._looked_s: float | None = None
        self._known: tuple[Version | None, bool] = None, False

    def read(self, deadline_s: float) -> Reading:
        """The source's reading, each missing figure with the reason that is true for this instance."""
        reading = self._source.read(deadline_s)
        version, elsewhere = self._look()
        unused = self._of_index if elsewhere else frozenset()
        there = {sample.series.metric for sample in reading.samples}
        other = {
            name: words
            for name, (bounds, words) in self._ranges.items()
            if name not in there and name not in unused and not bounds.holds(version)
        }
        if not unused and not other:
            return reading
        kept = [failure for failure in reading.failures if failure.metric not in unused and failure.metric not in other]
        kept += [Failure(name, NOT_USED, OPENSEARCH) for name in sorted(unused)]
        known = ".".join(map(str, version or ()))
        kept += [Failure(name, NOT_IN_VERSION, f"this is {known}; it is for {words}") for name, words in other.items()]
        samples = tuple(sample for sample in reading.samples if sample.series.metric not in unused)
        return replace(reading, samples=samples, failures=once_each(kept))

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _look(self) -> tuple[Version | None, bool]:
        now_s = self._clock()
        if self._looked_s is None or now_s >= self._looked_s + AGAIN_S:
            self._known, self._looked_s = (self._version(), self._elsewhere()), now_s
        return self._known


def may_not_fit(metrics: Sequence[Metric]) -> bool:
    """Whether any of these entries depends on version or index."""
    return any(metric.local_index or VersionRange.parse(metric.versions) != VersionRange() for metric in metrics)
