"""The loop itself, over a real store: what it survives, what it tells, and when it says that it is ready."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.model import Reading, Sample, Tick
from agent.product.instance.turns import TurnKeeper
from agent.runtime.resident.child import HourlyChild
from agent.runtime.resident.daemon import CostKeeper, Loop
from agent.runtime.resident.notify import Notifier
from agent.sampling import Sampler
from agent.settings import Settings
from agent.sources.governor import CostGovernor
from agent.store import Store, open_store, reserve
from agent.store.losses import losses
from tests.support.clock import HandClock
from tests.support.mounts import small_disk
from tests.support.site import HEAP, make_site
from tests.support.ticks import FunctionSource

# In the middle of an hour: a site closes up to ten minutes after its end, and only one hour is due in these tests.
HALF_PAST = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


class Started(HourlyChild):
    """Counts how often the hourly process would have been started."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere.toml"), 0.0)
        self.times = 0

    def start(self, now_s: float) -> None:
        """Instead of a process."""
        self.times += 1


@dataclass
class Running:
    """A loop that ends by itself after some ticks, and what it did."""

    settings: Settings
    clock: HandClock
    store: Store
    manager: socket.socket
    address: str
    child: Started = field(default_factory=Started)
    spoil: frozenset[int] = frozenset()
    step_at: dict[int, timedelta] = field(default_factory=dict)
    read: int = 0

    def ticks(self, number: int) -> None:
        """Run until so many ticks were taken."""
        stopping = threading.Event()

        def answer() -> Reading:
            self.read += 1
            self.clock.go_on(60)
            if self.read in self.step_at:
                self.clock.set(self.step_at[self.read])
            if self.read > number:
                stopping.set()
            return Reading((Sample(HEAP, self.read),))

        def conceal(tick: Tick) -> Tick:
            """What no check knew of comes in behind them all."""
            if self.read in self.spoil:
                return replace(tick, samples=(Sample(HEAP, math.inf),))
            return tick

        sampler = Sampler([FunctionSource("jmx", answer)], conceal)
        governor = CostGovernor(tick_s=1.0, costs={}, labels={}, estimable=frozenset())
        keeper, turns = CostKeeper(self.store, governor), TurnKeeper(self.settings)
        notifier = Notifier(self.address)
        loop = Loop(self.settings, self.store, sampler, self.child, notifier, turns, keeper, self.clock)
        loop.run(stopping)
        sampler.close()

    def notified(self) -> list[str]:
        """Every line that the service manager got."""
        found = []
        self.manager.setblocking(False)
        while True:
            try:
                found += self.manager.recv(4096).decode().split("\n")
            except BlockingIOError:
                return found


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the store lies."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def running(tmp_path: Path, state: Path) -> Iterator[Running]:
    """An agent that ticks every second."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        settings = make_site(tmp_path, mode="offline").settings
        settings = replace(settings, sampling=replace(settings.sampling, interval_s=0.05, deadline_s=60.0))
        store = open_store(state)
        yield Running(settings, HandClock(HALF_PAST), store, manager, str(tmp_path / "notify"))
        store.close()


@pytest.mark.fault(65)
def test_a_value_that_json_refuses_costs_one_tick(running: Running) -> None:
    """Whatever passed every check and cannot be stored is dropped and counted; the loop goes on."""
    running.spoil = frozenset({2})
    running.ticks(4)
    assert [row["number"] for row in running.store.execute("SELECT number FROM tick")] == [1, 2, 3]
    assert [(loss.reason, loss.count) for loss in losses(running.store)] == [("tick-not-stored", 1)]


def test_ready_comes_with_the_first_stored_tick(running: Running) -> None:
    """Once."""
    running.ticks(3)
    assert running.notified().count("READY=1") == 1
    assert running.child.times == 1


def test_ticks_under_a_clock_that_was_set_are_not_vouched_for(running: Running) -> None:
    """The loop hands its moment to the store: labels go on along the line, no hourly run is due."""
    running.step_at = {2: timedelta(days=40)}
    running.ticks(4)
    rows = running.store.execute("SELECT taken_ms, vouched FROM tick ORDER BY number")
    assert [row["vouched"] for row in rows] == [1, 1, 0, 0], "the second was begun before the clock was set"
    assert [row["taken_ms"] / 1000 - HALF_PAST.timestamp() for row in rows] == [0, 60, 120, 180]
    assert running.child.times == 1


@pytest.mark.fault(14)
def test_a_start_on_a_full_disk_drains_first_and_is_ready(tmp_path: Path) -> None:
    """With the reserve spent no tick can be stored: the hourly run is started all the same, and READY is told."""
    state = tmp_path / "state"
    with (
        small_disk(state, "size=3m"),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        contextlib.closing(open_store(state)) as store,  # closed before the disk goes, also when this fails
    ):
        manager.bind(str(tmp_path / "notify"))
        settings = make_site(tmp_path, mode="offline").settings
        settings = replace(settings, sampling=replace(settings.sampling, interval_s=0.05, deadline_s=60.0))
        with (state / "somebody-elses-file").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, reserve.free_bytes(state) - reserve.SIZE_BYTES // 2)
        assert reserve.spent(state)
        running = Running(settings, HandClock(HALF_PAST), store, manager, str(tmp_path / "notify"))
        running.ticks(2)
        assert running.notified().count("READY=1") == 1
        assert running.child.times == 1
        assert store.execute("SELECT count(*) FROM tick")[0][0] == 0, "room that is kept for deliveries is not theirs"
