"""One delivery run: close hours, keep the outbox within consent, push what waits or write a bundle, tidy up.

Started each hour by the daemon and by hand with `portfolio-agent deliver`; `bundle` uses the second half alone, under
the same lock. What the cloud or the network does is the report's `problem`; only what makes the run impossible is
raised. This process has clocks of its own and makes of them what the daemon does: `agent.store.timeline.reckon`.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from agent import __version__
from agent.batching import document_bytes, render_entry, reseal, split
from agent.delivery.bundle import BundleContents, LeftOut, bundle_name, remove_old, write_bundle
from agent.errors import AgentError, ConsentChanged, Degraded, NotLinked, StoreError
from agent.link.clone import check_clone, read_machine_id
from agent.link.record import read_link, reveal_key
from agent.log import log, logger
from agent.model import Batch, BatchId, Category, Consent, ConsentedRecord, ConsentLevel, Moment
from agent.runtime.hourly.close import HourlyReport, close_hours, run_lock, tidy
from agent.runtime.hourly.forget import forget_names
from agent.runtime.pipeline import Pipeline, basic_consent, open_pipeline
from agent.runtime.resident.child import DAEMON
from agent.settings import Mode, Settings
from agent.store import Store, audit, delivery_state, ledger, outbox
from agent.store.consents import consent_marks, note_seen
from agent.store.hours import aggregates_of, closed_hours
from agent.store.ledger import Carried
from agent.store.meta import meta, set_meta
from agent.store.outbox import BatchRow, BatchState
from agent.store.timeline import Reckoning, reckon
from agent.system.clock import Clock
from agent.system.private_file import trusted_owners
from agent.system.process import die_with_parent, refuse_dumps
from agent.system.stopping import on_stop

LOG = logger("deliver")
LAST_BUNDLE = "last-bundle"
BUNDLED = (BatchState.WAITING, BatchState.ACKNOWLEDGED, BatchState.SET_ASIDE)
WRITTEN = "written"
WAIT_FOR_RUN_S = 10.0  # a bundle by hand waits as long for the hourly run; most take less


def run_scheduled(settings: Settings, clock: Clock, stopping: threading.Event) -> int:
    """The hourly run as the daemon's child: ends with the daemon, tells a problem as one log line.

    Returns the exit code; not being linked is no fault here, `status` tells it.
    """
    daemon = os.environ.get(DAEMON, "")
    if daemon.isdecimal():
        die_with_parent(int(daemon))
    try:
        problem = run_hourly(settings, clock, push=True, stopping=stopping).problem
    except AgentError as error:
        problem = error
    if problem is None or isinstance(problem, NotLinked) or stopping.is_set():
        return 0
    why = f"{problem.what} {problem.why}".strip()
    log(LOG, logging.ERROR, "delivery.failed", why=why, do=problem.do, exit_code=problem.exit_code)
    return problem.exit_code


def run_hourly(settings: Settings, clock: Clock, *, push: bool, stopping: threading.Event) -> HourlyReport:
    """Everything that is due once an hour. Raises AgentError when nothing of it could be done.

    On a full disk no hour can be closed, but what waits is pushed all the same: that is what makes room.
    When consent is lowered meanwhile, the run begins again under the new one.
    """
    while True:
        with suppress(ConsentChanged):
            return _run_once(settings, clock, push=push, stopping=stopping)


def _run_once(settings: Settings, clock: Clock, *, push: bool, stopping: threading.Event) -> HourlyReport:
    # The lock first: what the pipeline reads (consent, marks) must not be older than the run.
    with run_lock(settings.agent.state_dir), open_pipeline(settings) as pipeline:
        report = HourlyReport()
        moment = clock.now()
        now = reckon(pipeline.store, moment)
        _tell_doubt(now)
        pipeline = _with_marks(pipeline, now, moment)
        unclosed: StoreError | None = None
        try:
            report.closed = close_hours(pipeline, now)
        except StoreError as error:
            unclosed = error
        _keep_within_consent(pipeline, now.label, report)
        try:
            if settings.agent.mode is Mode.OFFLINE:
                report.bundle = bundle_if_due(pipeline, now.label)
            elif push and pipeline.record is not None and pipeline.consent is not None:
                _push(pipeline, clock, stopping, report)
            elif push and pipeline.record is None:
                report.problem = NotLinked(
                    "Nothing is pushed.",
                    why="This instance is not linked to the cloud.",
                    do='Run: portfolio-agent link, or set mode = "offline" in [agent] to write bundles instead.',
                )
        except ConsentChanged:
            raise
        except AgentError as error:
            report.problem = error
            _remember(pipeline.store, error, now.label)
        report.problem = report.problem or unclosed
        report.waiting = outbox.size(pipeline.store).waiting
        forget_names(pipeline, now.label)
        tidy(pipeline, now.label)
    return report


def _with_marks(pipeline: Pipeline, now: Reckoning, moment: Moment) -> Pipeline:
    """The pipeline with marks of all consents that were given elsewhere under a clock that was ahead."""
    try:
        note_seen(pipeline.store, pipeline.consents, now.label, moment)
    except StoreError:  # a full disk: their hours stay here until it takes a write
        return pipeline
    return pipeline.with_marks(consent_marks(pipeline.store))


def _tell_doubt(now: Reckoning) -> None:
    if now.doubt is not None:
        log(
            LOG,
            logging.WARNING,
            "clock.in_doubt",
            ahead_s=round(now.doubt.apart_ms / 1000),
            why="The clock was set: hours measured since then are not closed until it is known which time is right.",
            do="Set the clock right; see: timedatectl, portfolio-agent status",
        )


def _remember(store: Store, error: AgentError, now: datetime) -> None:
    """Let `status` tell why nothing could be pushed (an unreadable key, a copied state folder)."""
    with suppress(StoreError):  # a full disk may refuse this too; `status` looks at the disk itself
        delivery_state.note_problem(store, f"{error.what} {error.why}".strip(), error.do, now)


def _keep_within_consent(pipeline: Pipeline, now: datetime, report: HourlyReport) -> None:
    """Before anything leaves: what was sealed above the present consent is filtered again or purged."""
    consent = pipeline.consent
    if consent is None:
        return
    done = reseal(
        pipeline.store,
        lambda hour, revision: pipeline.batches(hour, revision, aggregates_of(pipeline.store, hour, revision), now),
        consent,
        now,
    )
    report.resealed, report.purged = done.sealed, done.purged


def _push(pipeline: Pipeline, clock: Clock, stopping: threading.Event, report: HourlyReport) -> None:
    """Push all that waits under the link's key."""
    from agent.delivery.http import open_client  # h11 and ssl: not needed by a bundle nor offline
    from agent.delivery.push import PushPace, push_waiting

    settings, record = pipeline.settings, pipeline.record
    if record is None or record.consent.level is ConsentLevel.NONE:
        return
    check_clone(pipeline.store, read_machine_id())
    refuse_dumps()
    key = reveal_key(
        record,
        settings.link_dir,
        pipeline.facts.instance_id,
        owners=trusted_owners(settings.agent.state_dir),
    )

    def permits(batch: Batch) -> bool:
        present = read_link(settings.link_dir, owners=trusted_owners(settings.agent.state_dir))
        return present is not None and present.consent.level.allows(batch.consent.level)

    pace = PushPace(settings.delivery.retry_for_s, settings.delivery.first_wait_s, settings.delivery.longest_wait_s)
    with open_client(settings.cloud) as client, on_stop(stopping, client.abort):
        done = push_waiting(
            pipeline.store,
            client,
            key,
            clock=lambda: clock.now().wall,
            stopping=stopping,
            split=split,
            destination=record.endpoint,
            permits=permits,
            pace=pace,
        )
    report.pushed, report.problem = done.acknowledged, done.problem


