"""The store of the released agent before this one, under today's code: nothing lost, nothing changed that was sealed.

`data/released.tar.gz` was made with the code of the release that had schema 1: a Basic link given at 05:00 (the key
of `tests.support.cloud`), ticks of five series every two minutes until 08:40, two with names that Basic does not
store, the hour of 05:00 pushed to the reference receiver and bundled, those of 06:00 and 07:00 sealed while it was
away, that of 08:00 open; audit rows of the link, the bundle and `consent set basic`. Its state file and link folder,
without the machine's id.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import tarfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.errors import StoreError
from agent.runtime.hourly.bundle import bundle_now
from agent.runtime.hourly.run import run_hourly
from agent.runtime.pipeline import open_pipeline
from agent.settings.load import load_settings
from agent.store import open_store
from agent.store.schema import STEPS
from tests.support.clock import FixedClock
from tests.support.cloud import Receiver, receiver
from tests.support.planting import stored_bytes
from tests.support.site import Agent, make_site

RELEASED = Path(__file__).parent / "data" / "released.tar.gz"
KEPT = {  # each table with the columns it had then
    "tick": "number, taken_ms, hour_s, layout, body",
    "hour": "*",
    "batch": "*",
    "ledger": "*",
    "audit": "*",
}
NAMES = (b"Erika", b"quibble-payroll")
NEXT_RUN = datetime(2026, 11, 22, 9, 1, tzinfo=UTC)

pytestmark = pytest.mark.fault(13)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Receiver]:
    """A running reference receiver."""
    with receiver(tmp_path / "receiver") as running:
        yield running


@pytest.fixture
def agent(tmp_path: Path, cloud: Receiver) -> Agent:
    """An agent of today over what the released one left."""
    settings = cloud.settings
    made = make_site(tmp_path, cloud=f'endpoint = "{settings.endpoint}"\nca_file = "{settings.ca_file}"')
    with tarfile.open(RELEASED) as archive:
        archive.extractall(tmp_path / "released", filter="data")
    made.settings.agent.state_dir.mkdir(mode=0o700)
    shutil.copy(tmp_path / "released" / "state" / "agent.sqlite3", made.settings.agent.state_dir)
    shutil.rmtree(made.settings.link_dir)
    shutil.copytree(tmp_path / "released" / "link", made.settings.link_dir)
    made.config.write_text(made.config.read_text().replace('interval = "1s"', 'interval = "2m"'))
    return Agent(made.config, load_settings(made.config))


def rows(agent: Agent, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the store as they lie there: read without migrating it."""
    store = open_store(agent.settings.agent.state_dir, read_only=True)
    try:
        return [tuple(row) for row in store.execute(sql)]
    finally:
        store.close()


