"""Closes hours that are over: their ticks become rows, rows become sealed batches as far as consent allows.

In:   the store's ticks and where the clocks stand. Out: which hours were closed, and how many batches wait for it.
Each hour is closed in one transaction together with its batches, so a crash leaves it open or sealed, never half.
Hours are closed in the store's order, one after the other: each is compared with the one measured before it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from agent.aggregation import Event, aggregate, audit_events, events_between, list_of, with_events
from agent.aggregation.cluster_rows import without_cluster_rows
from agent.aggregation.thresholds import threshold_statuses_of
from agent.catalog import Catalog, Every
from agent.consent import Material, align_names
from agent.consent.periods import consent_of, covered, is_covered
from agent.log import log, logger
from agent.model import Consent, Hour, HourlyAggregate, Role, Tick
from agent.runtime.hourly.report import Closed
from agent.runtime.pipeline import Pipeline
from agent.settings import Settings
from agent.settings.schedule import closes_after_s
from agent.store import Store, audit, outbox
from agent.store.cluster import cluster_state, counts_for
from agent.store.hours import (
    ClosedHour,
    OpenHour,
    aggregates_of,
    closed_hours,
    hour_before,
    put_hour,
    uncounted,
)
from agent.store.losses import count_loss
from agent.store.snapshots import Snapshot, put_snapshot, snapshot_before
from agent.store.thresholds import put_threshold_statuses
from agent.store.ticks import numbers_of, remove_lost, tick_before, ticks_of
from agent.store.timeline import Reckoning

LOG = logger("hourly")
LATE_FOR = timedelta(hours=2)  # a late sample corrects its hour within this time; later ones are counted as lost
SET_BACK, TOO_LATE = "clock-set-back", "tick-too-late"
COUNTED_ELSEWHERE, NO_TURN = "counted-by-another-node", "no-turn-at-hour-end"


def close_hours(pipeline: Pipeline, now: Reckoning) -> Closed:
    """Close every hour that is over (and re-close one with late ticks), and seal what consent allows.

    Over means: by the line of the ticks and by the wall clock; `agent.store.timeline` says why both.
    """
    settings, store = pipeline.settings, pipeline.store
    closed = Closed()
    if not now.is_set:
        why = f"The host's clock says {now.surely:%Y-%m-%d}."
        log(LOG, logging.WARNING, "hour.not_closed", why=why, do="Set the clock.")
        return closed
    # Without the database nobody takes turns, so no further tick can confirm one: the daemon calls as on a lone node.
    takes_turns = pipeline.clustered and settings.database.enabled
    waits = timedelta(seconds=closes_after_s(settings, clustered=takes_turns))
    found = uncounted(store, settings.hour.length_s)
    # Before the hours: a tick that no hour can take would keep the watermark where it is, and nothing would ever be
    # tidied.
    _count_set_back(store, found.set_back, now.label)
    for item in found.hours:
        # An hour that the store has left and that is still to come was labelled by a clock that has gone back since.
        abandoned = item.is_left and item.hour.start > now.label
        if not item.vouched or not (abandoned or item.hour.end + waits <= now.surely):
            break  # nor any that was measured after it: each is compared with the one before
        if item.revision > 0 and item.hour.end + late_for(settings) < now.label:
            _count_late(store, item, now.label)
            continue
        closed.batches += _close(pipeline, item, now.label, closed)
    closed.batches += _seal_earlier(pipeline, now.label)
    return closed


def late_for(settings: Settings) -> timedelta:
    """How long after its end an hour takes late ticks: two hours, or two windows of a demo."""
    return min(LATE_FOR, timedelta(seconds=2 * settings.hour.length_s))


@dataclass(frozen=True, slots=True)
class HourContent:
    """What an hour holds before consent, and what closing it stores beside; `ticks` are those that count.

    `left` are rows that held something and are another node's to count. `consent` is None when nothing may be sealed.
    """

    aggregates: list[HourlyAggregate]
    ticks: int
    last_tick: int
    left: int
    events: int
    snapshot: Snapshot
    consent: Consent | None


def measure(pipeline: Pipeline, item: OpenHour, now: datetime) -> HourContent:
    """An hour as its ticks are now; nothing is stored, so a preview may ask for it before its end."""
    hour = item.hour
    stored = ticks_of(pipeline.store, hour)
    consent = consent_of(pipeline.consents, stored, pipeline.marks)
    material = _material(pipeline, hour, stored, consent)
    changed, snapshot = events_between(material.snapshot, material.ticks)
    done, snapshot = audit_events(snapshot, audit.entries(pipeline.store), hour, now)
    events = (*changed, *done)
    if consent is not None:
        material, events = _counted(pipeline, material, events)
    measured = _aggregate(pipeline, hour, material, events)
    aggregates = _of_this_node(pipeline, hour, measured)
    # Another node's hour: only rows that held something here are worth a word.
    left = sum(1 for row in measured if row.samples) - sum(1 for row in aggregates if row.samples)
    return HourContent(aggregates, len(material.ticks), stored[-1].number, left, len(events), snapshot, consent)


def _close(pipeline: Pipeline, item: OpenHour, now: datetime, closed: Closed) -> int:
    hour, revision = item.hour, item.revision
    measured = measure(pipeline, item, now)
    aggregates, left = measured.aggregates, measured.left
    record = ClosedHour(hour, revision, now, measured.last_tick, measured.ticks)
    # All that takes time is done before the transaction: it holds the write lock, and the daemon has a tick to store.
    batches = (
        pipeline.batches(hour, revision, aggregates, now, under=measured.consent)
        if measured.consent is not None
        else []
    )
    with pipeline.store.transaction() as connection:
        put_hour(connection, record, aggregates)
        put_snapshot(connection, hour, measured.snapshot, measured.last_tick)
        put_threshold_statuses(pipeline.store, connection, threshold_statuses_of(aggregates, pipeline.catalog))
        for batch in batches:
            outbox.put(connection, batch)
        # After the new batches, which count as well; the oldest go, each a loss by name.
        outbox.enforce_limit(connection, pipeline.settings.delivery.outbox_limit_bytes, now)
        # An hour that is closed once more leaves the same rows to the same node: they were counted the first time.
        if revision == 0:
            count_loss(connection, _left_to(pipeline.store), left, now)
    closed.hours.append(record)
    log(
        LOG,
        logging.INFO,
        "hour.closed",
        start=f"{hour.start:%Y-%m-%dT%H:%M:%SZ}",
        revision=revision,
        ticks=measured.ticks,
        series=len(aggregates),
        batches=len(batches),
        events=measured.events,
    )
    if left:
        why = "This node did not hold the cluster's lock at the hour's end."
        log(LOG, logging.INFO, "hour.left_to_other_node", start=f"{hour.start:%Y-%m-%dT%H:%M:%SZ}", rows=left, why=why)
    return len(batches)


def _left_to(store: Store) -> str:
    """By its true name: another node has the lock, or nobody can say that one counted the hour that we must leave out.

    A holder that restarts over an hour's end is the usual case, and on a cluster of one node nobody else counts it.
    """
    state = cluster_state(store)
    return COUNTED_ELSEWHERE if state is not None and state.role is Role.STANDBY else NO_TURN


def _of_this_node(pipeline: Pipeline, hour: Hour, aggregates: list[HourlyAggregate]) -> list[HourlyAggregate]:
    """In a cluster, without what another node counts for this hour; see `agent.store.cluster`."""
    if not pipeline.clustered:
        return aggregates
    state = cluster_state(pipeline.store)
    if state is not None and counts_for(state.holds, hour):
        return aggregates
    return without_cluster_rows(aggregates, pipeline.catalog)


def _material(pipeline: Pipeline, hour: Hour, ticks: list[Tick], consent: Consent | None) -> Material:
    """What is known of the hour and of the one before it, with one name for one thing."""
    store, first = pipeline.store, ticks[0].number
    last = hour_before(store, hour, first)
    known = aggregates_of(store, last.hour, last.revision) if last is not None else []
    material = Material(ticks, tick_before(store, first), known, snapshot_before(store, first))
    level = (consent or pipeline.consent_or_basic()).level
    return align_names(material, pipeline.catalog, level, pipeline.pseudonyms, list_of)


def _counted(pipeline: Pipeline, material: Material, events: Iterable[Event]) -> tuple[Material, tuple[Event, ...]]:
    """What of the hour was measured since consent was given: the rest is counted in nothing that leaves."""
    consents = pipeline.consents
    measured = [*([] if material.before is None else [material.before]), *material.ticks]
    inside = covered(consents, measured, pipeline.marks)
    before = material.before if material.before in inside[:1] else None
    known = [] if before is not material.before else material.known  # not even that a series was there before
    counted = replace(material, ticks=inside if before is None else inside[1:], before=before, known=known)
    begun = {tick.taken_at for tick in inside}
    outside = {tick.taken_at for tick in measured} - begun

    def is_counted(event: Event) -> bool:
        """Begun with a tick that counts, or else, by its label, since consent was given."""
        at = event.observed_from
        return at in begun or (at not in outside and is_covered(consents, at))

    return counted, tuple(event for event in events if is_counted(event))


def _aggregate(pipeline: Pipeline, hour: Hour, material: Material, events: tuple[Event, ...]) -> list[HourlyAggregate]:
    return aggregate(
        with_events(material.ticks, events),
        hour,
        expected=max(round(hour.length_s / pipeline.settings.sampling.interval_s), 1),
        kinds={name: metric.kind for name, metric in pipeline.catalog.metrics.items()},
        before=material.before,
        known=material.known,
        hourly=_hourly(pipeline.catalog),
    )


def _hourly(catalog: Catalog) -> frozenset[str]:
    """The metrics that are asked once an hour."""
    return frozenset(
        name
        for name, metric in catalog.metrics.items()
        if metric.sql is not None and catalog.queries[metric.sql.query].every is Every.HOUR
    )


def _seal_earlier(pipeline: Pipeline, now: datetime) -> int:
    """Seal hours that were closed while nothing could be sealed (the link's files were out of reach)."""
    sealed = 0
    for item in closed_hours(pipeline.store):
        consent = pipeline.consent_throughout(item)
        if consent is None or outbox.is_sealed(pipeline.store, item.hour, item.revision):
            continue
        batches = pipeline.batches(
            item.hour, item.revision, aggregates_of(pipeline.store, item.hour, item.revision), now, under=consent
        )
        with pipeline.store.transaction() as connection:
            for batch in batches:
                outbox.put(connection, batch)
        sealed += len(batches)
    return sealed


def _count_late(store: Store, item: OpenHour, now: datetime) -> None:
    """Too late to correct the hour: the ticks are dropped, counted, and said."""
    late = numbers_of(store, item.hour, item.first, item.last)
    with store.transaction() as connection:
        remove_lost(connection, late, TOO_LATE, now)
    hour = f"{item.hour.start:%Y-%m-%dT%H:%M:%SZ}"
    log(LOG, logging.WARNING, "tick.too_late", hour=hour, ticks=len(late), revision=item.revision)


def _count_set_back(store: Store, numbers: Sequence[int], now: datetime) -> None:
    """Ticks that a clock set back labelled into an hour that is past: it was sealed, and is never opened again."""
    if numbers:
        with store.transaction() as connection:
            remove_lost(connection, numbers, SET_BACK, now)
        log(
            LOG,
            logging.WARNING,
            "tick.set_back",
            ticks=len(numbers),
            why="The clock was set back, into hours that were counted before.",
            do="Nothing: they are in the list of losses of portfolio-agent status.",
        )
