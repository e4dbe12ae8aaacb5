"""The hourly run: close hours, filter by consent, seal batches, push what waits or write a bundle, tidy up.

In:   the store and the link. Out: a report of what was done. The same run is started by the daemon each hour and by
an admin with `portfolio-agent deliver`; a file lock keeps two of them apart.
Each hour is closed in one transaction together with its batches, so a crash leaves it open or sealed, never half.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.aggregation import Event, aggregate, audit_events, list_of, watch, with_events
from agent.aggregation.cluster_rows import without_cluster_rows
from agent.aggregation.thresholds import threshold_statuses_of
from agent.consent import Material, align_names
from agent.consent.periods import consent_of, consent_throughout, covered, is_covered
from agent.errors import AgentError, AlreadyRunning, StoreError
from agent.log import log, logger
from agent.model import Consent, Hour, HourlyAggregate, Tick
from agent.runtime.pipeline import Pipeline
from agent.settings import Settings
from agent.settings.schedule import closes_after_s
from agent.store import Store, audit, outbox
from agent.store.cluster import cluster_state, counts_for
from agent.store.hours import ClosedHour, aggregates_of, closed_hours, hours_with_new_ticks, put_hour, remove_hours
from agent.store.losses import count_loss
from agent.store.snapshots import put_snapshot, remove_snapshots, snapshot_before
from agent.store.thresholds import put_threshold_statuses
from agent.store.ticks import last_tick_before, remove_ticks, ticks_of

LOG = logger("hourly")
LATE_FOR = timedelta(hours=2)  # a late sample corrects its hour within this time; later ones are counted as lost
CLOCK_FLOOR = datetime(2026, 1, 1, tzinfo=UTC)  # a host clock before this is not set yet
RUN_LOCK = "hourly.lock"


@dataclass(slots=True)
class Closed:
    """What closing did: which hours, how many batches were sealed."""

    hours: list[ClosedHour] = field(default_factory=list)
    batches: int = 0


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """One hourly run at a time on one state folder. Raises AlreadyRunning."""
    handle = os.open(folder / RUN_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(
                "Another delivery run is at work.",
                why="The daemon runs one each hour, and after an outage it may take some minutes.",
                do="Wait for it; see: portfolio-agent status",
            ) from None
        yield
    finally:
        os.close(handle)


def close_hours(pipeline: Pipeline, now: datetime) -> Closed:
    """Close every hour that is over (and re-close one with late ticks), and seal what consent allows."""
    settings, store = pipeline.settings, pipeline.store
    closed = Closed()
    if now < CLOCK_FLOOR:
        log(LOG, logging.WARNING, "hour.not_closed", why=f"The host's clock says {now:%Y-%m-%d}.", do="Set the clock.")
        return closed
    for hour, revision in hours_with_new_ticks(store, settings.hour.length_s):
        if hour.end + timedelta(seconds=closes_after_s(settings, clustered=pipeline.clustered)) > now:
            continue
        if revision > 0 and hour.end + late_for(settings) < now:
            _count_late(store, hour, revision, now)
            continue
        closed.batches += _close(pipeline, hour, revision, now, closed)
    closed.batches += _seal_earlier(pipeline, now)
    return closed


def late_for(settings: Settings) -> timedelta:
    """How long after its end an hour takes late ticks: two hours, or two windows of a demo."""
    return min(LATE_FOR, timedelta(seconds=2 * settings.hour.length_s))


def _close(pipeline: Pipeline, hour: Hour, revision: int, now: datetime, closed: Closed) -> int:
    stored = ticks_of(pipeline.store, hour)
    consent = consent_of(pipeline.consents, stored)
    material = _material(pipeline, hour, stored, consent)
    changed, snapshot = watch(material.snapshot, material.ticks)
    done, snapshot = audit_events(snapshot, audit.entries(pipeline.store), hour)
    events = (*changed, *done)
    if consent is not None:
        material, events = _counted(pipeline, material, events)
    measured = _aggregate(pipeline, hour, material, events)
    aggregates = _of_this_node(pipeline, hour, measured)
    # Another node's hour: only rows that held something here are worth a word.
    left = sum(1 for row in measured if row.samples) - sum(1 for row in aggregates if row.samples)
    record = ClosedHour(hour, revision, now, max(tick.number for tick in stored), len(material.ticks))
    batches = pipeline.batches(hour, revision, aggregates, now, under=consent) if consent is not None else []
    with pipeline.store.transaction() as connection:
        put_hour(connection, record, aggregates)
        put_snapshot(connection, hour, snapshot)
        put_threshold_statuses(pipeline.store, connection, threshold_statuses_of(aggregates, pipeline.catalog))
        for batch in batches:
            outbox.put(connection, batch)
        outbox.enforce_limit(connection, pipeline.settings.delivery.outbox_limit_bytes, now)
        if revision == 0:
            count_loss(connection, "counted-by-another-node", left, now)
    closed.hours.append(record)
    log(
        LOG,
        logging.INFO,
        "hour.closed",
        start=f"{hour.start:%Y-%m-%dT%H:%M:%SZ}",
        revision=revision,
        ticks=len(material.ticks),
        series=len(aggregates),
        batches=len(batches),
        events=len(events),
    )
    if left:
        why = "This node did not hold the cluster's lock at the hour's end."
        log(LOG, logging.INFO, "hour.left_to_other_node", start=f"{hour.start:%Y-%m-%dT%H:%M:%SZ}", rows=left, why=why)
    return len(batches)


def _of_this_node(pipeline: Pipeline, hour: Hour, aggregates: list[HourlyAggregate]) -> list[HourlyAggregate]:
    """In a cluster, without what another node counts for this hour; see `agent.store.cluster`."""
    if not pipeline.clustered:
        return aggregates
    state = cluster_state(pipeline.store)
    if state is not None and counts_for(state.terms, hour):
        return aggregates
    return without_cluster_rows(aggregates, pipeline.catalog)


def _material(pipeline: Pipeline, hour: Hour, ticks: list[Tick], consent: Consent | None) -> Material:
    """What is known of the hour and of the one before it, with one name for one thing."""
    store = pipeline.store
    before = [
        item
        for item in closed_hours(store, hour.start - timedelta(seconds=hour.length_s))
        if item.hour.end <= hour.start
    ]
    known = aggregates_of(store, before[-1].hour, before[-1].revision) if before else []
    material = Material(ticks, last_tick_before(store, hour.start), known, snapshot_before(store, hour))
    level = (consent or pipeline.consent_or_basic()).level
    return align_names(material, pipeline.catalog, level, pipeline.pseudonyms, list_of)


def _counted(pipeline: Pipeline, material: Material, events: Iterable[Event]) -> tuple[Material, tuple[Event, ...]]:
    """What of the hour was measured since consent was given: the rest is counted in nothing that leaves."""
    consents = pipeline.consents
    before = material.before if material.before is not None and is_covered(consents, material.before.taken_at) else None
    known = [] if before is not material.before else material.known  # not even that a series was there before
    counted = replace(material, ticks=covered(consents, material.ticks), before=before, known=known)
    return counted, tuple(event for event in events if is_covered(consents, event.observed_from))


def _aggregate(pipeline: Pipeline, hour: Hour, material: Material, events: tuple[Event, ...]) -> list[HourlyAggregate]:
    return aggregate(
        with_events(material.ticks, events),
        hour,
        expected=max(round(hour.length_s / pipeline.settings.sampling.interval_s), 1),
        kinds={name: metric.kind for name, metric in pipeline.catalog.metrics.items()},
        before=material.before,
        known=material.known,
    )


def _seal_earlier(pipeline: Pipeline, now: datetime) -> int:
    """Seal hours that were closed while nothing could be sealed (the link's files were out of reach)."""
    sealed = 0
    for item in closed_hours(pipeline.store):
        consent = consent_throughout(pipeline.consents, item.hour)
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


def _count_late(store: Store, hour: Hour, revision: int, now: datetime) -> None:
    """Too late to correct the hour: the ticks are dropped, counted, and said."""
    known = [item for item in closed_hours(store) if item.hour.start == hour.start]
    counted = known[-1].last_tick if known else 0
    with store.transaction() as connection:
        late = connection.execute(
            "DELETE FROM tick WHERE hour_s = ? AND number > ?", (int(hour.start.timestamp()), counted)
        ).rowcount
        count_loss(connection, "tick-too-late", late, now)
    log(LOG, logging.WARNING, "tick.too_late", hour=f"{hour.start:%Y-%m-%dT%H:%M:%SZ}", ticks=late, revision=revision)


def tidy(pipeline: Pipeline, now: datetime) -> None:
    """Remove what nobody needs any more: counted ticks, old hours, the bodies of old batches; give pages back."""
    settings = pipeline.settings
    keep = timedelta(days=settings.bundle.days)
    # The newest hour's ticks stay: its last tick is what the next hour's counters start from.
    before = now - late_for(settings) - timedelta(seconds=2 * settings.hour.length_s)
    try:
        with pipeline.store.transaction() as connection:
            remove_ticks(connection, int(before.timestamp()))
            remove_snapshots(connection, before)
            remove_hours(connection, now - keep)
            outbox.forget_settled(connection, now - keep)
            outbox.remove_settled(connection, now - 2 * keep)
        pipeline.store.connection.execute("PRAGMA incremental_vacuum(2000)").fetchall()
    except StoreError as error:
        log(LOG, logging.WARNING, "store.not_tidied", why=error.why, do=error.do)


@dataclass(slots=True)
class HourlyReport:
    """What one run did, for the command line and the log."""

    closed: Closed = field(default_factory=Closed)
    resealed: int = 0
    purged: int = 0
    pushed: int = 0
    waiting: int = 0
    bundle: Path | None = None
    problem: AgentError | None = None

    def exit_code(self) -> int:
        """What the command returns."""
        return 0 if self.problem is None else self.problem.exit_code
