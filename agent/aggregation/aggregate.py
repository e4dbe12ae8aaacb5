"""Third stage: the ticks of one closed hour become one aggregate per series.

In:   the ticks of the hour, the last tick before it (for counters), the kinds of the metrics. The ticks may come in any
      order: they are brought into the store's, never into that of their labels, which a clock set back may mix up.
Out:  HourlyAggregate in the samples' own unit. A series without samples keeps its row with `samples = 0` and the
      reasons, so that "not seen" is never read as zero; nothing is carried over from an earlier hour as a value.
Pure: no clock and no database; the caller passes the hour.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from agent.model import Hour, HourlyAggregate, Kind, Outcome, Series, Tick, Value
from agent.reasons import CUT, NOT_DUE, NOT_PRESENT, NOT_SEEN, OTHER_NODE

METHOD, ESTIMATE = "method", "estimate"  # the attribute by which a source says that a value is no count
Point = tuple[float | int, str]


@dataclass(slots=True)
class _Collected:
    """What one series gave over the hour: values with their epoch, in the store's order.

    `seen_in` has bit n set when tick n had the series; with thousands of series, sets and dicts would be most of the
    memory of a run.
    """

    points: list[tuple[Value, str]] = field(default_factory=list)
    attributes: list[tuple[tuple[str, Value], ...]] = field(default_factory=list)
    hashed: tuple[str, ...] = ()
    seen_in: int = 0

    @property
    def latest(self) -> dict[str, Value]:
        """The attributes of the last value; what of it is a pseudonym says `hashed`."""
        return dict(self.attributes[-1]) if self.attributes else {}

    def drop_estimates(self) -> int:
        """Where some values are counted and others estimated, keep the counted ones; how many were dropped."""
        exact = [position for position, item in enumerate(self.attributes) if (METHOD, ESTIMATE) not in item]
        dropped = len(self.points) - len(exact) if exact else 0
        if dropped:
            self.points = [self.points[position] for position in exact]
            self.attributes = [self.attributes[position] for position in exact]
        return dropped


def aggregate(
    ticks: Iterable[Tick],
    hour: Hour,
    *,
    expected: int,
    kinds: Mapping[str, Kind],
    before: Tick | None = None,
    known: Iterable[HourlyAggregate] = (),
    hourly: Container[str] = frozenset(),
) -> list[HourlyAggregate]:
    """Reduce one hour to one row per series, sorted by series.

    `expected` is how many ticks the hour should have had. `before` is the last tick before the hour: a counter's
    increase from there on belongs to this hour, unless the gap is longer than two ticks. `known` is the previous
    hour's result: its series appear again even if this hour saw nothing of them. A metric without a kind is a gauge.

    A row's own `expected` is all of `expected` for what is asked at every tick: a tick that was never taken is missed.
    What is asked more rarely (the metrics in `hourly`, and what was "not-due" at some tick) is expected as often as it
    was asked: of a tick that was never taken nobody can say that it would have been due. What another node of the
    cluster counts is expected at all ticks but those.
    """
    ordered = sorted(ticks, key=lambda tick: tick.number)
    collected: dict[Series, _Collected] = {}
    for position, tick in enumerate(ordered):
        for sample in tick.samples:
            entry = collected.setdefault(sample.series, _Collected())
            entry.points.append((sample.value, tick.epochs.get(sample.series.source, "")))
            entry.attributes.append(sample.attributes)
            entry.hashed = sample.hashed
            entry.seen_in |= 1 << position
    for series in _still_expected((row for row in known if kinds.get(row.series.metric) is not Kind.EVENT), ordered):
        collected.setdefault(series, _Collected())
    for series in _failed_only(ordered, collected):
        collected.setdefault(series, _Collected())
    failures = _Failures(ordered)
    start = _baseline(before, ordered[0] if ordered else None, hour, expected)
    rows = []
    for series in sorted(collected, key=lambda item: (item.source, item.metric, item.tags, item.hashed)):
        entry = collected[series]
        kind = kinds.get(series.metric, Kind.GAUGE)
        if kind is Kind.EVENT:
            # Nobody expects an event: what was noticed is all there is.
            windows = [dict(item) for item in entry.attributes]
            figures = {**entry.latest, **event_figures([value for value, _ in entry.points], windows)}
            seen = len(entry.points)
            rows.append(HourlyAggregate(series, hour, figures, seen, seen, {}, entry.hashed))
            continue
        failed, not_due, elsewhere = failures.of(series, entry.seen_in)
        not_due += entry.drop_estimates()
        figures = {**_figures(kind, entry.points, start.get(series)), **entry.latest}
        rare = not_due > 0 or series.metric in hourly
        due = max((len(ordered) if rare else expected) - not_due - elsewhere, 0)
        rows.append(HourlyAggregate(series, hour, figures, len(entry.points), due, dict(failed), entry.hashed))
    return rows


class _Failures:
    """Looks up why a series is missing from a tick: its own reason, else its source's, else "not-seen"."""

    def __init__(self, ticks: Sequence[Tick]) -> None:
        self._by_tick = [
            {report.source: (report.outcome, {f.metric: f.reason for f in report.failures}) for report in tick.reports}
            for tick in ticks
        ]

    def of(self, series: Series, seen_in: int) -> tuple[Counter[str], int, int]:
        """Reasons with their number of ticks, in how many it was not due at all, and in how many another node's."""
        failed: Counter[str] = Counter()
        not_due = elsewhere = 0
        for position, reports in enumerate(self._by_tick):
            if seen_in >> position & 1:
                continue
            outcome, reasons = reports.get(series.source, (Outcome.FAILED, {}))
            reason = reasons.get(series.metric)
            if reason is None and outcome is Outcome.FAILED:
                reason = next(iter(reasons.values()), NOT_SEEN)
            if reason == OTHER_NODE or (reason is None and outcome is Outcome.NOT_DUE):
                elsewhere += 1  # the sampler calls a source so when all it said is that another node counts
            elif reason == NOT_DUE:
                not_due += 1
            else:
                failed[reason or NOT_SEEN] += 1
        return failed, not_due, elsewhere


