"""A site whose clock is set while it samples, closes, seals and pushes: the real stages over the real store.

Invented are only the machine's clocks, what the one source says, and a cloud that acknowledges all it gets. The loop
here does what `runtime.resident.daemon.Loop` does: a tick on steady time, the hourly run when an hour is over by the
label of a tick, pushing after it.
"""

from __future__ import annotations

import hashlib
import json
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.batching import open_document, split
from agent.delivery.push import PushPace, push_waiting
from agent.errors import StoreError
from agent.model import ConsentLevel, Reading, Sample, hour_of
from agent.net.answer import HttpAnswer
from agent.runtime.hourly.run import run_hourly
from agent.runtime.linking import give_consent, link_folder_for
from agent.sampling import Sampler
from agent.settings import Secret
from agent.settings.load import load_settings
from agent.store import open_store
from agent.store.database import FILE_NAME
from agent.store.hours import aggregates_of, closed_hours, uncounted
from agent.store.losses import losses
from agent.store.ticks import TickWriter
from tests.support.clock import HandClock
from tests.support.cloud import ROOT
from tests.support.site import HEAP, REJECTED, Agent, link_as, make_site
from tests.support.ticks import FunctionSource

TICK_S = 360.0
CLOSE_AFTER_S = 60.0
PACE = PushPace(retry_for_s=0.0, first_wait_s=0.01, longest_wait_s=0.01, pace_s=0.0)
KEY = Secret("planted-link-key-0123456789abcdef")
EVENT = "event.jvm.restarted"
Happening = Callable[[], None]
# Closes and tidies as the hourly run does, in a process of its own, until the store is asked for its Nth statement.
KILLED_AT = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from agent.model import Moment
from agent.runtime.hourly.close import close_hours
from agent.runtime.hourly.lock import run_lock
from agent.runtime.hourly.tidy import tidy
from agent.runtime.pipeline import open_pipeline
from agent.settings.load import load_settings
from agent.store.timeline import reckon

config, left, wall, steady_s, boot_id = sys.argv[1:]
left = int(left)
def count(statement):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
settings = load_settings(Path(config))
with run_lock(settings.agent.state_dir), open_pipeline(settings) as pipeline:
    now = reckon(pipeline.store, Moment(datetime.fromisoformat(wall), float(steady_s), boot_id))
    pipeline.store.connection.set_trace_callback(count)
    close_hours(pipeline, now)
    tidy(pipeline, now.label)