def bundle_if_due(pipeline: Pipeline, now: datetime) -> Path | None:
    """A bundle, when the last one is older than the configured interval."""
    last = meta(pipeline.store, LAST_BUNDLE)
    every = timedelta(seconds=pipeline.settings.bundle.every_s)
    if last is not None and timedelta(0) <= now - datetime.fromisoformat(last) < every:
        return None
    if not closed_hours(pipeline.store):
        return None  # nothing to tell yet; the next run tries again
    return bundle_now(pipeline, pipeline.settings.bundle_folder, now, actor="schedule")


def bundle_now(pipeline: Pipeline, folder: Path, now: datetime, *, actor: str) -> Path:
    """Write one bundle of the last days under the present consent (Basic without a link); durable on return.

    Raises Degraded when no hour is closed yet: there would be nothing in it.
    """
    since = now - timedelta(days=pipeline.settings.bundle.days)
    if not closed_hours(pipeline.store, since):
        raise Degraded(
            "There is nothing to bundle yet.",
            why="No hour has been closed; the first one closes a minute after its end.",
            do="Let the agent run, then see: portfolio-agent status",
        )
    consent = pipeline.consent_or_basic()
    rows = outbox.rows(pipeline.store, since=since, states=BUNDLED)
    left_out = _left_out(pipeline.store, rows, consent)
    contents = BundleContents(
        pipeline.identity, pipeline.labelled(consent), __version__, *_descriptions(pipeline), left_out=left_out
    )
    _settle_ledger(pipeline.store, folder)
    carried: list[Carried] = []
    opened: list[int] = []

    def note(path: Path) -> None:
        # Before the file has its name: from then on somebody may carry it away, whatever becomes of this process.
        # Only what the zip holds, and nothing is filtered or sealed in here: the daemon waits for this transaction.
        with pipeline.store.transaction() as connection:
            for item in carried:
                opened.append(
                    ledger.record(
                        connection, item, way="bundle", destination=path.name, at=now, answer=ledger.NOT_NAMED
                    )
                )

    try:
        path = write_bundle(
            folder,
            _noted(_bundled(pipeline, rows, since, consent), carried),
            contents,
            expected_bytes=sum(row.size_bytes for row in rows) + 65_536,
            unpack=document_bytes,
            render=render_entry,
            now=now,
            note=note,
        )
    except AgentError:
        # The name may be there and only its folder not synced: then the rows stay, the file can be carried away.
        if opened and not (folder / bundle_name(pipeline.identity, now)).exists():
            with pipeline.store.transaction() as connection:
                for number in opened:
                    ledger.withdraw(connection, number)
        raise
    with pipeline.store.transaction() as connection:
        set_meta(connection, LAST_BUNDLE, now.isoformat())
        for number in opened:
            ledger.complete(connection, number, WRITTEN)
        audit.add(connection, now, actor, "bundle.written", {"file": path.name, "level": consent.level.value})
    remove_old(folder, pipeline.settings.bundle.keep, now, _names_written(pipeline.store))
    return path


