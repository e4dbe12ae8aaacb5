"""Gathers what is known of one metric: the catalog's entry, the newest ticks, the newest closed hours, what it costs.

In:   settings and the metric's name. Out: `ExplainView`. The store is opened read-only; the product is asked only
      when a reading is wanted now, and then only the metric's own source.
"""

from __future__ import annotations

import contextlib
import difflib
import fnmatch
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agent.catalog import Catalog, Metric, SqlQuery, ThresholdState, declared_sources, load_catalog
from agent.consent import NoPseudonyms, Pseudonyms, Rules, explain
from agent.errors import AgentError, UsageError
from agent.link.consent_in_force import ConsentInForce
from agent.model import HourlyAggregate, Moment, Reading, Sample, Scalar, Tick
from agent.product.homes.dispatch import read_product_database
from agent.product.instance.identity import read_instance
from agent.reasons import NOT_DUE, NOT_SEEN
from agent.settings import DatabaseLogin, Settings
from agent.sources.registry import open_source
from agent.store import Store, open_store
from agent.store.costs import QueryCost, load_costs
from agent.store.database import FILE_NAME
from agent.store.hours import aggregates_of, closed_hours
from agent.store.source_states import SourceState, source_states
from agent.store.ticks import newest_tick, tick_before
from agent.store.timeline import reckon
from agent.views.catalog import ThresholdRow, read_places, statement_row
from agent.views.explain.view import CostFacts, ExplainView, HourRow, MissingFacts, ValueRow
from agent.views.reason_words import reason_words

HOURS_SHOWN = 6
TICKS_SEARCHED = 90  # three hours of ticks: a count that is not due each tick has an hour of its own in that time
MOST_NAMED = 8
START = "Start it: systemctl start portfolio-agent   or read it now: portfolio-agent explain {metric} --now"


@dataclass(frozen=True, slots=True)
class _Holding:
    """What the store holds of a metric; `state` is its source's, None when that never took part in a tick."""

    now: datetime
    values: tuple[ValueRow, ...] = ()
    hours: tuple[HourRow, ...] = ()
    state: SourceState | None = None
    newest: Tick | None = None
    cost: QueryCost | None = None
    in_newest: bool = False


def read_explanation(settings: Settings, name: str, moment: Moment, *, live: bool = False) -> ExplainView:
    """All that is known of the metric `name`; `live` reads its source once, now, and stores nothing.

    Raises UsageError for a name the catalog does not have, with those that are near it.
    """
    catalog = load_catalog(settings.instance.product)
    metric = _metric(catalog, name)
    rules = _rules(settings, catalog)
    found = _stored(settings, metric, rules, moment)
    values, missing = found.values, None if found.in_newest else _missing(settings, catalog, metric, found)
    if live:
        values, missing = _read_now(settings, catalog, metric, rules, moment)
    return ExplainView(
        metric=metric.name,
        description=metric.description,
        product=catalog.product,
        type=metric.type,
        category=metric.category,
        consent=metric.consent,
        consent_in_force=rules.level,
        data_type=metric.data_type,
        unit=metric.unit,
        kind=metric.kind,
        source=metric.source,
        where=declared_sources()[metric.source].where,
        read_from=read_places(metric),
        reference=metric.reference,
        versions=metric.versions,
        now=found.now,
        values=values,
        missing=missing,
        hours=found.hours,
        threshold=_threshold(metric),
        threshold_state=_threshold_state(metric, values),
        cost=None if found.cost is None else _cost(found.cost),
        dialect=_dialect(settings) if metric.sql is not None else "",
        statements=tuple(statement_row(query) for query in _queries(catalog, metric)),
    )


