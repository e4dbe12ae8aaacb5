"""Sixth stage, first exit: what waits is pushed, oldest hour first, one request in flight.

In:   the outbox, a CloudClient, the security key. Out: a PushReport; every batch is acknowledged or still on disk.
The stored bytes are sent on every try, under the same id. A request that got no answer may have arrived: the same
id again makes that harmless. What must outlive the run (held, asked to wait, last success) is in `delivery_state`.

Tries within one run are spaced by full jitter: 5 s, doubling, at most 15 minutes; a Retry-After is waited for, or
remembered for the next run when it is longer than this run may last.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_delay,
    stop_any,
    stop_when_event_set,
    wait_random_exponential,
)
from tenacity.stop import stop_base

from agent.delivery.answers import Action, AnswerMeaning, judge, problem_of, said
from agent.errors import (
    AgentError,
    BatchRefused,
    ConsentChanged,
    KeyRejected,
    KeyUnreadable,
    PushDeferred,
    StoreError,
)
from agent.log import log, logger
from agent.model import Batch
from agent.net.answer import HttpAnswer
from agent.net.cloud import CloudClient
from agent.settings import Secret
from agent.store import Store, delivery_state, ledger, outbox, reserve
from agent.store.delivery_state import DeliveryState
from agent.system.clock import monotonic_s

LOG = logger("push")
T = TypeVar("T")

# A receiver in the middle of its own upgrade may refuse what it takes an hour later.
REFUSALS_BEFORE_ASIDE = 3
# After 401, 403 or 410 everything is held; one request an hour finds out whether the link was mended over there.
PROBE_EVERY = timedelta(hours=1)
# A week's backlog drains within half an hour at this pace, beside the live hour; more would be felt over there, where
# many sites come back from one outage at the same time.
PACE_S = 1.0
REMEMBER_WAITS_FROM_S = 1.0

Split = Callable[[Batch, datetime], list[Batch]]
Clock = Callable[[], datetime]
Permits = Callable[[Batch], bool]


class PushOutcome(StrEnum):
    """How one run ended."""

    DELIVERED = "delivered"
    NOTHING_WAITED = "nothing-waited"
    DEFERRED = "deferred"
    HELD = "held"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class PushReport:
    """What one run did; `problem` says in words why something is still here."""

    outcome: PushOutcome
    acknowledged: int = 0
    set_aside: int = 0
    refused: int = 0
    split: int = 0
    requests: int = 0
    problem: AgentError | None = None


@dataclass(frozen=True, slots=True)
class PushPace:
    """How a run spreads its requests, in seconds; the defaults are the promise (reliability, G5 and G6)."""

    retry_for_s: float = 900.0
    first_wait_s: float = 5.0
    longest_wait_s: float = 900.0
    pace_s: float = PACE_S


def key_id(key: Secret) -> str:
    """What may be shown of a key: the first 8 hex digits of its SHA-256."""
    return hashlib.sha256(key.reveal().encode()).hexdigest()[:8]


def push_waiting(
    store: Store,
    client: CloudClient,
    key: Secret,
    *,
    clock: Clock,
    stopping: threading.Event,
    split: Split,
    destination: str,
    permits: Permits,
    pace: PushPace = PushPace(),
) -> PushReport:
    """Push everything that waits, for at most `pace.retry_for_s` of failing tries, until `stopping` is set.

    `permits` says right before each request whether the consent in force lets this batch go: a run may retry for
    minutes, and a consent that is lowered meanwhile holds at once. Raises ConsentChanged then.
    Never raises for what the receiver or the network does: that is the report's `problem`. StoreError and
    KeyUnreadable pass.
    """
    run = _PushRun(store, client, key, clock, stopping, split, destination, permits, pace)
    held = run.held()
    if held is not None:
        return held
    try:
        reserve.keep(store.folder)
        run.drain()
    except KeyRejected as error:
        return run.report(PushOutcome.HELD, error)
    except PushDeferred as error:
        return run.report(PushOutcome.STOPPED if stopping.is_set() else PushOutcome.DEFERRED, error)
    if stopping.is_set():
        return run.report(PushOutcome.STOPPED)
    return run.report(PushOutcome.DELIVERED if run.requests else PushOutcome.NOTHING_WAITED, run.refusal)


class _PushRun:
    """One run over the outbox; counts what it did."""

    def __init__(
        self,
        store: Store,
        client: CloudClient,
        key: Secret,
        clock: Clock,
        stopping: threading.Event,
        split: Split,
        destination: str,
        permits: Permits,
        pace: PushPace,
    ) -> None:
        self.store = store
        self.client = client
        self.key = key
        self.clock = clock
        self.stopping = stopping
        self.split = split
        self.destination = destination
        self.permits = permits
        self.pace = pace
        self.acknowledged = self.set_aside = self.refused = self.splits = self.requests = 0
        self.refusal: AgentError | None = None
        self._next_request = 0.0
        self._failing_since: float | None = None
        self._disk_is_full = False

    def report(self, outcome: PushOutcome, problem: AgentError | None = None) -> PushReport:
        return PushReport(outcome, self.acknowledged, self.set_aside, self.refused, self.splits, self.requests, problem)

    def held(self) -> PushReport | None:
        """The report of a run that may not send now: the key was refused, or the receiver asked to wait."""
        state, now = delivery_state.load(self.store), self.clock()
        if state.hold and state.hold_key == key_id(self.key) and _ahead(state.next_probe, now, PROBE_EVERY):
            return self.report(
                PushOutcome.HELD, KeyRejected("Nothing is delivered.", why=f"{state.hold}.", do=state.do)
            )
        if state.not_before is not None and _ahead(state.not_before, now, PROBE_EVERY):
            wait_s = (state.not_before - now).total_seconds()
            problem = PushDeferred(
                f"The receiver asked to wait for another {wait_s:.0f} s.",
                why=state.last_answer,
                do="Nothing: the next run tries again.",
                wait_s=wait_s,
                sent=False,
            )
            return self.report(PushOutcome.DEFERRED, problem)
        return None

    def drain(self) -> None:
        """Settle every batch that waits; parts of a split batch are pushed in the same run."""
        refused: set[str] = set()
        while True:
            splits = self.splits
            for batch in outbox.waiting(self.store):
                if self.stopping.is_set():
                    return
                # Once a run: a second refusal an hour later says more than one a second later.
                if batch.id in refused:
                    continue
                self._push(batch)
                refused.add(batch.id)
            # Parts that were sealed meanwhile were not in the list: once more, until nothing was split.
            if self.splits == splits:
                return

    def _push(self, batch: Batch) -> None:
        """Try one batch until it is settled or the run's time for failing tries is used up."""
        tries = Retrying(
            retry=retry_if_exception_type(PushDeferred),
            wait=self._wait,
            stop=stop_any(
                stop_after_delay(max(self.time_left_s(), 0.0)),
                stop_when_event_set(self.stopping),
                _LongerThanLeft(self),
            ),
            sleep=sleep_using_event(self.stopping),
            before_sleep=_log_retry,
            reraise=True,
        )
        tries(self._try, batch)
        self._failing_since = None

    def _try(self, batch: Batch) -> None:
        """One request. Raises PushDeferred to try again, KeyRejected to hold everything."""
        self._keep_pace()
        # These three in this order. Consent is asked for right before, since a run may go on for minutes; the ledger's
        # row is on disk before a byte leaves, so that a crash in between says too much and never too little; then the
        # request.
        if not self.permits(batch):
            raise ConsentChanged("Consent was lowered during this run.", do="Nothing: what waits is filtered again.")
        entry = self._open_ledger(batch)
        self.requests += 1
        try:
            answer = self.client.request(
                "PUT",
                f"/v1/batches/{batch.id}",
                key=self.key,
                body=batch.body,
                headers={
                    "Content-Type": "application/json",
                    "Content-Encoding": "gzip",
                    "Content-SHA256": batch.sha256,
                },
            )
        except PushDeferred as error:
            self._deferred(entry, error)
            raise
        # It was found unfit on this side, before a byte left.
        except KeyUnreadable:
            with self.store.transaction() as connection:
                ledger.withdraw(connection, entry)
            raise
        self._settle(batch, entry, answer)

    def _open_ledger(self, batch: Batch) -> int:
        """The number of this request's ledger row."""
        return self._write(
            lambda connection: ledger.record(
                connection, ledger.Carried.of(batch), way="push", destination=self.destination, at=self.clock()
            )
        )

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """One transaction; on a full disk the reserve is given up for it, and the log's room is used again."""
        folder = self.store.folder
        try:
            with self.store.transaction() as connection:
                return work(connection)
        except StoreError:
            if not reserve.release(folder) and reserve.free_bytes(folder) >= reserve.TIGHT_BELOW_BYTES:
                raise  # it is not for want of space
        self._disk_is_full = True
        self.store.scrub()
        with self.store.transaction() as connection:
            return work(connection)

    def _settle(self, batch: Batch, entry: int, answer: HttpAnswer) -> None:
        now = self.clock()
        meaning = judge(answer, batch, now)
        if meaning.action is Action.ACKNOWLEDGE:
            self._write(lambda connection: self._acknowledge(connection, batch, entry, meaning, now))
            if self._disk_is_full:
                self.store.scrub()
            self.acknowledged += 1
            log(LOG, logging.INFO, "batch.acknowledged", batch=batch.id, size_bytes=len(batch.body), answer=meaning.why)
            return
        heard = said(answer.body, self.key)
        meaning = replace(meaning, why=f"{meaning.why}, it said: {heard}" if heard else meaning.why)
        problem = problem_of(batch, meaning)
        if isinstance(problem, PushDeferred):
            self._deferred(entry, problem)
            raise problem
        if isinstance(problem, KeyRejected):
            self._hold(entry, meaning, now)
            raise problem
        self._not_taken(batch, entry, meaning, problem, now)

    def _acknowledge(
        self, connection: sqlite3.Connection, batch: Batch, entry: int, meaning: AnswerMeaning, now: datetime
    ) -> None:
        ledger.complete(connection, entry, meaning.why)
        outbox.acknowledge(connection, batch.id, meaning.why, now)
        delivery_state.save(connection, DeliveryState(last_success=now, last_answer=meaning.why, last_answer_at=now))
        if self._disk_is_full:
            outbox.forget_delivered(connection)

    def _not_taken(self, batch: Batch, entry: int, meaning: AnswerMeaning, problem: AgentError, now: datetime) -> None:
        """The receiver is well but will not take this batch as it is: split it, count the refusal, or set it aside."""
        parts: list[Batch] = []
        if meaning.action is Action.SPLIT:
            try:
                parts = self.split(batch, now)
            except (BatchRefused, ValueError) as error:
                problem = error if isinstance(error, BatchRefused) else problem
        aside = not parts and (
            meaning.action is not Action.REFUSE or outbox.refusals(self.store, batch.id) + 1 >= REFUSALS_BEFORE_ASIDE
        )
        with self.store.transaction() as connection:
            ledger.complete(connection, entry, meaning.why)
            if parts:
                outbox.put_split(connection, batch.id, parts, meaning.why, now)
            else:
                outbox.note_refusal(connection, batch.id, meaning.why)
            if aside:
                outbox.set_aside(connection, batch.id, meaning.why, now)
            state = delivery_state.load(self.store)
            delivery_state.save(
                connection, replace(state, hold="", last_answer=meaning.why, last_answer_at=now, do=problem.do)
            )
        self.splits += bool(parts)
        self.set_aside += aside
        self.refused += not parts and not aside
        if not parts:
            self.refusal = problem
            log(LOG, logging.ERROR, "batch.refused", batch=batch.id, set_aside=aside, answer=meaning.why, do=problem.do)

    def _hold(self, entry: int, meaning: AnswerMeaning, now: datetime) -> None:
        with self.store.transaction() as connection:
            state = delivery_state.load(self.store)
            ledger.complete(connection, entry, meaning.why)
            fresh = replace(
                state,
                hold=meaning.why,
                hold_key=key_id(self.key),
                hold_since=state.hold_since if state.hold else now,
                next_probe=now + PROBE_EVERY,
                last_answer=meaning.why,
                last_answer_at=now,
                do=meaning.do,
            )
            delivery_state.save(connection, fresh)
        log(LOG, logging.ERROR, "delivery.held", answer=meaning.why, do=meaning.do)

    def _deferred(self, entry: int, error: PushDeferred) -> None:
        now = self.clock()
        if self._failing_since is None:
            self._failing_since = monotonic_s()
        not_before = None
        if error.wait_s is not None and error.wait_s >= REMEMBER_WAITS_FROM_S:
            not_before = now + timedelta(seconds=error.wait_s)
        with self.store.transaction() as connection:
            if error.sent:
                ledger.complete(connection, entry, error.why or error.what)
            else:
                ledger.withdraw(connection, entry)
            state = delivery_state.load(self.store)
            fresh = replace(
                state,
                hold="",
                not_before=not_before,
                last_answer=error.why or error.what,
                last_answer_at=now,
                failing_since=state.failing_since or now,
                do=error.do,
            )
            delivery_state.save(connection, fresh)

    def _keep_pace(self) -> None:
        wait_s = self._next_request - monotonic_s()
        if wait_s > 0 and self.stopping.wait(wait_s):
            raise PushDeferred("Stopped before the next batch.", do="Nothing: the next run goes on.", sent=False)
        self._next_request = monotonic_s() + self.pace.pace_s

    def _wait(self, attempt: RetryCallState) -> float:
        jitter = wait_random_exponential(multiplier=self.pace.first_wait_s, max=self.pace.longest_wait_s)(attempt)
        return max(jitter, _asked_s(attempt))

    def time_left_s(self) -> float:
        """How long this run may go on with failing tries."""
        if self._failing_since is None:
            return self.pace.retry_for_s
        return self.pace.retry_for_s - (monotonic_s() - self._failing_since)


