"""The resident process: a tick every interval, a short child process every hour, sleep in between.

In:   the configuration file. Out: ticks in the store; everything that leaves is the hourly child's work.
One scheduler thread on monotonic time. Every wait is on the stop event, so `systemctl stop` answers at once.
A missed tick is skipped, not made up. When the store refuses, ticks wait in memory up to a bound and the loop goes on.
READY is told when what can be done is done: the first tick is stored, or, where the disk is full, held in memory while
the hourly child drains the outbox to make room. Waiting for a stored tick there would have systemd kill the cure.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import hashlib
import logging
import signal
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from agent import __version__
from agent.catalog import load_catalog
from agent.errors import AgentError, StoreError
from agent.link.consent_in_force import ConsentInForce
from agent.log import configure, log, logger
from agent.model import Outcome, Role, Tick, hour_of
from agent.product.instance.turns import TurnKeeper
from agent.runtime.resident.child import HourlyChild
from agent.runtime.resident.concealing import TickConcealer
from agent.runtime.resident.faults import FaultLog
from agent.runtime.resident.lacks import LacksKeeper
from agent.runtime.resident.notify import Notifier
from agent.sampling import Sampler
from agent.settings import Settings
from agent.settings.load import load_settings
from agent.settings.schedule import closes_after_s
from agent.sources.governor import CostGovernor, governor_of
from agent.sources.inventory import Inventory
from agent.sources.registry import open_cluster_sources
from agent.store import InstanceLock, Store, open_store, reserve
from agent.store.costs import load_costs, save_costs
from agent.store.database import disk_full
from agent.store.losses import count_loss
from agent.store.ticks import TickWriter
from agent.store.timeline import Doubt
from agent.system.account import act_as_owner
from agent.system.clock import Clock, SystemClock, monotonic_s

LOG = logger("daemon")
LONGEST_SPREAD_S = 600.0  # many sites, one receiver: their hourly pushes are spread over ten minutes
BUFFERED_TICKS = 60  # two hours of ticks at most wait in memory for a full disk
STUCK_AFTER_INTERVALS = 3
SAVE_COSTS_EVERY_S = 3600.0


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="portfolio-agent run")
    parser.add_argument("--config", type=Path, required=True)
    config = parser.parse_args(arguments).config
    stopping = threading.Event()
    handle_signals(stopping)
    faulthandler.enable()  # a process the watchdog aborts leaves its stacks in the journal
    try:
        settings = load_settings(config)
        configure(settings.agent.log_level)
        return run(settings, config, stopping)
    except AgentError as error:
        # The last line before any exit is the cause and the cure, where `systemctl status` shows it.
        print(f"portfolio-agent: {error}", file=sys.stderr, flush=True)
        return error.exit_code


def handle_signals(stopping: threading.Event) -> None:
    """SIGTERM and SIGINT stop; SIGHUP and SIGPIPE never end the process."""

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    def hang_up(number: int, frame: FrameType | None) -> None:
        # It may come in the middle of another line, where Python refuses to write: then this one is left out.
        with contextlib.suppress(RuntimeError):
            log(LOG, logging.WARNING, "reload.refused", do="Restart the service to read a changed configuration.")

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, hang_up)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def run(settings: Settings, config: Path, stopping: threading.Event) -> int:
    """The life of the daemon, from taking the lock to giving it back."""
    # Before the first file is opened: what root leaves here the service could not write later. Then the lock, before
    # anything is read or migrated under another daemon's feet.
    act_as_owner(settings.agent.state_dir)
    lock = InstanceLock(settings.agent.state_dir)
    try:
        catalog = load_catalog(settings.instance.product)
        store = open_store(settings.agent.state_dir)
        governor = governor_of(settings, catalog)
        clock = SystemClock()
        governor.recall(load_costs(store), monotonic_s(), clock.now().wall)
        turns = TurnKeeper(settings)
        level = ConsentInForce(settings)
        conceal = TickConcealer(settings, catalog, level)
        inventory = Inventory(catalog)
        sampler = Sampler(open_cluster_sources(settings, catalog, level, governor, turns.turn, inventory), conceal)
        child = HourlyChild(config, settings.delivery.retry_for_s)
        costs = CostKeeper(store, governor)
        log(LOG, logging.INFO, "agent.started", version=__version__, product=settings.instance.product)
        try:
            lacks = LacksKeeper(store, inventory)
            Loop(settings, store, sampler, child, Notifier.from_environment(), turns, costs, clock, lacks).run(stopping)
        finally:
            child.stop()
            sampler.close()
            turns.close()
            store.close()
        log(LOG, logging.INFO, "agent.stopped")
    finally:
        lock.release()
    return 0


class CostKeeper:
    """Stores what the guardrail queries cost, when a decision changed or an hour has passed."""

    def __init__(self, store: Store, governor: CostGovernor) -> None:
        self._store = store
        self._governor = governor
        self._saved_s: float | None = None
        self._decisions: Sequence[tuple[object, ...]] = ()

    def save_if_due(self, now_s: float, now: datetime, *, stopping: bool = False) -> None:
        """Save when it is worth a write, and before the agent stops. Raises StoreError."""
        costs = self._governor.remember(now_s, now)
        decisions = [(cost.query, cost.every_s, cost.absent, cost.estimated, cost.lost) for cost in costs]
        fresh = (
            decisions == self._decisions and self._saved_s is not None and now_s < self._saved_s + SAVE_COSTS_EVERY_S
        )
        if not costs or (fresh and not stopping):
            return
        with self._store.transaction() as connection:
            save_costs(connection, costs)
        self._saved_s, self._decisions = now_s, decisions


class Loop:
    """The scheduler: decides on monotonic time what is due, does it, sleeps until the next thing."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        sampler: Sampler,
        child: HourlyChild,
        notifier: Notifier,
        turns: TurnKeeper,
        costs: CostKeeper,
        clock: Clock,
        lacks: LacksKeeper | None = None,
    ) -> None:
        self._settings = settings
        self._lacks = lacks
        self._store = store
        self._sampler = sampler
        self._child = child
        self._notifier = notifier
        self._costs = costs
        self._turns = turns
        self._clock = clock
        self._doubt: Doubt | None = None
        self._role: Role | None = None
        self._writer = TickWriter(store, settings.hour.length_s)
        self._faults = FaultLog(LOG)
        self._waiting: deque[Tick] = deque()
        self._dropped = 0
        self._stored = 0
        self._ticked = self._ready = False
        self._hour_done: datetime | None = None
        self._spread_s = spread_of(settings)

    def run(self, stopping: threading.Event) -> None:
        """Tick until `stopping` is set."""
        interval_s = self._settings.sampling.interval_s
        next_tick = monotonic_s()
        while not stopping.is_set():
            # If a tick ever hangs outside every deadline, write all stacks once and exit; systemd starts us again.
            faulthandler.dump_traceback_later(STUCK_AFTER_INTERVALS * interval_s + 60, exit=True)
            self._notifier.alive()
            now_s = monotonic_s()
            if now_s >= next_tick:
                self._tick(stopping)
                next_tick = following_tick(next_tick, monotonic_s(), interval_s)
            self._deliver_if_due()
            self._tell_ready()
            stopping.wait(self._sleep_s(next_tick))
        faulthandler.cancel_dump_traceback_later()
        self._notifier.stopping()
        self._store_waiting(stopping=True)

    def _tick(self, stopping: threading.Event) -> None:
        started = monotonic_s()
        # When the tick began, not when the last source answered: the label is the instant of the question.
        moment = self._clock.now()
        tick = self._sampler.take(moment.wall, self._settings.sampling.deadline_s, stopping)
        if stopping.is_set():
            return  # cut short: what is missing from it failed for no fault of the sources
        self._waiting.append(replace(tick, moment=moment, turn=self._turns.last))
        self._tell_turn()
        stored = self._store_waiting()
        self._ticked = True
        self._tell_doubt()
        now_s = monotonic_s()
        failed = 0
        for report in tick.reports:
            if report.outcome is Outcome.FAILED:
                failed += 1
                cause = report.failures[0].reason if report.failures else "unknown"
                self._faults.failed(f"source.{report.source}", cause, now_s, why=report.why, do=report.do)
            else:
                self._faults.works(f"source.{report.source}", now_s)
        took_s = round(now_s - started, 3)
        log(
            LOG,
            logging.INFO,
            "tick.finished",
            number=self._stored,
            samples=len(tick.samples),
            failed=failed,
            stored=stored,
            took_s=took_s,
        )
        self._notifier.status(_status_line(tick, failed, stored))

    def _tell_ready(self) -> None:
        """Once: after the first stored tick, or when the disk is full and the child that makes room was started."""
        if not self._ready and (self._stored or (self._ticked and reserve.is_tight(self._store.folder))):
            self._ready = True
            self._notifier.ready()

    def _tell_doubt(self) -> None:
        """One line when the clock comes to be in doubt, and one when it no longer is."""
        doubt, before = self._writer.doubt, self._doubt
        if doubt is not None and before is None:
            log(
                LOG,
                logging.WARNING,
                "clock.in_doubt",
                ahead_s=round(doubt.apart_ms / 1000),
                why="The clock does not agree with the time since the last tick, or since the machine was started.",
                do="Set the clock right; see: timedatectl. If it is right, it is believed in two hours.",
            )
        elif doubt is None and before is not None:
            log(LOG, logging.INFO, "clock.vouched_for", ahead_s=round(before.apart_ms / 1000))
        self._doubt = doubt

    def _tell_turn(self) -> None:
        """One line whenever this node begins or ceases to count for its cluster."""
        turn = self._turns.last
        if turn is not None and turn.role is not self._role:
            self._role = turn.role
            log(LOG, logging.INFO, "cluster.turn_changed", role=turn.role.value)

    def _store_waiting(self, *, stopping: bool = False) -> bool:
        """Write what waits, oldest first; keep it, within a bound, when the store refuses."""
        try:
            if reserve.spent(self._store.folder):
                raise disk_full(self._store.folder)
            while self._waiting:
                self._append(self._waiting[0])
                self._waiting.popleft()
            self._count_dropped()
            self._costs.save_if_due(monotonic_s(), self._clock.now().wall, stopping=stopping)
            if self._lacks is not None:
                self._lacks.save_if_changed()
        except StoreError as error:
            self._writer.forget_layout()
            self._faults.failed("store", error.why, monotonic_s(), why=f"{error.what} {error.why}", do=error.do)
            while len(self._waiting) > BUFFERED_TICKS:
                self._waiting.popleft()
                self._dropped += 1
            return False
        self._faults.works("store", monotonic_s())
        return True

    def _append(self, tick: Tick) -> None:
        try:
            self._stored = self._writer.append(tick)
        except ValueError as error:
            # JSON refused a value that no check before it knew of. One tick is lost by name, and the loop goes on.
            self._dropped += 1
            log(LOG, logging.ERROR, "tick.not_storable", why=str(error), do="Please report it with this line.")

    def _count_dropped(self) -> None:
        if self._dropped:
            with self._store.transaction() as connection:
                count_loss(connection, "tick-not-stored", self._dropped, self._label())
            self._dropped = 0

    def _label(self) -> datetime:
        """The present instant as a tick would be labelled: a clock that was set begins and ends no hour by itself."""
        return self._writer.label_of(self._clock.now())

    def _deliver_if_due(self) -> None:
        """Start the hourly child once for each hour that is over, and once at start for what is left from before.

        At start it does not wait for a stored tick: on a full disk it is what makes room for one.
        """
        self._child.watch(monotonic_s())
        due_at = datetime.fromtimestamp(self._label().timestamp() - self._delay_s(), UTC)
        due = hour_of(due_at, self._settings.hour.length_s)
        if due.start != self._hour_done and self._ticked and not self._child.running():
            self._child.start(monotonic_s())
            self._hour_done = due.start

    def _delay_s(self) -> float:
        return closes_after_s(self._settings, clustered=self._turns.last is not None) + self._spread_s

    def _sleep_s(self, next_tick: float) -> float:
        now = self._label()
        length_s = self._settings.hour.length_s
        # By the label and not the wall clock: a clock that was set must neither call the child for each hour it skipped
        # nor keep it from being called at all.
        until_due = length_s - (now.timestamp() - self._delay_s()) % length_s
        waits = [next_tick - monotonic_s(), until_due + 0.01]
        if self._child.running():
            waits.append(5.0)  # only while the child runs, a minute an hour: its end is noticed soon
        if self._notifier.feed_every_s is not None:
            waits.append(self._notifier.feed_every_s)
        return max(min(waits), 0.0)


def following_tick(planned: float, now: float, interval_s: float) -> float:
    """The next planned instant after `now` on the grid of `planned`; the ones in between are skipped."""
    missed = max(int((now - planned) // interval_s), 0)
    return planned + (missed + 1) * interval_s


def spread_of(settings: Settings) -> float:
    """How many seconds after an hour closes this site pushes: fixed for the site, even over all sites.

    No spread for short hours of demos and for sites that never push.
    """
    longest = min(LONGEST_SPREAD_S, settings.hour.length_s / 6) if settings.hour.length_s >= 3600 else 0.0
    digest = hashlib.sha256(f"{settings.link_dir}|{_machine_id()}".encode()).digest()
    return longest * int.from_bytes(digest[:4], "big") / 2**32


def _machine_id() -> str:
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _status_line(tick: Tick, failed: int, stored: bool) -> str:
    text = f"Last tick {tick.taken_at:%H:%M:%S} UTC: {len(tick.samples)} samples"
    if failed:
        names = ", ".join(report.source for report in tick.reports if report.outcome is Outcome.FAILED)
        text += f"; not answering: {names}"
    if not stored:
        text += "; the store refuses, see the log"
    return text
