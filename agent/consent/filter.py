"""Fourth stage, and the only door: aggregates of a closed hour become what their owner allowed to leave.

In:   HourlyAggregates, the catalog, the consent, the instance's pseudonyms.
Out:  ConsentedRecords, built here and nowhere else, and what was withheld with the rule that kept it.
Whatever has no rule stays here: an unknown metric, figure, attribute or tag, text in a number's place, a number that
is not finite, a failure reason that is no known code. Level NONE gives nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.catalog import Catalog, Metric
from agent.catalog.reasons import OTHER, REASONS
from agent.consent.rules import Kept, attribute_out, figure_out, metric_rule, tag_out
from agent.model import Consent, ConsentedRecord, HourlyAggregate, Scalar, Withheld
from agent.pseudonym import Pseudonyms

# Set by the door itself; a figure of the same name could otherwise speak for it.
OWN_ATTRIBUTES = frozenset({"unit", "samples", "expected", "failed"})


@dataclass(frozen=True, slots=True)
class Filtered:
    """What may leave, and each distinct field that stays with the rule that kept it."""

    records: tuple[ConsentedRecord, ...]
    withheld: tuple[Withheld, ...]


def consented(
    aggregates: Iterable[HourlyAggregate], catalog: Catalog, consent: Consent, pseudonyms: Pseudonyms
) -> Filtered:
    """What of `aggregates` may leave under `consent`, in their order."""
    door = _Door(catalog, consent, pseudonyms)
    records = [record for aggregate in aggregates if (record := door.record(aggregate)) is not None]
    return Filtered(tuple(records), tuple(door.withheld))


class _Door:
    """Builds records and remembers what it kept."""

    def __init__(self, catalog: Catalog, consent: Consent, pseudonyms: Pseudonyms) -> None:
        self._catalog, self._level, self._pseudonyms = catalog, consent.level, pseudonyms
        self.withheld: dict[Withheld, None] = {}

    def record(self, aggregate: HourlyAggregate) -> ConsentedRecord | None:
        name = aggregate.series.metric
        metric = self._catalog.metrics.get(name)
        kept = metric_rule(metric, self._level)
        if metric is None or kept is not None:
            self._keep(name, "*", kept or Kept(""))
            return None
        if aggregate.series.source != metric.source:
            self._keep(name, "*", Kept("another source gave it than the catalog says"))
            return None
        return ConsentedRecord(
            metric_name=metric.name,
            type=metric.type,
            timestamp=aggregate.hour.start,
            attributes=self._attributes(metric, aggregate),
            tags=self._tags(metric, aggregate),
        )

    def _attributes(self, metric: Metric, aggregate: HourlyAggregate) -> dict[str, Scalar | Mapping[str, int]]:
        attributes: dict[str, Scalar | Mapping[str, int]] = {}
        for name, value in aggregate.figures.items():
            if value is None:
                continue
            if name in OWN_ATTRIBUTES:
                self._keep(metric.name, name, Kept(f"it is not on the list for a {metric.kind}"))
                continue
            hashed = name in aggregate.hashed
            out = figure_out(metric, name, value, hashed, self._pseudonyms)
            if out is None:
                out = attribute_out(
                    metric, name, value, aggregate.series, hashed, self._level, self._catalog, self._pseudonyms
                )
            if isinstance(out, Kept):
                self._keep(metric.name, name, out)
            else:
                attributes[name] = out.value
        attributes["unit"] = metric.unit
        attributes["samples"] = aggregate.samples
        attributes["expected"] = aggregate.expected
        failed = _reasons(aggregate.failed)
        if failed:
            attributes["failed"] = failed
        return attributes

    def _tags(self, metric: Metric, aggregate: HourlyAggregate) -> dict[str, str]:
        tags: dict[str, str] = {}
        for tag, _ in aggregate.series.tags:
            out = tag_out(metric, tag, aggregate.series, self._level, self._catalog, self._pseudonyms)
            if isinstance(out, Kept):
                self._keep(metric.name, f"tags.{tag}", out)
            else:
                tags[tag] = str(out.value)
                if out.hashed:
                    self._keep(metric.name, f"tags.{tag}", Kept(f"under {self._level} only its keyed hash leaves"))
        return tags

    def _keep(self, metric: str, field: str, kept: Kept) -> None:
        self.withheld[Withheld(metric, field, kept.rule)] = None


def _reasons(failed: Mapping[str, int]) -> dict[str, int]:
    """Counts by known reason; what is no known code is counted as "other", its text stays here."""
    counts: dict[str, int] = {}
    for reason, count in sorted(failed.items()):
        known = reason if reason in REASONS else OTHER
        counts[known] = counts.get(known, 0) + count
    return counts