def _settle_ledger(store: Store, folder: Path) -> None:
    """A crash between a bundle's name and its rows: the file is there, so it was written. Else nobody knows."""
    found = [number for number, name in ledger.not_named(store) if (folder / name).exists()]
    if found:
        with store.transaction() as connection:
            for number in found:
                ledger.complete(connection, number, WRITTEN)


def _names_written(store: Store) -> list[str]:
    """The names of all bundles, in the order they were written."""
    return [str(row.detail.get("file", "")) for row in audit.entries(store) if row.event == "bundle.written"]


def _left_out(store: Store, rows: Sequence[BatchRow], consent: Consent) -> list[LeftOut]:
    """What was sealed and is not in the bundle, with the reason."""
    kept = outbox.with_body(store)
    found = []
    for row in rows:
        if not consent.level.allows(row.level):
            found.append(LeftOut(f"batch {row.id}", f"sealed under {row.level.value}"))
        elif row.id not in kept:
            found.append(LeftOut(f"batch {row.id}", "the cloud has it already, and its bytes are not kept any more"))
    return found


def write_bundle_by_hand(settings: Settings, folder: Path, clock: Clock, *, wait_s: float = WAIT_FOR_RUN_S) -> Path:
    """One bundle now, for whoever asked on the command line.

    Under the lock of the hourly run, which changes what the bundle reads; waits up to `wait_s` for it, then raises
    AlreadyRunning.
    """
    # The lock first: a consent that is lowered while this waits holds for the bundle.
    with run_lock(settings.agent.state_dir, wait_s), open_pipeline(settings) as pipeline:
        now = reckon(pipeline.store, clock.now()).label
        _keep_within_consent(pipeline, now, HourlyReport())
        return bundle_now(pipeline, folder, now, actor=audit.current_actor())


def _noted(batches: Iterable[Batch], carried: list[Carried]) -> Iterator[Batch]:
    """The same batches; what the ledger needs of each is added to `carried` as it passes."""
    for batch in batches:
        yield batch
        carried.append(Carried.of(batch))


def _bundled(pipeline: Pipeline, rows: Sequence[BatchRow], since: datetime, consent: Consent) -> Iterator[Batch]:
    """The batches of a bundle, oldest first: the sealed ones as they are, and hours that were never sealed."""
    for row in rows:
        batch = outbox.load(pipeline.store, BatchId(row.id))
        if batch is not None and consent.level.allows(batch.consent.level):
            yield batch
    sealed = {(row.hour.start, row.revision) for row in rows}
    for item in closed_hours(pipeline.store, since):
        if (item.hour.start, item.revision) not in sealed:
            aggregates = aggregates_of(pipeline.store, item.hour, item.revision)
            under = pipeline.consent_throughout(item) or _by_hand(pipeline, consent)
            yield from pipeline.batches(item.hour, item.revision, aggregates, item.closed_at, under=under)


def _by_hand(pipeline: Pipeline, consent: Consent) -> Consent:
    """For an hour from before consent was given, which a person may carry all the same: what holds without a link."""
    return basic_consent(pipeline.catalog) if consent.level.allows(ConsentLevel.BASIC) else consent


def _descriptions(pipeline: Pipeline) -> tuple[list[ConsentedRecord], list[ConsentedRecord]]:
    """The consented records about the product and about the host, of the newest closed hour."""
    newest = closed_hours(pipeline.store)[-1]
    rows = aggregates_of(pipeline.store, newest.hour, newest.revision)
    records = list(pipeline.door().records(row.row for row in rows))
    metrics = pipeline.catalog.metrics
    product = [item for item in records if metrics[item.metric_name].category is Category.INSTANCE]
    host = [item for item in records if metrics[item.metric_name].source == "host"]
    return product, host