def _metric(catalog: Catalog, name: str) -> Metric:
    found = catalog.metrics.get(name)
    if found is not None:
        return found
    near = fnmatch.filter(catalog.metrics, name if set(name) & set("*?[") else f"*{name}*")
    near = near or difflib.get_close_matches(name, catalog.metrics, MOST_NAMED, 0.7)
    shown = ", ".join(near[:MOST_NAMED]) + (f" and {len(near) - MOST_NAMED} more" if len(near) > MOST_NAMED else "")
    raise UsageError(
        f"No metric of {catalog.product} has this name.",
        why=f"Like it are: {shown}." if near else "None is like it either.",
        do=f"Run: portfolio-agent explain {near[0]}" if near else "See them all: portfolio-agent catalog show",
    )


def _rules(settings: Settings, catalog: Catalog) -> Rules:
    level = ConsentInForce(settings)()
    try:
        return Rules(catalog, level, Pseudonyms(read_instance(settings.link_dir).pseudonym_key.reveal()))
    except AgentError:
        return Rules(catalog, level, NoPseudonyms())  # what must be hashed then stays here, and the rows say so


def _stored(settings: Settings, metric: Metric, rules: Rules, moment: Moment) -> _Holding:
    if not (settings.agent.state_dir / FILE_NAME).exists():
        return _Holding(moment.wall)
    with contextlib.closing(open_store(settings.agent.state_dir, read_only=True)) as store:
        newest = newest_tick(store)
        holding = next((tick for tick in _ticks(store, newest) if _of(tick, metric)), None)
        values = () if holding is None else tuple(_value(holding, sample, rules) for sample in _of(holding, metric))
        costs = {cost.query: cost for cost in load_costs(store)}
        return _Holding(
            now=reckon(store, moment).label,
            values=values,
            hours=tuple(_hours(store, metric)),
            state=next((state for state in source_states(store) if state.source == metric.source), None),
            newest=newest,
            cost=None if metric.sql is None else costs.get(metric.sql.query),
            in_newest=holding is not None and newest is not None and holding.number == newest.number,
        )


def _ticks(store: Store, newest: Tick | None) -> Iterator[Tick]:
    """The newest ticks, newest first."""
    tick, left = newest, TICKS_SEARCHED
    while tick is not None and left:
        yield tick
        tick, left = tick_before(store, tick.number), left - 1


def _of(tick: Tick, metric: Metric) -> list[Sample]:
    return [sample for sample in tick.samples if sample.series.metric == metric.name]


def _value(tick: Tick, sample: Sample, rules: Rules) -> ValueRow:
    return replace(_row(sample, rules, tick.taken_at), tick=tick.number)


def _row(sample: Sample, rules: Rules, at: datetime) -> ValueRow:
    told = explain(sample, rules)
    return ValueRow(
        tags=dict(sample.series.tags),
        value=sample.value,
        attributes=dict(sample.attributes),
        at=at,
        tick=None,
        sent=told.sent,
        rule=told.why,
        hashed=tuple(told.hashed),
        kept=dict(told.stays),
    )


def _hours(store: Store, metric: Metric) -> Iterator[HourRow]:
    """The newest closed hours, newest first; one that was corrected only in its newest revision."""
    newest = {closed.hour.start: closed for closed in closed_hours(store)}  # in the order of revisions
    for closed in [*newest.values()][: -HOURS_SHOWN - 1 : -1]:
        for row in aggregates_of(store, closed.hour, closed.revision):
            if row.series.metric == metric.name:
                yield _hour(row, closed.revision)


def _hour(row: HourlyAggregate, revision: int) -> HourRow:
    figures: dict[str, Scalar] = dict(row.figures)
    tags, hour = dict(row.series.tags), row.hour
    return HourRow(tags, hour.start, hour.end, revision, figures, row.samples, row.expected, dict(row.failed))


