"""The run as a whole: one at a time, with a bundle by hand too, and what is written short is read before."""

from __future__ import annotations

import sqlite3
import threading
import time
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.delivery.bundle import verify_bundle
from agent.errors import AlreadyRunning, StoreError
from agent.model import ConsentLevel, Tick
from agent.runtime.hourly.bundle import bundle_now, write_bundle_by_hand
from agent.runtime.hourly.close import close_hours
from agent.runtime.hourly.lock import run_lock
from agent.runtime.pipeline import open_pipeline
from agent.store import Store, ledger, open_store, outbox
from agent.store.database import FILE_NAME
from agent.store.ticks import TickWriter
from tests.support.clock import FixedClock, HandClock, reckoned
from tests.support.site import Agent, link_as, make_site

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


def bundle(agent: Agent, now: datetime = NOW) -> Path:
    """One bundle by hand."""
    return write_bundle_by_hand(agent.settings, agent.settings.bundle_folder, FixedClock(now))


def ledger_rows(agent: Agent) -> list[tuple[str, str]]:
    """File name and answer of each row."""
    store = open_store(agent.settings.agent.state_dir, read_only=True)
    found = [(row.destination, row.answer) for row in ledger.rows(store)]
    store.close()
    return found


def refuse(agent: Agent, when: str = "") -> None:
    """Let the store refuse one statement from now on, as a process that dies there would leave it; "" for none."""
    with sqlite3.connect(agent.settings.agent.state_dir / FILE_NAME) as connection:
        connection.execute("DROP TRIGGER IF EXISTS refuse")
        if when:
            connection.execute(f"CREATE TRIGGER refuse BEFORE {when} BEGIN SELECT RAISE(ABORT, 'no'); END")
    connection.close()


def test_a_bundle_that_is_there_is_in_the_ledger(agent: Agent) -> None:
    """Ended right after the file got its name: its rows are there, in doubt, and the next bundle settles them."""
    refuse(agent, "UPDATE ON ledger")
    with pytest.raises(StoreError):
        bundle(agent)
    (path,) = agent.settings.bundle_folder.glob("*.zip")
    assert ledger_rows(agent) == [(path.name, ledger.NOT_NAMED)] * 3
    refuse(agent)
    later = bundle(agent, NOW + timedelta(minutes=1))
    assert ledger_rows(agent) == [(path.name, "written")] * 3 + [(later.name, "written")] * 3


def test_without_its_rows_no_bundle_is_there(agent: Agent) -> None:
    """The ledger refuses: nothing that somebody could carry away gets its name."""
    refuse(agent, "INSERT ON ledger")
    with pytest.raises(StoreError):
        bundle(agent)
    assert list(agent.settings.bundle_folder.iterdir()) == []
    assert ledger_rows(agent) == []


def test_a_bundle_written_under_a_clock_ahead_does_not_outlive_the_next_ones(agent: Agent) -> None:
    """Which bundle is old is told by the order they were written in, not by the instants in their names."""
    keep = agent.settings.bundle.keep
    first = bundle(agent, NOW + timedelta(days=1))
    assert first.exists()
    for number in range(keep):
        assert bundle(agent, NOW + timedelta(minutes=number)).exists()
    assert not first.exists()


def test_consent_lowered_while_a_bundle_waits_holds_for_it(agent: Agent) -> None:
    """The consent of a bundle is the one in force when its turn has come; what was sealed above it is sealed anew."""
    link_as(agent, ConsentLevel.EXTENDED)
    agent.tick(1, at=NINE + timedelta(hours=3))
    now = NOW + timedelta(hours=1)
    with open_pipeline(agent.settings) as pipeline:
        assert close_hours(pipeline, reckoned(pipeline.store, now)).batches > 0
    written: list[Path] = []
    with run_lock(agent.settings.agent.state_dir):
        thread = threading.Thread(target=lambda: written.append(_bundle_waiting(agent, now)))
        thread.start()
        time.sleep(0.5)  # it may have read what it likes by now; that is what is tried
        link_as(agent, ConsentLevel.BASIC)
    thread.join(60)
    manifest = verify_bundle(written[0])
    assert manifest["consent"]["level"] == "basic"
    assert {item["batch"]["level"] for item in manifest["files"] if "batch" in item} == {"basic"}
    assert len([item for item in manifest["files"] if "batch" in item]) == 4
    assert manifest["leftOut"] == []


def _bundle_waiting(agent: Agent, now: datetime) -> Path:
    return write_bundle_by_hand(agent.settings, agent.settings.bundle_folder, FixedClock(now), wait_s=60)


def test_what_was_delivered_and_is_not_kept_is_named(agent: Agent) -> None:
    """After a full disk a delivered batch has no bytes any more: the manifest says so."""
    link_as(agent, ConsentLevel.BASIC)
    with open_pipeline(agent.settings) as pipeline:
        close_hours(pipeline, reckoned(pipeline.store, NOW))
        (one, *_) = outbox.rows(pipeline.store)
        with pipeline.store.transaction() as connection:
            outbox.acknowledge(connection, one.id, "ok", NOW)
            outbox.forget_delivered(connection)
    left_out = verify_bundle(bundle(agent))["leftOut"]
    assert [item["what"] for item in left_out] == [f"batch {one.id}"]
