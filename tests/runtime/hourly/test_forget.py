"""Names leave a large store while the daemon goes on, and after a kill in the middle of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.model import Hour, HourlyAggregate, Outcome, Sample, Series, SourceReport, Tick, hour_of
from agent.runtime.hourly.forget import WIDEST, forget_names
from agent.runtime.pipeline import open_pipeline
from agent.store import open_store
from agent.store.hours import ClosedHour, all_hours, put_hour
from agent.store.meta import meta
from agent.store.ticks import TickWriter
from tests.support.cloud import ROOT
from tests.support.planting import stored_bytes
from tests.support.site import Agent, make_site

NAME = "Erika's pool"
HOURS, TICKS, SERIES = 48, 12, 60
FIRST = hour_of(datetime.now(UTC)).start - timedelta(hours=HOURS + 2)

KILLED_AT = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from agent.runtime.hourly import forget as forgetting
from agent.runtime.pipeline import open_pipeline
from agent.settings.load import load_settings

left = int(sys.argv[2])
def counted(original):
    def call(*arguments):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        original(*arguments)
    return call
for name in ("replace_tick", "replace_hour", "replace_snapshot", "remove_unused_layouts"):
    setattr(forgetting, name, counted(getattr(forgetting, name)))
with open_pipeline(load_settings(Path(sys.argv[1]))) as pipeline:
    forgetting.forget_names(pipeline, datetime.now(UTC))
"""


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """An offline agent whose store an older version filled with names as read."""
    made = make_site(tmp_path, mode="offline")
    pools = [Series("jmx", "pool.dbcp.active", (("pool", f"{NAME} {number}"),)) for number in range(SERIES)]
    store = open_store(made.settings.agent.state_dir)
    for number in range(HOURS):
        hour = Hour(FIRST + timedelta(hours=number))
        rows = [HourlyAggregate(series, hour, {"max": number}, 1, 30, {}) for series in pools]
        with store.transaction() as connection:
            put_hour(connection, ClosedHour(hour, 0, hour.end, 0, 1), rows)
    writer = TickWriter(store, 3600)
    for number in range(TICKS):
        at = FIRST + timedelta(hours=HOURS, minutes=number)
        samples = tuple(Sample(series, number) for series in pools)
        writer.append(Tick(at, samples, (SourceReport("jmx", Outcome.OK, SERIES),), {"jmx": "1"}))
    store.close()
    return made


def forget(agent: Agent) -> None:
    """What the hourly run does last."""
    with open_pipeline(agent.settings) as pipeline:
        forget_names(pipeline, datetime.now(UTC))


def counts(agent: Agent) -> tuple[str | None, int, int, int]:
    """The widest level noted; hours, ticks, and rows of all hours."""
    store = open_store(agent.settings.agent.state_dir, read_only=True)
    hours = [rows for _, _, rows in all_hours(store)]
    ticks = store.execute("SELECT count(*) FROM tick")[0][0]
    noted = meta(store, WIDEST)
    store.close()
    return noted, len(hours), ticks, sum(len(rows) for rows in hours)


@pytest.mark.parametrize("at", [1, TICKS, TICKS + 1, TICKS + HOURS // 2, TICKS + HOURS + 1])
def test_a_kill_while_names_are_forgotten_loses_nothing(agent: Agent, at: int) -> None:
    """Killed before, between or after the rows: the store is whole, nothing is called done, the next run ends it."""
    command = [sys.executable, "-c", KILLED_AT, str(agent.config), str(at)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ}, capture_output=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert counts(agent) == (None, HOURS, TICKS, HOURS * SERIES)
    forget(agent)
    assert counts(agent) == ("basic", HOURS, TICKS, HOURS * SERIES)
    assert NAME.encode() not in b"".join(stored_bytes(agent.settings.agent.state_dir))


def test_the_daemon_stores_its_ticks_meanwhile(agent: Agent) -> None:
    """Each row is a short transaction of its own: no tick waits long for the write lock, none fails."""
    waits: list[float] = []
    done = threading.Event()

    def daemon() -> None:
        store = open_store(agent.settings.agent.state_dir)
        writer = TickWriter(store, 3600)
        heap = Series("jmx", "jvm.memory.heap.used")
        report = SourceReport("jmx", Outcome.OK, 1)
        while not done.is_set():
            began = time.monotonic()
            writer.append(Tick(datetime.now(UTC), (Sample(heap, 1),), (report,), {"jmx": "1"}))
            waits.append(time.monotonic() - began)
        store.close()

    thread = threading.Thread(target=daemon)
    thread.start()
    try:
        forget(agent)
    finally:
        done.set()
        thread.join()
    noted, hours, ticks, _ = counts(agent)
    assert (noted, hours, ticks) == ("basic", HOURS, TICKS + len(waits))
    assert len(waits) > 3
    assert max(waits) < 5, "a tick of the daemon waited for the write lock"
