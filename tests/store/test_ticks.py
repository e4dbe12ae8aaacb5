"""Ticks on disk: what went in comes out, exactly; few bytes; nothing acknowledged is lost by a kill."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import agent
from agent.errors import StoreError
from agent.model import Failure, Hour, Outcome, Sample, Series, SourceReport, Tick
from agent.store import Store, open_store
from agent.store.database import FILE_NAME
from agent.store.hours import ClosedHour, put_hour
from agent.store.losses import losses
from agent.store.source_states import source_states
from agent.store.ticks import (
    TickWriter,
    last_tick,
    newest_tick,
    remove_counted,
    remove_lost,
    tick_before,
    ticks_of,
    watermark,
)
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


def test_the_tick_before_is_the_one_stored_before(store: Store) -> None:
    """A counter starts from the last tick before its hour, in the store's order, whatever the labels say."""
    writer = TickWriter(store, 3600)
    numbers = [writer.append(tick(minute, {HEAP: minute})) for minute in (-4, 30, -2)]
    found = tick_before(store, numbers[2])
    assert found is not None
    assert found.samples[0].value == 30
    assert tick_before(store, numbers[0]) is None
    newest = newest_tick(store)
    assert newest is not None
    assert newest.number == numbers[2]
    assert last_tick(store) == (START - timedelta(minutes=2), 1)


def count(store: Store, hour: Hour, last: int) -> None:
    """Close `hour` up to tick number `last`."""
    with store.transaction() as connection:
        put_hour(connection, ClosedHour(hour, 0, hour.end, last, 1), [])


def test_removing_counted_ticks_keeps_the_layout_in_use(store: Store) -> None:
    """Old ticks go with their layouts, the newest counted one stays; the writer goes on without a hitch."""
    writer = TickWriter(store, 3600)
    writer.append(tick(-60, {REQUESTS: 1}))
    last = writer.append(tick(-58, {HEAP: 1}))
    count(store, Hour(START - timedelta(hours=1)), last)
    writer.append(tick(0, {HEAP: 1}))
    with store.transaction() as connection:
        assert remove_counted(connection, last) == 1
    writer.append(tick(2, {HEAP: 2}))
    assert len(ticks_of(store, HOUR)) == 2
    assert store.execute("SELECT count(*) FROM layout")[0][0] == 1


def test_nothing_is_removed_beyond_the_watermark(store: Store) -> None:
    """Whatever is asked, a tick that no hour counted stays, and what was stored after it."""
    writer = TickWriter(store, 3600)
    numbers = [writer.append(tick(minute, {HEAP: 1})) for minute in (-62, -60, 0, 60)]
    with store.transaction() as connection:
        assert watermark(connection) == 0
        assert remove_counted(connection, 10**9) == 0
    count(store, Hour(START - timedelta(hours=2)), numbers[0])
    count(store, HOUR, numbers[2])
    with store.transaction() as connection:
        assert watermark(connection) == numbers[0]
        assert remove_counted(connection, 10**9) == 0
    count(store, Hour(START - timedelta(hours=1)), numbers[1])
    with store.transaction() as connection:
        assert watermark(connection) == numbers[2]
        assert remove_counted(connection, 10**9) == 2
    assert [row["number"] for row in store.execute("SELECT number FROM tick ORDER BY number")] == numbers[2:]


def test_what_no_hour_can_count_is_a_loss_by_name(store: Store) -> None:
    """Deleted and counted in one transaction; a number that is gone already is not counted again."""
    number = TickWriter(store, 3600).append(tick(0, {HEAP: 1}))
    for _ in range(2):
        with store.transaction() as connection:
            remove_lost(connection, [number], "clock-set-back", START)
    assert [(loss.reason, loss.count) for loss in losses(store)] == [("clock-set-back", 1)]


def test_one_place_deletes_ticks() -> None:
    """Deleting without accounting cannot be written elsewhere: one statement in the whole agent does it."""
    root = Path(agent.__file__).parent
    deletes = re.compile(r"(?i)delete\s+from\s+tick\b")
    found = [path.name for path in root.rglob("*.py") for _ in deletes.findall(path.read_text())]
    assert found == ["ticks.py"]


def test_an_epoch_of_an_older_agent_says_nothing(store: Store) -> None:
    """It took the boot time for the epoch of the host's counters: with the boot's id the same boot is no new one."""
    sample = Sample(Series("host", "host.network.sent"), 5)
    TickWriter(store, 3600).append(Tick(START, (sample,), (), {"host": "1700000000", "jmx": "1"}))
    assert dict(ticks_of(store, HOUR)[0].epochs) == {"host": "1700000000", "jmx": "1"}
    store.connection.execute("UPDATE tick SET boot_id = NULL")
    assert dict(ticks_of(store, HOUR)[0].epochs) == {"jmx": "1"}


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
