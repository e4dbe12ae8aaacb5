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
from dataclasses import replace

from agent.catalog import Catalog, Merge
from agent.catalog.reasons import AMBIGUOUS, KEY_AWAY, NOT_DUE, UNEXPECTED_TEXT
from agent.consent.rules import NEVER, NO_ENTRY, VALUE, VALUE_FIGURES, Rules, Stays, TreatedSeries, metric_stays
from agent.model import ConsentLevel, Failure, HourlyAggregate, Outcome, Sample, Series, SourceReport, Tick
from agent.pseudonym import KeyAway, NoPseudonyms, Pseudonyms

NOT_SHOWN = "[not shown]"


class Concealer:
    """Keeps the rules from tick to tick: a tick like the last one costs one look-up for each series with tags."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        # A number without tags tells nothing of anybody, and most samples are that.
        self._open = frozenset(
            name for name, metric in catalog.metrics.items() if metric_stays(metric, ConsentLevel.BASIC) is None
        )
        self._rules = Rules(catalog, ConsentLevel.BASIC, NoPseudonyms())

    def conceal(self, tick: Tick, level: ConsentLevel, pseudonyms: Pseudonyms) -> Tick:
        """`tick` as it may be stored under `level`; without consent the rules of Basic hold."""
        rules = self._use(level, pseudonyms)
        stored_samples: list[Sample] = []
        origins: list[Series] = []  # as read, one for each of `kept`
        failures: list[tuple[str, Failure]] = []
        fewer: set[str] = set()
        as_read = True
        for sample in tick.samples:
            series = sample.series
            number = not sample.attributes and type(sample.value) is not str
            if not number or series.tags or series.metric not in self._open:
                try:
                    treated = rules.series(series)
                    if number and isinstance(treated, TreatedSeries):
                        # Nearly all of a tick: a number of a series that was decided before.
                        stored: Sample | Failure = sample if treated.same else Sample(treated.series, sample.value)
                    else:
                        stored = _stored(sample, treated, rules)
                except KeyAway:
                    stored = _key_away(series.metric)
                if isinstance(stored, Failure):
                    failures.append((series.source, stored))
                    as_read = False
                    continue
                if stored is not sample:
                    as_read = as_read and stored == sample
                    if len(stored.series.tags) < len(series.tags):
                        fewer.add(series.metric)
                    sample = stored
            stored_samples.append(sample)
            origins.append(series)
        # Only now, with all of a metric's series: which of them a lost tag has made equal shows when the last one is
        # treated.
        for metric in sorted(fewer):
            doubtful = [pair for pair in zip(origins, stored_samples, strict=True) if pair[0].metric == metric]
            others = [pair for pair in zip(origins, stored_samples, strict=True) if pair[0].metric != metric]
            apart = self._apart(metric, doubtful, failures)
            origins = [series for series, _ in others] + [sample.series for sample in apart]
            stored_samples = [sample for _, sample in others] + apart
        reports = tuple(self._report(report, failures, pseudonyms) for report in tick.reports)
        if as_read and reports == tick.reports:
            return tick  # concealed before: not copied, an hour of them lies in memory at once
        return replace(tick, samples=tuple(stored_samples), reports=reports)

    def series(self, series: Series, level: ConsentLevel, pseudonyms: Pseudonyms) -> Series | None:
        """What one series is stored as under `level`; None when it is not stored at all."""
        try:
            return _stored_series(series, self._use(level, pseudonyms).series(series))
        except KeyAway:
            return None

    def row(self, row: HourlyAggregate, level: ConsentLevel, pseudonyms: Pseudonyms) -> HourlyAggregate | None:
        """What a row of a closed hour would be had its ticks been stored under `level`; None when there were none."""
        rules = self._use(level, pseudonyms)
        treated = rules.series(row.series)
        series = _stored_series(row.series, treated)
        if series is None:
            return None
        if isinstance(treated, TreatedSeries):
            fields = rules.row(treated.metric, row.series, row.figures, row.hashed)
            return replace(row, series=series, figures=fields.leaves, hashed=tuple(fields.hashed))
        if treated == NEVER:
            return row
        numbers = {figure: value for figure, value in row.figures.items() if not isinstance(value, str)}
        return replace(row, series=series, figures=numbers)

    def _use(self, level: ConsentLevel, pseudonyms: Pseudonyms) -> Rules:
        # Without consent nothing leaves, but the store is still filled, and it holds no more then than under Basic.
        level = ConsentLevel.BASIC if level is ConsentLevel.NONE else level
        if level is not self._rules.level or pseudonyms is not self._rules.pseudonyms:
            self._rules = Rules(self._catalog, level, pseudonyms)
        return self._rules

    def _apart(
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
        first_of_each = {(failure.metric, failure.reason): failure for failure in reversed([*own, *more])}
        lost = any(failure.reason == KEY_AWAY for failure in more) and report.outcome is Outcome.OK
        outcome = Outcome.PARTIAL if lost else report.outcome
        return replace(report, outcome=outcome, failures=tuple(reversed(first_of_each.values())))


def _stored_series(series: Series, treated: TreatedSeries | Stays) -> Series | None:
    """What a series is stored as, None when it is not: storing asks less than leaving.

    What the catalog says is read and never leaves is stored as read. What it does not know never leaves either; of it
    only numbers are stored, without a name.
    """
    if isinstance(treated, TreatedSeries):
        return treated.series
    if treated == NEVER:
        return series
    if treated == NO_ENTRY:
        return Series(series.source, series.metric) if series.tags else series
    return None


def _stored(sample: Sample, treated: TreatedSeries | Stays, rules: Rules) -> Sample | Failure:
    """What a sample is stored as; a failure with the reason when it is not. Raises KeyAway."""
    series = _stored_series(sample.series, treated)
    name = sample.series.metric
    if isinstance(treated, Stays):
        if series is None:
            return Failure(name, NOT_DUE, treated.rule)
        if treated == NEVER:
            return sample
        if isinstance(sample.value, str):
            return Failure(name, UNEXPECTED_TEXT, "the catalog does not know it")
        return Sample(series, sample.value)
    figure = VALUE_FIGURES[treated.metric.kind]
    fields = rules.value(treated.metric, sample)
    value = fields.leaves.pop(figure, None)
    if value is None:
        return Failure(name, UNEXPECTED_TEXT, fields.stays.get(figure, ""))
    hashed = sorted(VALUE if field == figure else field for field in fields.hashed)
    attributes = tuple((field, fact) for field, fact in fields.leaves.items() if fact is not None)
    return Sample(treated.series, value, attributes, tuple(hashed))


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
