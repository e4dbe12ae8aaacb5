"""`status` as a view: the facts laid out, and what of them needs a person."""

from __future__ import annotations

from dataclasses import replace

from agent import __version__
from agent.link.record import LinkRecord
from agent.model import Moment
from agent.product.instance.way import ClosedWay
from agent.settings import Settings
from agent.store import outbox
from agent.store.hours import ClosedHour
from agent.store.source_states import SourceState
from agent.views.status.facts import Facts, StoredFacts, read_facts
from agent.views.status.problems import exit_code_of, problems_of
from agent.views.status.view import (
    FailureRow,
    LastHour,
    LinkAbsent,
    LinkPresent,
    LossRow,
    NoLink,
    SourceStatus,
    StatusView,
    Waiting,
)


def read_status(settings: Settings, moment: Moment, way: ClosedWay | None = None) -> StatusView:
    """The state of the agent beside this instance. Raises StoreError when the store cannot be read.

    `way` is what keeps the service account from the product's files, where that is known.
    """
    return status_of(replace(read_facts(settings, moment), way=way))


def status_of(facts: Facts) -> StatusView:
    """What these facts are to a person."""
    settings, stored = facts.settings, facts.stored
    problems = tuple(problems_of(facts))
    head = StatusView(
        now=facts.now,
        product=settings.instance.product.value,
        mode=settings.agent.mode,
        version=__version__,
        running=facts.running,
        link=_link(facts),
        interval_s=settings.sampling.interval_s,
        database_login=settings.database.login if settings.database.enabled else None,
        problems=problems,
        exit_code=exit_code_of(problems),
    )
    return head if stored is None else _with_stored(head, stored, settings)


def _with_stored(head: StatusView, stored: StoredFacts, settings: Settings) -> StatusView:
    last_tick, samples = stored.last_tick or (None, 0)
    hour = stored.newest_closed_hour
    return replace(
        head,
        last_tick=last_tick,
        samples=samples,
        sources=tuple(_source(state) for state in stored.sources),
        cluster=None if stored.cluster is None else stored.cluster.role,
        last_hour=None if hour is None else _last_hour(hour, settings),
        last_push=stored.delivery.last_success,
        last_answer=stored.delivery.last_answer,
        waiting=_waiting(stored.waiting),
        guardrails=stored.guardrails,
        slow_queries=stored.slow_queries,
        lacks=stored.lacks,
        losses=tuple(LossRow(loss.reason, loss.count, loss.first_at, loss.last_at) for loss in stored.losses),
    )


def _link(facts: Facts) -> LinkAbsent | LinkPresent:
    record = facts.link
    if not isinstance(record, LinkRecord):
        return LinkAbsent(NoLink.NOT_LINKED if record is None else NoLink.UNREADABLE)
    return LinkPresent(
        organisation=record.organisation,
        endpoint=record.endpoint,
        location=record.location,
        consent=record.consent.level,
        consent_since=record.consent.granted_at,
        key_ends=record.key_expires_at,
        key_id=record.key_fingerprint,
    )


def _source(state: SourceState) -> SourceStatus:
    return SourceStatus(
        name=state.source,
        outcome=state.outcome,
        since=state.since,
        samples=state.samples,
        took_s=round(state.took_s, 3),
        last_answer=state.ok_at,
        failures=tuple(FailureRow(metric, reason, detail) for metric, reason, detail in state.failures),
    )


def _last_hour(closed: ClosedHour, settings: Settings) -> LastHour:
    expected = max(round(closed.hour.length_s / settings.sampling.interval_s), 1)
    return LastHour(closed.hour.start, closed.ticks, expected)


def _waiting(size: outbox.OutboxSize) -> Waiting:
    return Waiting(size.waiting, size.waiting_bytes, size.oldest, size.set_aside)
