"""One delivery run: close hours, keep the outbox within consent, push what waits or write a bundle, tidy up.

Started each hour by the daemon and by hand with `portfolio-agent deliver`; `bundle` (bundle.py) takes the same lock.
What the cloud or the network does is the report's `problem`; only what makes the run impossible is raised. This process
has clocks of its own and makes of them what the daemon does: `agent.store.timeline.reckon`.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from datetime import datetime

from agent.batching import split
from agent.errors import AgentError, ConsentChanged, NotLinked, StoreError
from agent.link.clone import check_clone, read_machine_id
from agent.link.record import read_link, reveal_key
from agent.log import log, logger
from agent.model import Batch, ConsentLevel, Moment
from agent.runtime.hourly.bundle import bundle_if_due
from agent.runtime.hourly.close import close_hours
from agent.runtime.hourly.forget import forget_names
from agent.runtime.hourly.lock import run_lock
from agent.runtime.hourly.report import HourlyReport
from agent.runtime.hourly.tidy import tidy
from agent.runtime.hourly.within_consent import keep_within_consent
from agent.runtime.pipeline import Pipeline, open_pipeline
from agent.runtime.resident.child import DAEMON
from agent.settings import Mode, Settings
from agent.store import Store, delivery_state, outbox
from agent.store.consents import consent_marks, note_seen
from agent.store.timeline import Reckoning, reckon
from agent.system.clock import Clock
from agent.system.private_file import trusted_owners
from agent.system.process import die_with_parent, refuse_dumps
from agent.system.stopping import on_stop

LOG = logger("deliver")


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
        # The order of a run. Close, so that what is due can leave; bring what waits within consent, so that nothing
        # leaves above it; push or bundle; and only then forget and tidy, which delete, so that nothing goes that was
        # not accounted for.
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
        done = keep_within_consent(pipeline, now.label)
        report.resealed, report.purged = done.sealed, done.purged
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


def _push(pipeline: Pipeline, clock: Clock, stopping: threading.Event, report: HourlyReport) -> None:
    """Push all that waits under the link's key."""
    from agent.delivery.http import open_client  # h11 and ssl: not needed by a bundle nor offline
    from agent.delivery.push import PushPace, push_waiting

    settings, record = pipeline.settings, pipeline.record
    if record is None or record.consent.level is ConsentLevel.NONE:
        return
    # Before the key is opened: a copied machine must not even log in with it.
    check_clone(pipeline.store, read_machine_id())
    # From the next line on the key is in this process's memory.
    refuse_dumps()
    key = reveal_key(
        record,
        settings.link_dir,
        pipeline.facts.instance_id,
        owners=trusted_owners(settings.agent.state_dir),
    )

    def permits(batch: Batch) -> bool:
        # Read anew each time: `consent set` may have run beside this process, and holds from that moment.
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
