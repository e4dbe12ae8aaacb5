"""Bundles: when one is due in an offline run, and one by hand under the same lock.

In:   closed hours and sealed batches. Out: a file in the bundle folder, its ledger rows, an audit row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from agent import __version__
from agent.batching import document_bytes, render_entry
from agent.consent.periods import consent_throughout
from agent.delivery.bundle import BundleContents, remove_old, write_bundle
from agent.errors import Degraded
from agent.model import Batch, BatchId, Category, Consent, ConsentedRecord, ConsentLevel
from agent.runtime.hourly.lock import run_lock
from agent.runtime.pipeline import Pipeline, basic_consent, open_pipeline
from agent.settings import Settings
from agent.store import audit, ledger, outbox
from agent.store.hours import aggregates_of, closed_hours
from agent.store.ledger import Carried
from agent.store.meta import meta, set_meta
from agent.store.outbox import BatchState
from agent.store.timeline import reckon
from agent.system.clock import Clock

LAST_BUNDLE = "last-bundle"
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
    contents = BundleContents(pipeline.identity, pipeline.labelled(consent), __version__, *_descriptions(pipeline))
    sizes = [row.size_bytes for row in outbox.rows(pipeline.store, since=since)]
    carried: list[Carried] = []
    path = write_bundle(
        folder,
        _noted(_bundled(pipeline, since, consent, now), carried),
        contents,
        expected_bytes=sum(sizes) + 65_536,
        unpack=document_bytes,
        render=render_entry,
        now=now,
    )
    # Only what the zip holds, and nothing is filtered or sealed in here: the daemon waits for this transaction.
    with pipeline.store.transaction() as connection:
        set_meta(connection, LAST_BUNDLE, now.isoformat())
        for item in carried:
            ledger.record(connection, item, way="bundle", destination=path.name, at=now, answer="written")
    audit.record(pipeline.store, now, actor, "bundle.written", {"file": path.name, "level": consent.level.value})
    remove_old(folder, pipeline.settings.bundle.keep, now)
    return path


def write_bundle_by_hand(settings: Settings, folder: Path, clock: Clock, *, wait_s: float = WAIT_FOR_RUN_S) -> Path:
    """One bundle now, for whoever asked on the command line.

    Under the lock of the hourly run, which changes what the bundle reads; waits up to `wait_s` for it, then raises
    AlreadyRunning.
    """
    with open_pipeline(settings) as pipeline, run_lock(settings.agent.state_dir, wait_s):
        now = reckon(pipeline.store, clock.now()).label
        return bundle_now(pipeline, folder, now, actor=audit.current_actor())


def _noted(batches: Iterable[Batch], carried: list[Carried]) -> Iterator[Batch]:
    """The same batches; what the ledger needs of each is added to `carried` as it passes."""
    for batch in batches:
        yield batch
        carried.append(Carried.of(batch))


def _bundled(pipeline: Pipeline, since: datetime, consent: Consent, now: datetime) -> Iterator[Batch]:
    """The batches of a bundle, oldest first: the sealed ones as they are, and hours that were never sealed."""
    rows = outbox.rows(
        pipeline.store, since=since, states=(BatchState.WAITING, BatchState.ACKNOWLEDGED, BatchState.SET_ASIDE)
    )
    for row in rows:
        batch = outbox.load(pipeline.store, BatchId(row.id))
        if batch is not None and consent.level.allows(batch.consent.level):
            yield batch
    sealed = {(row.hour.start, row.revision) for row in rows}
    for item in closed_hours(pipeline.store, since):
        if (item.hour.start, item.revision) not in sealed:
            aggregates = aggregates_of(pipeline.store, item.hour, item.revision)
            under = consent_throughout(pipeline.consents, item.hour) or _by_hand(pipeline, consent)
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