def kept(agent: Agent) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the tables whose rows stay, as far as the released agent wrote it."""
    return {table: rows(agent, f"SELECT {columns} FROM {table} ORDER BY 1, 2") for table, columns in KEPT.items()}


def test_readers_understand_the_old_store_before_it_is_migrated(agent: Agent) -> None:
    """`status`, `preview` and `consent show` open it as it is: what waits and what was last sealed is told."""
    assert rows(agent, "PRAGMA user_version") == [(1,)]
    sealed = rows(agent, "SELECT id, sha256 FROM batch WHERE state = 'waiting' ORDER BY hour_s")
    status = agent.run("status", "--json").json
    assert status["waiting"]["batches"] == 2
    shown = agent.json("preview")
    assert [(item["batchId"], item["sha256"], item["state"]) for item in shown["batches"]] == [(*sealed[-1], "waiting")]
    assert agent.json("consent", "show")["level"] == "basic"
    assert rows(agent, "PRAGMA user_version") == [(1,)]


def test_opening_it_migrates_in_steps_and_loses_nothing(agent: Agent) -> None:
    """Each table keeps each row, byte for byte; only the state of the sources, which quoted names, begins anew."""
    before = kept(agent)
    open_store(agent.settings.agent.state_dir).close()
    assert rows(agent, "PRAGMA user_version") == [(len(STEPS),)]
    assert kept(agent) == before
    assert [len(before[table]) for table in KEPT] == [109, 3, 3, 2, 3]
    assert rows(agent, "SELECT * FROM source_state") == []
    assert rows(agent, "SELECT DISTINCT steady_ms, boot_id, vouched FROM tick") == [(None, None, 1)]
    closed = rows(agent, "SELECT start_s, max(last_tick) FROM hour GROUP BY start_s ORDER BY start_s")
    assert rows(agent, "SELECT * FROM closed ORDER BY start_s") == closed


def test_an_upgrade_that_is_killed_between_steps_goes_on(agent: Agent) -> None:
    """A store that reached a step only is migrated from there; none is done twice."""
    file = agent.settings.agent.state_dir / "agent.sqlite3"
    for reached in range(1, len(STEPS)):
        with sqlite3.connect(file) as connection:
            for step in STEPS[reached - 1 : reached] if reached > 1 else ():
                for statement in step:
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {reached}")
        connection.close()
        copy = agent.settings.agent.state_dir.with_name(f"state-{reached}")
        shutil.copytree(agent.settings.agent.state_dir, copy)
        open_store(copy).close()
        with sqlite3.connect(copy / "agent.sqlite3") as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
            assert connection.execute("SELECT count(*) FROM tick").fetchone() == (109,)
        connection.close()


def test_what_the_old_agent_sealed_is_pushed_as_it_is_and_the_open_hour_goes_on(agent: Agent, cloud: Receiver) -> None:
    """The first run after an upgrade: old batches arrive byte for byte, the open hour is counted without a seam.

    No event is made up, what waited no longer does, names are gone from the store, and the history is as it was.
    """
    waiting = rows(agent, "SELECT id, body FROM batch WHERE state = 'waiting'")
    ledger, audit = (rows(agent, f"SELECT * FROM {table}") for table in ("ledger", "audit"))
    assert any(name in b"".join(stored_bytes(agent.settings.agent.state_dir)) for name in NAMES)
    report = run_hourly(agent.settings, FixedClock(NEXT_RUN), push=True, stopping=threading.Event())
    assert report.problem is None
    assert (len(report.closed.hours), report.pushed, report.waiting, report.resealed) == (1, 3, 0, 0)
    for batch_id, body in waiting:
        assert cloud.body(batch_id) == body
    (fresh,) = cloud.stored() - {batch_id for batch_id, _ in waiting}
    document = json.loads(gzip.decompress(cloud.body(fresh)))
    assert document["window"]["start"] == "2026-11-22T08:00:00Z"
    assert not [entry for entry in document["entries"] if entry["metricName"].startswith("event.")]
    old = json.loads(gzip.decompress(waiting[-1][1]))
    assert keyed(document).keys() >= keyed(old).keys(), "a series changed its name with the upgrade"
    rejected = next(one for one in document["entries"] if one["metricName"] == "tomcat.sessions.rejected")
    assert rejected["attributes"]["delta"] == 20 * 10, "the counter goes on from the last tick before the hour"
    assert rows(agent, "SELECT * FROM ledger")[: len(ledger)] == ledger
    assert rows(agent, "SELECT * FROM audit") == audit
    assert rows(agent, "SELECT * FROM loss") == []
    left = b"".join(stored_bytes(agent.settings.agent.state_dir))
    assert [name for name in NAMES if name in left] == []
    again = run_hourly(agent.settings, FixedClock(NEXT_RUN), push=True, stopping=threading.Event())
    assert (len(again.closed.hours), again.pushed, again.problem) == (0, 0, None)


def keyed(document: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """The entries of a document by name and tags."""
    return {(one["metricName"], json.dumps(one["tags"])): one["attributes"] for one in document["entries"]}


def test_a_bundle_after_the_upgrade_holds_the_old_batches(agent: Agent) -> None:
    """What the old agent sealed is carried by the new one's bundle, each batch as it is."""
    known = {row[0] for row in rows(agent, "SELECT id FROM batch")}
    with open_pipeline(agent.settings) as pipeline:
        bundle_now(pipeline, agent.settings.bundle_folder, NEXT_RUN, actor="test")
    written = rows(agent, "SELECT batch_id FROM ledger WHERE way = 'bundle' AND number > 2")
    assert {row[0] for row in written} == known


def test_going_back_is_refused_and_changes_nothing(agent: Agent) -> None:
    """A program that knows fewer steps refuses the file, says what to do, and leaves every byte alone."""
    state = agent.settings.agent.state_dir
    store = open_store(state)
    store.connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    store.scrub()
    store.close()
    before = (state / "agent.sqlite3").read_bytes()
    for read_only in (True, False):
        with pytest.raises(StoreError, match="written by a newer agent") as caught:
            open_store(state, read_only=read_only)
        assert "Install the newer agent again" in caught.value.do
    assert agent.run("status").code == 12
    assert (state / "agent.sqlite3").read_bytes() == before