class _LongerThanLeft(stop_base):
    """Stop when the receiver asks for a longer wait than the run has left: the next run honours it."""

    def __init__(self, run: _PushRun) -> None:
        self._run = run

    def __call__(self, retry_state: RetryCallState) -> bool:
        return _asked_s(retry_state) > self._run.time_left_s()


def _asked_s(attempt: RetryCallState) -> float:
    error = attempt.outcome.exception() if attempt.outcome is not None else None
    return (error.wait_s or 0.0) if isinstance(error, PushDeferred) else 0.0


def _ahead(instant: datetime | None, now: datetime, at_most: timedelta) -> bool:
    """Whether a stored instant still lies ahead; one that is absurdly far ahead was stored under a wrong clock."""
    return instant is not None and now < instant <= now + at_most


def _log_retry(attempt: RetryCallState) -> None:
    """Say the cause once; later tries of the same batch only at debug level."""
    error = attempt.outcome.exception() if attempt.outcome is not None else None
    if isinstance(error, PushDeferred):
        level = logging.WARNING if attempt.attempt_number == 1 else logging.DEBUG
        log(
            LOG,
            level,
            "push.deferred",
            why=error.why or error.what,
            do=error.do,
            next_try_s=round(attempt.upcoming_sleep, 1),
        )