"""


def nothing() -> None:
    """Nothing happens."""


@dataclass
class Cloud:
    """Acknowledges everything and remembers it: by id the bytes, by window the ids."""

    bodies: dict[str, str] = field(default_factory=dict)
    windows: dict[tuple[str, int, str], set[str]] = field(default_factory=dict)
    meanwhile: Happening = nothing

    def request(
        self,
        method: str,
        path: str,
        *,
        key: Secret | None,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
    ) -> HttpAnswer:
        """One batch arrives, and whatever happens meanwhile."""
        assert body is not None
        self.meanwhile()
        batch_id, digest = path.rsplit("/", 1)[1], hashlib.sha256(body).hexdigest()
        assert self.bodies.setdefault(batch_id, digest) == digest, "one id with two contents"
        window = open_document(body)["window"]
        self.windows.setdefault((window["start"], window["revision"], "0"), set()).add(batch_id)
        return HttpAnswer(200, json.dumps({"batchId": batch_id, "sha256": digest}).encode(), {})


@dataclass(frozen=True)
class Tally:
    """What became of everything, at the end."""

    stored: int
    counted: int
    lost: Mapping[str, int]
    increase: int
    true_increase: int
    restarts: int
    true_restarts: int
    doubled: tuple[object, ...]


class Site:
    """One agent, one JVM, one machine, one cloud."""

    def __init__(self, folder: Path, start: datetime, *, linked: bool = True) -> None:
        made = make_site(folder)
        text = made.config.read_text().replace('interval = "1s"', f'interval = "{TICK_S:.0f}s"')
        text = text.replace('close_after = "0s"', f'close_after = "{CLOSE_AFTER_S:.0f}s"')
        made.config.write_text(text)
        self.agent = Agent(made.config, load_settings(made.config))
        if linked:
            link_as(self.agent, ConsentLevel.BASIC)
        self.clock = HandClock(start)
        self.cloud = Cloud()
        self.in_read: Happening = nothing
        self.before_run: Happening = nothing
        self.after_run: Happening = nothing
        self._store = open_store(self.agent.settings.agent.state_dir)
        self._writer = TickWriter(self._store, 3600)
        self._sampler = Sampler([FunctionSource("jmx", self._read)])
        self._hour_done: datetime | None = None
        self._value = self._jvm = self._ticks = 0
        self._total: list[int] = []
        self.restarts = 0
        self.runs = True

    def _read(self) -> Reading:
        self.in_read()
        return Reading((Sample(HEAP, self._ticks), Sample(REJECTED, self._value)), epoch=f"jvm-{self._jvm}")

    def restart_jvm(self) -> None:
        """Its counters begin at zero."""
        self._jvm, self._value = self._jvm + 1, 0
        self.restarts += 1

    def link(self) -> None:
        """Somebody links it now, as the command does; no cloud is asked."""
        given = give_consent(
            link_folder_for(self.agent.settings), self._store, self.clock, ConsentLevel.BASIC, "fields"
        )
        assert given.granted_at is not None
        link_as(self.agent, ConsentLevel.BASIC, given.granted_at)

    def last_number(self) -> int:
        """The number of the tick that was stored last."""
        return int(self._store.execute("SELECT max(number) FROM tick")[0][0])

    def sealed_numbers(self) -> list[int]:
        """Of the last value of each sealed hour, the tick it came from: the heap counts ticks."""
        found = []
        for row in self._store.execute("SELECT body FROM batch WHERE body IS NOT NULL"):
            for entry in open_document(row["body"])["entries"]:
                if entry["metricName"] == HEAP.metric and entry["attributes"]["samples"]:
                    found += [entry["attributes"]["min"], entry["attributes"]["max"]]
        return found

    def reboot(self, off_s: float = 300.0) -> None:
        """The machine goes down and comes up, agent and JVM with it."""
        self.clock.boot(off_s)
        self.restart_jvm()
        self._store.close()
        self._store = open_store(self.agent.settings.agent.state_dir)
        self._writer = TickWriter(self._store, 3600)
        self._hour_done = None

    def tick(self) -> None:
        """One round, one interval later: seven more were counted since."""
        self.clock.go_on(TICK_S)
        self._value += 7
        self._ticks += 1
        self._total.append(7)
        moment = self.clock.now()
        taken = self._sampler.take(moment.wall, 5)
        try:
            self._writer.append(replace(taken, moment=moment))
        except StoreError:  # the run removed a layout that was not in use; the daemon looks it up again, too
            self._writer.forget_layout()
            self._writer.append(replace(taken, moment=moment))
        label = self._writer.label_of(self.clock.now())
        due = hour_of(datetime.fromtimestamp(label.timestamp() - CLOSE_AFTER_S, UTC)).start
        if self.runs and due != self._hour_done:
            self._hour_done = due
            self.run_hourly()

    def run_hourly(self) -> None:
        """The hourly child: close and seal, then push."""
        self.before_run()
        run_hourly(self.agent.settings, self.clock, push=False, stopping=threading.Event())
        self.after_run()
        store = open_store(self.agent.settings.agent.state_dir)
        push_waiting(
            store,
            self.cloud,
            KEY,
            clock=lambda: self.clock.now().wall,
            stopping=threading.Event(),
            split=split,
            destination="cloud.example.com",
            permits=lambda batch: True,
            pace=PACE,
        )
        store.close()

    def is_killed_in_a_run(self, at: int) -> bool:
        """An hourly run as a process that gets kill -9 at its statement number `at`; False when it ended before."""
        moment = self.clock.now()
        arguments = [str(self.agent.config), str(at), moment.wall.isoformat(), str(moment.steady_s), moment.boot_id]
        command = [sys.executable, "-c", KILLED_AT, *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode != 0

    def go_on(self, hours: float) -> None:
        """Ticks for so long."""
        for _ in range(round(hours * 3600 / TICK_S)):
            self.tick()

    def refuse_closing(self, *, refuse: bool) -> None:
        """Closing dies in the middle of its transaction, as a kill there would end it: all of it is rolled back."""
        with sqlite3.connect(self.agent.settings.agent.state_dir / FILE_NAME) as connection:
            connection.execute("DROP TRIGGER IF EXISTS refuse")
            if refuse:
                connection.execute("CREATE TRIGGER refuse BEFORE INSERT ON batch BEGIN SELECT RAISE(ABORT, 'no'); END")
        connection.close()

    def stored_ticks(self) -> int:
        """How many ticks lie in the store."""
        return int(self._store.execute("SELECT count(*) FROM tick")[0][0])

    def open_hours(self) -> int:
        """How many hours hold ticks that none has counted."""
        return len(uncounted(self._store, 3600).hours)

    def integrity(self) -> str:
        """What SQLite says of the file."""
        return str(self._store.execute("PRAGMA integrity_check")[0][0])

    def batch_states(self) -> list[str]:
        """The state of every batch in the outbox."""
        return [row["state"] for row in self._store.execute("SELECT state FROM batch")]

    def account(self) -> Tally:
        """Count everything there is, once nothing is open any more but the hour that goes on."""
        store = self._store
        rows = store.execute(
            """SELECT count(*) FROM tick LEFT JOIN closed ON closed.start_s = tick.hour_s
               WHERE closed.last_tick IS NULL OR tick.number > closed.last_tick"""
        )
        uncounted = int(rows[0][0])
        counted = increase = restarts = 0
        newest = 0
        for item in closed_hours(store):
            newest = max(newest, item.last_tick)
            for row in aggregates_of(store, item.hour, item.revision):
                if row.series.metric == HEAP.metric:
                    assert row.samples == item.ticks
                    counted += row.samples
                elif row.series.metric == REJECTED.metric:
                    delta = row.figures["delta"]
                    increase += delta if isinstance(delta, int) else 0
                elif row.series.metric == EVENT:
                    happened = row.figures["count"]
                    restarts += happened if isinstance(happened, int) else 0
        per_window = Counter(
            (row["hour_s"], row["revision"], row["part"]) for row in store.execute("SELECT * FROM batch")
        )
        doubled = [*(key for key, count in per_window.items() if count > 1)]
        sent = [key for key, ids in self.cloud.windows.items() if len(ids) > 1]
        return Tally(
            stored=self._ticks - uncounted,
            counted=counted,
            lost={loss.reason: loss.count for loss in losses(store)},
            increase=increase,
            # A counter starts from the first tick: what it held then is not of any hour.
            true_increase=sum(self._total[1:newest]),
            restarts=restarts,
            true_restarts=self.restarts,
            doubled=(*doubled, *sent),
        )

    def close(self) -> None:
        """Let go of everything."""
        self._sampler.close()
        self._store.close()


def hours(number: float) -> timedelta:
    """So many hours."""
    return timedelta(hours=number)