def _still_expected(known: Iterable[HourlyAggregate], ticks: Sequence[Tick]) -> Iterable[Series]:
    """Series of the previous hour that this hour must account for.

    While its source answers, a vanished series is missed for one hour (an app may have been removed); while the
    source is silent altogether, nobody can know, so all of its series go on being missed.
    """
    alive = {
        report.source for tick in ticks for report in tick.reports if report.outcome in (Outcome.OK, Outcome.PARTIAL)
    }
    return [row.series for row in known if row.samples or row.series.source not in alive]


def _failed_only(ticks: Sequence[Tick], collected: Mapping[Series, _Collected]) -> Iterable[Series]:
    """A metric that failed by name in this hour and gave no series at all gets a row of its own.

    What this product simply does not have is left out: it would be the same hundred rows every hour. A metric of which
    beans were cut gets the row though others of its series are there: nothing else would tell (J16).
    """
    seen = {series.metric for series in collected}
    named = {
        (report.source, failure.metric, failure.reason == CUT)
        for tick in ticks
        for report in tick.reports
        for failure in report.failures
        if failure.metric and failure.reason not in (NOT_DUE, NOT_PRESENT, OTHER_NODE)
    }
    return [Series(source, metric) for source, metric, cut in sorted(named) if cut or metric not in seen]


def _baseline(before: Tick | None, first: Tick | None, hour: Hour, expected: int) -> dict[Series, tuple[Value, str]]:
    if before is None or first is None:
        return {}
    interval_s = hour.length_s / max(expected, 1)
    # From `before` to the hour's start, by the clock that is never set: a step in between is no gap and hides none.
    gap_s = first.seconds_after(before) - (first.taken_at - hour.start).total_seconds()
    if gap_s > 2 * interval_s:
        return {}  # the increase over a longer gap cannot be told apart by hour
    return {s.series: (s.value, before.epochs.get(s.series.source, "")) for s in before.samples}


def _figures(
    kind: Kind, points: Sequence[tuple[Value, str]], before: tuple[Value, str] | None
) -> dict[str, Value | None]:
    if not points:
        return {}
    if kind is Kind.INFO or any(isinstance(value, str) for value, _ in points):
        return {"value": points[-1][0]}
    numbers = [(value, epoch) for value, epoch in points if isinstance(value, int | float)]
    if kind is Kind.COUNTER:
        start = (before[0], before[1]) if before is not None and isinstance(before[0], int | float) else None
        return counter_figures(numbers, start)
    return gauge_figures([value for value, _ in numbers])


def event_figures(values: Sequence[Value], windows: Sequence[Mapping[str, Value]]) -> dict[str, Value | None]:
    """How often it was noticed, from the first instant it may have happened to the last. Instants sort as text."""
    begins = [str(window["observed_from"]) for window in windows if "observed_from" in window]
    ends = [str(window["observed_to"]) for window in windows if "observed_to" in window]
    return {
        "count": sum(int(value) for value in values if isinstance(value, int)),
        "observed_from": min(begins, default=None),
        "observed_to": max(ends, default=None),
    }


def gauge_figures(values: Sequence[float | int]) -> dict[str, Value | None]:
    """min, max, mean, last, p50 and p95 (nearest rank) of at least one value; values in time order."""
    ordered = sorted(values)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean_of(ordered),
        "last": values[-1],
        "p50": nearest_rank(ordered, 50),
        "p95": nearest_rank(ordered, 95),
    }


def mean_of(values: Sequence[float | int]) -> float:
    """The arithmetic mean, exact to the last bit of a float, also where the plain sum would overflow."""
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        return float(sum(map(Fraction, values)) / len(values))


def nearest_rank(ordered: Sequence[float | int], percent: int) -> float | int:
    """The percentile by nearest rank: the smallest value with at least `percent` % of the values at or below it."""
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]


def counter_figures(points: Sequence[Point], before: Point | None) -> dict[str, Value | None]:
    """delta over the hour, number of resets, last value.

    A reset is a new epoch (the JVM restarted) or a smaller value; counting began again at zero then, so the new
    value itself is the increase since. With one point and nothing before it the increase is unknown: delta is None.
    """
    delta: float | int | None = None
    resets = 0
    previous = before
    for value, epoch in points:
        if previous is not None:
            # An epoch that was not read ("") says nothing; then only a fall of the value does.
            restarted = bool(epoch and previous[1] and epoch != previous[1]) or value < previous[0]
            resets += restarted
            delta = (delta or 0) + (value if restarted else value - previous[0])
        previous = (value, epoch)
    return {"delta": delta, "resets": resets, "last": points[-1][0]}