def _missing(settings: Settings, catalog: Catalog, metric: Metric, found: _Holding) -> MissingFacts | None:
    """Why the newest tick has no value of this metric."""
    declaration = declared_sources()[metric.source].declaration
    if declaration.noticed:
        return (
            None
            if found.hours
            else MissingFacts("no-event", "It is noticed when something changes; so far nothing did.", "", "")
        )
    if not declaration.is_on(settings, catalog.of_source(metric.source)):
        do = f"In the configuration file set {declaration.switch}"
        return MissingFacts("off", "Its source is not switched on.", "", do)
    if found.newest is None:
        return MissingFacts(
            "no-tick", "Nothing has been measured yet.", "No tick is stored.", START.format(metric=metric.name)
        )
    return _failure(metric, found)


def _failure(metric: Metric, found: _Holding) -> MissingFacts:
    state = found.state
    told = [] if state is None else [row for row in state.failures if row[0] == metric.name]
    if told:
        return _words(told[0][1], told[0][2])
    whole = [] if state is None else [row for row in state.failures if row[0] == ""]
    if whole and state is not None:
        words = reason_words(whole[0][1])
        return MissingFacts(whole[0][1], words.what, state.why or whole[0][2], state.do or words.do)
    reports = [] if found.newest is None else found.newest.reports
    reasons = [item.reason for report in reports for item in report.failures if item.metric == metric.name]
    if reasons:
        return _words(reasons[0], "")
    if found.cost is not None and _cost(found.cost).due > found.now:
        return _words(NOT_DUE, "")
    return _words(NOT_SEEN, "")


def _words(reason: str, detail: str) -> MissingFacts:
    words = reason_words(reason)
    return MissingFacts(reason, words.what, detail, words.do)


def _read_now(
    settings: Settings, catalog: Catalog, metric: Metric, rules: Rules, moment: Moment
) -> tuple[tuple[ValueRow, ...], MissingFacts | None]:
    """One reading of the metric's own source, whether that is on or not; nothing of it is stored."""
    declared = declared_sources()[metric.source]
    if declared.declaration.noticed:
        raise UsageError(
            "This is not read but noticed.",
            why=f"{metric.name} tells of a change between two hours.",
            do=f"Run it without --now: portfolio-agent explain {metric.name}",
        )
    source = open_source(metric.source, settings, catalog, lambda: rules.level)
    try:
        reading: Reading = source.read(settings.sampling.deadline_s)
    except AgentError as error:
        reason = getattr(error, "reason", "other")
        return (), MissingFacts(reason, error.what, error.why, error.do)
    finally:
        source.close()
    samples = [sample for sample in reading.samples if sample.series.metric == metric.name]
    if samples:
        return tuple(_row(sample, rules, moment.wall) for sample in samples), None
    failures = [failure for failure in reading.failures if failure.metric in (metric.name, "")]
    return (), _words(failures[0].reason, failures[0].detail) if failures else _words(NOT_SEEN, "")


def _threshold(metric: Metric) -> ThresholdRow | None:
    found = metric.threshold
    return None if found is None else ThresholdRow(found.warn, found.limit, found.source)


def _threshold_state(metric: Metric, values: tuple[ValueRow, ...]) -> ThresholdState | None:
    numbers = [row.value for row in values if isinstance(row.value, int | float) and not isinstance(row.value, bool)]
    return metric.threshold.state(max(numbers)) if metric.threshold is not None and numbers else None


def _cost(cost: QueryCost) -> CostFacts:
    due = cost.began_at + timedelta(seconds=cost.every_s)
    return CostFacts(cost.began_at, cost.took_s, cost.every_s, due, cost.estimated)


def _queries(catalog: Catalog, metric: Metric) -> list[SqlQuery]:
    return [] if metric.sql is None else [catalog.queries[name] for name in metric.sql.queries]


def _dialect(settings: Settings) -> str:
    """This site's, as the catalog names it; "" when the product's file cannot be read or names none."""
    if settings.database.login is DatabaseLogin.OWN:
        return "" if settings.database.dialect is None else settings.database.dialect.value
    instance = settings.instance
    with suppress(AgentError, OSError):
        return read_product_database(instance.product, instance.home, instance.shared_home).address.dialect.value
    return ""
