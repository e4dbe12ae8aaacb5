"""The run as a whole: one at a time, with a bundle by hand too, and what is written short is read before."""

from __future__ import annotations

import sqlite3
import threading
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.errors import AlreadyRunning
from agent.model import Tick
from agent.runtime.hourly.bundle import bundle_now, write_bundle_by_hand
from agent.runtime.hourly.close import close_hours
from agent.runtime.hourly.lock import run_lock
from agent.runtime.pipeline import open_pipeline
from agent.store import Store, ledger, open_store
from agent.store.ticks import TickWriter
from tests.support.clock import FixedClock, HandClock, reckoned
from tests.support.site import Agent, make_site

NINE = datetime(2026, 11, 22, 9, tzinfo=UTC)
NOW = NINE + timedelta(hours=3, minutes=1)


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """Three closed hours of an agent in linked mode without a link: none of them is sealed."""
    made = make_site(tmp_path)
    for number in range(3):
        made.tick(1000 + number, at=NINE + timedelta(hours=number))
    with open_pipeline(made.settings) as pipeline:
        assert len(close_hours(pipeline, reckoned(pipeline.store, NOW)).hours) == 3
    return made


def test_a_bundle_by_hand_waits_for_the_run(agent: Agent) -> None:
    """What the hourly run is about to change is not read: the bundle is written when the run has ended."""
    state = agent.settings.agent.state_dir
    ended = threading.Event()
    at_work = threading.Event()

    def run() -> None:
        with run_lock(state):
            at_work.set()
            ended.wait(20)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert at_work.wait(20)
        with pytest.raises(AlreadyRunning) as caught:
            write_bundle_by_hand(agent.settings, agent.settings.bundle_folder, FixedClock(NOW), wait_s=0.2)
        assert (caught.value.exit_code, bool(caught.value.why), bool(caught.value.do)) == (13, True, True)
        threading.Timer(0.3, ended.set).start()
        path = write_bundle_by_hand(agent.settings, agent.settings.bundle_folder, FixedClock(NOW), wait_s=60)
        assert ended.is_set()
        assert path.exists()
    finally:
        ended.set()
        thread.join()


class Watched(Store):
    """A store that says when something large is read while a transaction holds up the daemon."""

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """As the store does it."""
        assert not (self.connection.in_transaction and "body" in sql.lower()), sql
        return super().execute(sql, parameters)


def test_zip_and_ledger_name_the_same_batches(agent: Agent) -> None:
    """Each body is made once, outside of any transaction; what the zip holds is what the ledger names."""
    with open_pipeline(agent.settings) as opened:
        pipeline = replace(opened, store=Watched(opened.store.folder, opened.store.connection))
        path = bundle_now(pipeline, agent.settings.bundle_folder, NOW, actor="test")
        written = {(row.batch_id, row.answer) for row in ledger.rows(opened.store)}
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith("batches/")]
    assert len(names) == 3
    assert {(name.rsplit("-p0-", 1)[1].removesuffix(".json"), "written") for name in names} == written


def test_a_clock_far_ahead_leaves_the_days_in_the_bundle(agent: Agent) -> None:
    """The last days are those before the line of the ticks, not before a clock that was just set."""
    clock = HandClock(NOW)
    store = open_store(agent.settings.agent.state_dir)
    TickWriter(store, 3600).append(Tick(NOW, (), (), moment=clock.now()))
    store.close()
    clock.set(timedelta(days=40))
    assert write_bundle_by_hand(agent.settings, agent.settings.bundle_folder, clock).exists()
