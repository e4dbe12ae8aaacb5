"""What `status` reads: everything at once, before anything is judged.

In:   settings and the moment. Out: `Facts`; of a store that is not there yet, `stored` is None.
What is old is told by the line of the ticks, not by a clock that was just set; see `agent.store.timeline`.
Asks neither the product nor the cloud; the store is opened read-only.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime

from agent.errors import AgentError
from agent.link.record import LinkRecord, read_link
from agent.model import Hour, Moment
from agent.product.instance.way import ClosedWay
from agent.settings import Settings
from agent.store import InstanceLock, Store, delivery_state, open_store, outbox, reserve
from agent.store.cluster import ClusterState, cluster_state
from agent.store.database import FILE_NAME
from agent.store.delivery_state import DeliveryState
from agent.store.hours import ClosedHour, closed_hours, uncounted
from agent.store.lacks import load_lacks
from agent.store.losses import Loss, losses
from agent.store.source_states import SourceState, source_states
from agent.store.thresholds import ThresholdStatus
from agent.store.ticks import last_tick
from agent.store.timeline import Reckoning, reckon
from agent.system.private_file import trusted_owners
from agent.views.status.guardrails import guardrails_against_thresholds, slow_queries
from agent.views.status.view import SlowQuery


@dataclass(frozen=True, slots=True)
class StoredFacts:
    """What the store tells, and the disk it lies on."""

    reckoning: Reckoning
    last_tick: tuple[datetime, int] | None
    cluster: ClusterState | None
    free_bytes: int
    reserve_spent: bool
    oldest_open_hour: Hour | None
    newest_closed_hour: ClosedHour | None
    sources: tuple[SourceState, ...]
    waiting: outbox.OutboxSize
    delivery: DeliveryState
    guardrails: tuple[ThresholdStatus, ...]
    slow_queries: tuple[SlowQuery, ...]
    losses: tuple[Loss, ...]
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known at `now`, an instant on the line of the ticks.

    `link` is None without one, or the error that kept it from being read. `way`: see `ClosedWay`, when root asks.
    """

    now: datetime
    settings: Settings
    running: bool
    link: LinkRecord | AgentError | None
    stored: StoredFacts | None
    way: ClosedWay | None = None


def read_facts(settings: Settings, moment: Moment) -> Facts:
    """The facts as they are now. Raises StoreError when the store cannot be read."""
    folder = settings.agent.state_dir
    stored = None
    running, link = InstanceLock.is_held(folder), _link(settings)
    if (folder / FILE_NAME).exists():
        with contextlib.closing(open_store(folder, read_only=True)) as store:
            stored = _stored(settings, store, moment)
    # Ages are told by the line of the ticks: a clock that was just set by an hour makes nothing an hour old.
    now = moment.wall if stored is None else stored.reckoning.label
    return Facts(now, settings, running, link, stored)


def _link(settings: Settings) -> LinkRecord | AgentError | None:
    try:
        return read_link(settings.link_dir, owners=trusted_owners(settings.agent.state_dir))
    except AgentError as error:
        return error


def _stored(settings: Settings, store: Store, moment: Moment) -> StoredFacts:
    folder = settings.agent.state_dir
    hours = closed_hours(store)
    now = reckon(store, moment)
    # One that is not surely over may not be closed yet, so nobody is late with it.
    open_hours = [
        item.hour
        for item in uncounted(store, settings.hour.length_s).hours
        if item.vouched and item.hour.end <= now.surely
    ]
    return StoredFacts(
        reckoning=now,
        last_tick=last_tick(store),
        cluster=cluster_state(store),
        # A full disk is asked of the file system itself: what cannot be written cannot be read from the store.
        free_bytes=reserve.free_bytes(folder),
        reserve_spent=reserve.spent(folder),
        oldest_open_hour=min(open_hours, key=lambda hour: hour.start, default=None),
        newest_closed_hour=hours[-1] if hours else None,
        sources=tuple(source_states(store)),
        waiting=outbox.size(store),
        delivery=delivery_state.load(store),
        guardrails=guardrails_against_thresholds(store),
        slow_queries=slow_queries(store, settings.sampling.interval_s),
        losses=tuple(losses(store)),
        lacks=load_lacks(store),
    )
