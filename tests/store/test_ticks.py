"""Ticks on disk: what went in comes out, exactly; few bytes; nothing acknowledged is lost by a kill."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from agent.errors import StoreError
from agent.model import Failure, Outcome, Sample, Series, SourceReport, Tick
from agent.store import Store, open_store
from agent.store.database import FILE_NAME
from agent.store.source_states import source_states
from agent.store.ticks import TickWriter, last_tick, last_tick_before, remove_ticks, ticks_of
from tests.support.ticks import HEAP, HOUR, REQUESTS, START, tick


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "state")


def test_tick_comes_back_as_it_went_in(store: Store) -> None:
    """Integers beyond 2**53, floats, text, truth values, tags and attributes survive unchanged."""
    report = SourceReport("jmx", Outcome.PARTIAL, 4, (Failure("x", "timeout", "local text"),), 1.5)
    samples = (
        Sample(HEAP, 2**62 + 1),
        Sample(REQUESTS, 0.1),
        Sample(Series("jmx", "v"), "17.0 ümlaut"),
        Sample(Series("jmx", "up"), True, (("method", "estimate"),)),
    )
    number = TickWriter(store, 3600).append(Tick(START, samples, (report,), {"jmx": "1"}))
    (found,) = ticks_of(store, HOUR)
    assert (found.number, found.taken_at, found.samples, dict(found.epochs)) == (number, START, samples, {"jmx": "1"})
    assert found.reports[0].failures == (Failure("x", "timeout"),)


def test_not_a_number_is_refused(store: Store) -> None:
    """NaN never enters the store: a batch with it would not be JSON."""
    with pytest.raises(ValueError, match="JSON"):
        TickWriter(store, 3600).append(tick(0, {HEAP: float("nan")}))
    assert ticks_of(store, HOUR) == []


def test_layout_is_stored_once(store: Store) -> None:
    """Thirty ticks with the same series name one layout; another list of series makes a second."""
    writer = TickWriter(store, 3600)
    for minute in range(0, 60, 2):
        writer.append(tick(minute, {HEAP: minute}))
    writer.append(tick(58, {HEAP: 1, REQUESTS: 2}))
    writer.append(tick(59, {HEAP: 1}))
    assert store.execute("SELECT count(*) FROM layout")[0][0] == 2
    assert [t.samples[0].value for t in ticks_of(store, HOUR)] == [*range(0, 60, 2), 1, 1]


def test_a_tick_of_four_thousand_series_costs_little_disk(tmp_path: Path) -> None:
    """At most 0.2 MiB are written per tick, layout included over 30 ticks."""
    store = open_store(tmp_path / "state")
    writer = TickWriter(store, 3600)
    chance = random.Random(1)
    series = [Series("jmx", f"jira.metric.{n % 300}", (("name", f"bean-{n}"),)) for n in range(4200)]
    for minute in range(0, 60, 2):
        writer.append(tick(minute, {item: chance.random() * 1e6 for item in series}))
    store.close()
    written = sum(path.stat().st_size for path in (tmp_path / "state").glob(f"{FILE_NAME}*"))
    assert written / 30 < 0.2 * 1024 * 1024


def test_source_state_keeps_since_when_and_last_answer(store: Store) -> None:
    """`since` moves only when the outcome changes; the last answer stays known while the source fails."""
    writer = TickWriter(store, 3600)
    dead = Failure("", "refused", "Connection refused")
    writer.append(tick(0, {HEAP: 1}))
    writer.append(tick(2, {}, outcome=Outcome.FAILED, failures=(dead,)))
    writer.append(tick(4, {}, outcome=Outcome.FAILED, failures=(dead,)))
    (state,) = source_states(store)
    assert (state.outcome, state.ok_at) == (Outcome.FAILED, START)
    assert state.since == START + timedelta(minutes=2)
    assert state.seen_at == START + timedelta(minutes=4)
    assert state.failures == (("", "refused", "Connection refused"),)


def test_last_tick_before_is_the_newest_older_one(store: Store) -> None:
    """A counter starts from the last tick before its hour."""
    writer = TickWriter(store, 3600)
    for minute in (-4, -2, 0):
        writer.append(tick(minute, {HEAP: minute}))
    found = last_tick_before(store, START)
    assert found is not None
    assert found.samples[0].value == -2
    assert last_tick(store) == (START, 1)


def test_removing_ticks_keeps_the_layout_in_use(store: Store) -> None:
    """Old hours go with their layouts; the writer goes on without a hitch."""
    writer = TickWriter(store, 3600)
    writer.append(tick(-60, {REQUESTS: 1}))
    writer.append(tick(0, {HEAP: 1}))
    with store.transaction() as connection:
        assert remove_ticks(connection, int(START.timestamp())) == 1
    writer.append(tick(2, {HEAP: 2}))
    assert len(ticks_of(store, HOUR)) == 2
    assert store.execute("SELECT count(*) FROM layout")[0][0] == 1


def test_refused_write_leaves_nothing_and_the_next_one_works(store: Store) -> None:
    """A statement that fails in the middle of a tick rolls all of it back."""
    writer = TickWriter(store, 3600)
    store.connection.execute("CREATE TRIGGER no BEFORE INSERT ON tick BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StoreError):
        writer.append(tick(0, {HEAP: 1}))
    assert store.execute("SELECT count(*) FROM layout")[0][0] == 0
    assert source_states(store) == []
    store.connection.execute("DROP TRIGGER no")
    writer.append(tick(0, {HEAP: 1}))
    assert len(ticks_of(store, HOUR)) == 1


WRITER = """
import sys
from pathlib import Path
from agent.store import open_store
from agent.store.ticks import TickWriter
from tests.support.ticks import HEAP, tick
writer = TickWriter(open_store(Path(sys.argv[1])), 3600)
for number in range(100000):
    print(writer.append(tick(0, {HEAP: number})), flush=True)
"""


@pytest.mark.fault(1)
@pytest.mark.parametrize("seed", range(5))
def test_kill_loses_no_acknowledged_tick(tmp_path: Path, seed: int) -> None:
    """kill -9 of a writing process: every tick it had acknowledged is there, and the file is sound."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "state")], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(random.Random(seed).randint(1, 60))]
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.stdout.close()
    process.wait()
    whole_lines = [line for line in (*acknowledged, *rest.splitlines(keepends=True)) if line.endswith("\n")]
    store = open_store(tmp_path / "state")
    assert store.execute("PRAGMA integrity_check")[0][0] == "ok"
    assert store.execute("SELECT max(number) FROM tick")[0][0] >= int(whole_lines[-1])
    assert store.execute("SELECT count(*) FROM tick")[0][0] >= len(whole_lines)
    store.close()
