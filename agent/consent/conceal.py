"""What may be stored: a tick as read becomes a tick in which every name has had its treatment already.

In:   a Tick as the sources gave it, the level in force, the instance's pseudonyms (or NoPseudonyms).
Out:  the same tick; each tag, value and attribute is what the rules of this stage would let out under the level: kept,
      hashed and marked so, or gone. A metric that the catalog says is read and never leaves is stored as read.
      Of the failures' details, the parts quoted from outside are hashed under every level.
Rules: a series that loses a tag may become equal to another: they are added or the highest speaks, as the entry says
(`merge`); without it they are "ambiguous" and the first by its tags as read speaks. A sample that would need the key
while it is away is left out, with the reason "key-away": nothing private is stored plain for want of a key.
Doing it again changes nothing, and a tick concealed under Extended can be concealed further under Basic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.catalog import Catalog, DataType, Merge, Metric
from agent.catalog.reasons import AMBIGUOUS, KEY_AWAY, NOT_DUE, UNEXPECTED_TEXT
from agent.consent.rules import VALUE, VALUE_FIGURES, Kept, attribute_out, figure_out, metric_rule, tag_out
from agent.model import (
    Category,
    ConsentLevel,
    EntryType,
    Failure,
    Kind,
    Outcome,
    Sample,
    Series,
    SourceReport,
    Tick,
    Value,
)
from agent.pseudonym import KeyAway, Pseudonyms

REMEMBERED_SERIES = 20_000  # more means that names come and go, so start again
NOT_SHOWN = "[not shown]"

Names = tuple[str, tuple[tuple[str, str], ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a series is stored as, and as which metric; without a series, the reason why not.

    `metric` None: as read. `same`: nothing of the series changed. `fewer`: it lost a tag.
    """

    series: Series | None
    metric: Metric | None = None
    same: bool = True
    fewer: bool = False
    failure: Failure | None = None


# Stands for every metric that the catalog does not know.
_FORGOTTEN = Metric(
    "",
    "",
    EntryType.SYSTEM_METRIC,
    Category.OPERATIONAL,
    ConsentLevel.NONE,
    DataType.MEASUREMENT,
    "",
    Kind.GAUGE,
    "",
)


