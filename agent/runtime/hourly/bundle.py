"""Bundles: when one is due in an offline run, and one by hand under the same lock.

In:   closed hours and sealed batches. Out: a file in the bundle folder, its ledger rows, an audit row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from agent import __version__
from agent.batching import document_bytes, render_entry
from agent.delivery.bundle import BundleContents, LeftOut, bundle_name, remove_old, write_bundle
from agent.errors import AgentError, Degraded
from agent.model import Batch, BatchId, Category, Consent, ConsentedRecord, ConsentLevel
from agent.runtime.hourly.lock import run_lock
from agent.runtime.hourly.within_consent import keep_within_consent
from agent.runtime.pipeline import Pipeline, basic_consent, open_pipeline
from agent.settings import Settings
from agent.store import Store, audit, ledger, outbox
from agent.store.hours import aggregates_of, closed_hours
from agent.store.ledger import Carried
from agent.store.meta import meta, set_meta
from agent.store.outbox import BatchRow, BatchState
from agent.store.timeline import reckon
from agent.system.clock import Clock

LAST_BUNDLE = "last-bundle"
BUNDLED = (BatchState.WAITING, BatchState.ACKNOWLEDGED, BatchState.SET_ASIDE)
WRITTEN = "written"
WAIT_FOR_RUN_S = 10.0  # a bundle by hand waits as long for the hourly run; most take less


def bundle_if_due(pipeline: Pipeline, now: datetime) -> Path | None:
    """A bundle, when the last one is older than the configured interval."""
    last = meta(pipeline.store, LAST_BUNDLE)
    every = timedelta(seconds=pipeline.settings.bundle.every_s)
    # One that lies ahead was written under a clock that was wrong: then a bundle is due.
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
        keep_within_consent(pipeline, now)
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
