"""The door: rows become the entries that may leave, one at a time.

In:   any number of `Row`s, of an hour or of an assessment, and the rules of the consent they leave under.
Out:  ConsentedRecords, built here and nowhere else, in the order of the rows; what was withheld, with the rule.
Whatever has no rule stays here: an unknown metric, figure, attribute or tag, text in a number's place, a number that
is not finite, a failure reason that is no known code. Level NONE gives nothing.
Memory does not grow with the rows: a record is handed on before the next row is looked at, the rules remember a
bounded number of series, and what was withheld is a set of fields, not of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from agent.catalog import Metric
from agent.catalog.reasons import OTHER, REASONS
from agent.consent.rules import Rules, Stays, TreatedSeries
from agent.model import ConsentedRecord, Row, Scalar, Withheld

# Fields of the catalog are some hundreds; more can only come from names that somebody makes up as he goes.
MOST_WITHHELD = 5_000


class Door:
    """Lets rows through under one set of rules, and remembers what it kept here."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._withheld: dict[tuple[str, str, str], None] = {}
        self.more_withheld = 0  # times that a field stayed which is not among the withheld any more

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """Each distinct field that stayed so far, with the rule that kept it; at most `MOST_WITHHELD`."""
        return tuple(Withheld(*item) for item in self._withheld)

    def records(self, rows: Iterable[Row]) -> Iterator[ConsentedRecord]:
        """The records of those rows that may leave. Nothing of a row is read before it is asked for."""
        for row in rows:
            # Once a series, not once a row: of an hour's time at the door the names would be most.
            treated = self._rules.series(row.series)
            if isinstance(treated, Stays):
                self._stays(row.series.metric, "*", treated.rule)
                continue
            # The one place where something becomes fit to leave: a test counts the calls.
            yield ConsentedRecord(
                metric_name=treated.metric.name,
                type=treated.metric.type,
                timestamp=row.timestamp,
                attributes=self._attributes(treated.metric, row),
                tags=self._tags(treated, row),
            )

    def _attributes(self, metric: Metric, row: Row) -> dict[str, Scalar | Mapping[str, int]]:
        fields = self._rules.row(metric, row.series, row.figures, row.hashed)
        for name, rule in fields.stays.items():
            self._stays(metric.name, name, rule)
        attributes: dict[str, Scalar | Mapping[str, int]] = {
            name: value for name, value in fields.leaves.items() if value is not None
        }
        # Last, and from the catalog: no figure of a row can stand in for what the door says itself.
        attributes["unit"] = metric.unit
        if row.counts is not None:
            attributes["samples"] = row.counts.samples
            attributes["expected"] = row.counts.expected
            failed = _reasons(row.counts.failed)
            if failed:
                attributes["failed"] = failed
        return attributes

    def _tags(self, treated: TreatedSeries, row: Row) -> dict[str, str]:
        for tag, rule in treated.stays:
            self._stays(treated.metric.name, f"tags.{tag}", rule)
        for tag in treated.series.hashed:
            rule = f"under {self._rules.level} only its keyed hash leaves"
            self._stays(treated.metric.name, f"tags.{tag}", rule)
        return dict(treated.series.tags)

    def _stays(self, metric: str, field: str, rule: str) -> None:
        item = (metric, field, rule)
        if item in self._withheld or len(self._withheld) < MOST_WITHHELD:
            self._withheld[item] = None
        else:
            self.more_withheld += 1


def _reasons(failed: Mapping[str, int]) -> dict[str, int]:
    """Counts by known reason; what is no known code is counted as "other", its text stays here."""
    counts: dict[str, int] = {}
    for reason, count in sorted(failed.items()):
        known = reason if reason in REASONS else OTHER
        counts[known] = counts.get(known, 0) + count
    return counts