class Concealer:
    """Remembers what each series becomes: a tick like the last one costs one look-up for each series with tags."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        # A number without tags tells nothing of anybody, and most samples are that.
        self._open = frozenset(
            name for name, metric in catalog.metrics.items() if metric_rule(metric, ConsentLevel.BASIC) is None
        )
        self._known: dict[Names, _Stored] = {}
        self._level = ConsentLevel.NONE
        self._pseudonyms: Pseudonyms | None = None

    def conceal(self, tick: Tick, level: ConsentLevel, pseudonyms: Pseudonyms) -> Tick:
        """`tick` as it may be stored under `level`; without consent the rules of Basic hold."""
        self._use(level, pseudonyms)
        kept: list[Sample] = []
        origins: list[Series] = []  # as read, one for each of `kept`
        failures: list[tuple[str, Failure]] = []
        fewer: set[str] = set()
        as_read = True
        for sample in tick.samples:
            series = sample.series
            number = not sample.attributes and type(sample.value) is not str
            if not number or series.tags or series.metric not in self._open:
                known = self._stored(series, pseudonyms)
                # Nearly all of a tick is numbers of series that are stored as they are.
                if not (number and known.same and known.series is not None):
                    stored = self._sample(sample, known, pseudonyms)
                    if isinstance(stored, Failure):
                        failures.append((series.source, stored))
                        as_read = False
                        continue
                    as_read = as_read and (stored is sample or stored == sample)
                    sample = stored
                    if known.fewer:
                        fewer.add(series.metric)
            kept.append(sample)
            origins.append(series)
        for metric in sorted(fewer):
            doubtful = [pair for pair in zip(origins, kept, strict=True) if pair[0].metric == metric]
            others = [pair for pair in zip(origins, kept, strict=True) if pair[0].metric != metric]
            told = self._told_apart(metric, doubtful, failures)
            origins = [series for series, _ in others] + [sample.series for sample in told]
            kept = [sample for _, sample in others] + told
        reports = tuple(self._report(report, failures, pseudonyms) for report in tick.reports)
        if as_read and reports == tick.reports:
            return tick  # concealed before: not copied, an hour of them lies in memory at once
        return replace(tick, samples=tuple(kept), reports=reports)

    def series(self, series: Series, level: ConsentLevel, pseudonyms: Pseudonyms) -> Series | None:
        """What one series is stored as under `level`; None when it is not stored at all."""
        self._use(level, pseudonyms)
        return self._stored(series, pseudonyms).series

    def _use(self, level: ConsentLevel, pseudonyms: Pseudonyms) -> None:
        level = ConsentLevel.BASIC if level is ConsentLevel.NONE else level
        if level is not self._level or pseudonyms is not self._pseudonyms or len(self._known) > REMEMBERED_SERIES:
            self._known.clear()
            self._level, self._pseudonyms = level, pseudonyms

    def _stored(self, series: Series, pseudonyms: Pseudonyms) -> _Stored:
        names = (series.metric, series.tags, series.hashed)
        known = self._known.get(names)
        if known is None:
            known = self._known[names] = self._decided(series, pseudonyms)
        return known

    def _decided(self, series: Series, pseudonyms: Pseudonyms) -> _Stored:
        metric = self._catalog.metrics.get(series.metric)
        if metric is not None and metric.consent is ConsentLevel.NONE:
            return _Stored(series)
        if metric is None:
            # What the catalog does not know never leaves; of it only numbers are stored, without a name.
            return _Stored(Series(series.source, series.metric), _FORGOTTEN, not series.tags, bool(series.tags))
        rule = metric_rule(metric, self._level)
        if rule is not None:
            return _Stored(None, failure=Failure(series.metric, NOT_DUE, rule.rule))
        tags: list[tuple[str, str]] = []
        hashed: list[str] = []
        try:
            for tag, _ in series.tags:
                out = tag_out(metric, tag, series, self._level, self._catalog, pseudonyms)
                if not isinstance(out, Kept):
                    tags.append((tag, str(out.value)))
                    hashed += [tag] if out.hashed else []
        except KeyAway:
            return _Stored(None, failure=_key_away(series.metric))
        stored = Series(series.source, series.metric, tuple(tags), tuple(hashed))
        same = stored == series
        return _Stored(series if same else stored, metric, same, len(tags) < len(series.tags))

    def _sample(self, sample: Sample, stored: _Stored, pseudonyms: Pseudonyms) -> Sample | Failure:
        if stored.series is None:
            return stored.failure or Failure(sample.series.metric, NOT_DUE)
        metric = stored.metric
        if metric is None:
            return sample
        if metric is _FORGOTTEN:
            if isinstance(sample.value, str):
                return Failure(sample.series.metric, UNEXPECTED_TEXT, "the catalog does not know it")
            return Sample(stored.series, sample.value)
        value: Value = sample.value
        if not sample.attributes and type(value) is not str:
            return sample if stored.same else Sample(stored.series, value)
        hashed: list[str] = []
        attributes: list[tuple[str, Value]] = []
        try:
            out = figure_out(metric, VALUE_FIGURES[metric.kind], value, VALUE in sample.hashed, pseudonyms)
            if out is None or isinstance(out, Kept) or out.value is None:
                return Failure(metric.name, UNEXPECTED_TEXT, out.rule if isinstance(out, Kept) else "")
            value = out.value
            hashed += [VALUE] if out.hashed else []
            for name, text in sample.attributes:
                given = attribute_out(
                    metric, name, text, sample.series, name in sample.hashed, self._level, self._catalog, pseudonyms
                )
                if not isinstance(given, Kept) and given.value is not None:
                    attributes.append((name, given.value))
                    hashed += [name] if given.hashed else []
        except KeyAway:
            return _key_away(metric.name)
        return Sample(stored.series, value, tuple(attributes), tuple(sorted(hashed)))

    def _told_apart(
        self, name: str, found: Sequence[tuple[Series, Sample]], failures: list[tuple[str, Failure]]
    ) -> list[Sample]:
        """One sample for each series that is left, by the rule of the entry."""
        metric = self._catalog.metrics.get(name)
        merge = metric.merge if metric is not None else None
        one: dict[Series, Sample] = {}
        for series, sample in sorted(found, key=lambda item: item[0].tags):
            rival = one.get(sample.series)
            if rival is None:
                one[sample.series] = sample
            elif merge is None or isinstance(rival.value, str) or isinstance(sample.value, str):
                failures.append((series.source, Failure(name, AMBIGUOUS, "its tags may not be kept")))
            else:
                total = rival.value + sample.value if merge is Merge.SUM else max(rival.value, sample.value)
                one[sample.series] = replace(rival, value=total)
        return list(one.values())

    def _report(
        self, report: SourceReport, added: Sequence[tuple[str, Failure]], pseudonyms: Pseudonyms
    ) -> SourceReport:
        own = [_unquoted(failure, pseudonyms) for failure in report.failures]
        more = [failure for source, failure in added if source == report.source]
        if not more and all(new is old for new, old in zip(own, report.failures, strict=True)):
            return report
        # One for each metric and reason, the first of each.
        once = {(failure.metric, failure.reason): failure for failure in reversed([*own, *more])}
        lost = any(failure.reason == KEY_AWAY for failure in more) and report.outcome is Outcome.OK
        outcome = Outcome.PARTIAL if lost else report.outcome
        return replace(report, outcome=outcome, failures=tuple(reversed(once.values())))


def _unquoted(failure: Failure, pseudonyms: Pseudonyms) -> Failure:
    """The failure with a pseudonym for each part that was read from outside."""
    if not failure.quoted:
        return failure
    detail, at = "", 0
    for first, behind in failure.quoted:
        quoted = failure.detail[max(first, at) : behind]
        try:
            shown = pseudonyms.of("detail", quoted) if quoted else ""
        except KeyAway:
            shown = NOT_SHOWN
        detail += failure.detail[at:first] + shown
        at = max(behind, at)
    return replace(failure, detail=detail + failure.detail[at:], quoted=())


def _key_away(metric: str) -> Failure:
    return Failure(metric, KEY_AWAY, "The key of the pseudonyms cannot be read, and its names are not stored plain.")
