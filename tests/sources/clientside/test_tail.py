"""Every complete line exactly once, through growth, rotation of every kind, compression and new beginnings."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.sources.clientside.tail import CHUNK_BYTES, KEPT_POSITIONS, Follower
from tests.support.access_logs import Lines

LOG = "access_log"


class Log:
    """A log in a folder, its follower, and what was written and read so far."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG
        self.folder = folder
        self.written: Counter[bytes] = Counter()
        self.lines = Lines()
        self.number = 0
        self.follower = self.new()
        self.path.write_bytes(b"before the first look\n")
        self.read()

    def new(self) -> Follower:
        return Follower(self.folder, lambda name: name.startswith(LOG))

    def write(self, count: int = 3, path: Path | None = None) -> None:
        lines = [b"line %d\n" % number for number in range(self.number, self.number + count)]
        self.number += count
        self.written.update(lines)
        with open(path or self.path, "ab") as stream:
            stream.write(b"".join(lines))

    def read(self, seconds: float = 10) -> None:
        self.follower.read(self.lines, time.monotonic() + seconds)

    def restart(self) -> None:
        stored = json.dumps(self.follower.dump())
        self.follower = self.new()
        self.follower.load(json.loads(stored))

    def check(self) -> None:
        self.read()
        assert self.lines.found == self.written


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_what_was_there_before_is_not_read(log: Log) -> None:
    """The first look stands at the end: what was written before belongs to no hour of the agent."""
    assert not log.lines.found


def test_growth(log: Log) -> None:
    """Lines come once, however often one looks."""
    for _ in range(5):
        log.write()
        log.read()
        log.read()
    log.check()


def test_rename_with_a_writer_that_still_holds_the_old_file(log: Log) -> None:
    """Rotated by name; lines that still went into the old file, read late, are not lost."""
    log.write()
    with open(log.path, "ab") as held:
        log.read()
        os.rename(log.path, log.folder / f"{LOG}.1")
        log.write()
        log.read()
        held.write(b"late line\n")
        log.written[b"late line\n"] += 1
    log.check()


def test_several_rotations_between_two_looks(log: Log) -> None:
    """Two whole files that came and were rotated away unseen are read all the same."""
    for _ in range(3):
        log.write()
        for number in (2, 1):
            if (log.folder / f"{LOG}.{number}").exists():
                os.rename(log.folder / f"{LOG}.{number}", log.folder / f"{LOG}.{number + 1}")
        os.rename(log.path, log.folder / f"{LOG}.1")
    log.write()
    log.check()


def test_copy_and_truncate(log: Log) -> None:
    """As logrotate's copytruncate does it: the rest is read from the copy, the new beginning from the file."""
    log.write(40)
    log.read()
    log.write(40)
    shutil.copy(log.path, log.folder / f"{LOG}.1")
    log.read()
    os.truncate(log.path, 0)
    log.read()
    log.write()
    log.read()
    log.write(200)
    log.check()


def test_copy_beside_the_log(log: Log) -> None:
    """Someone copies the log and leaves both: the copy is not read, the log goes on being followed."""
    log.write(40)
    shutil.copy(log.path, log.folder / f"{LOG}.copy")
    for _ in range(3):
        log.read()
        log.write(40)
    log.check()


def test_copy_and_truncate_unseen(log: Log) -> None:
    """The same when nobody looked in between and the file has grown past its old length again."""
    log.write(40)
    log.read()
    log.write(40)
    shutil.copy(log.path, log.folder / f"{LOG}.1")
    os.truncate(log.path, 0)
    log.write(400)
    log.check()


def test_dated_files(log: Log) -> None:
    """As Tomcat does it: a new name each day, the old file stays."""
    for day in range(3):
        for _ in range(2):
            log.write(path=log.folder / f"{LOG}.2026-11-{20 + day}")
            log.read()
    log.check()


@pytest.mark.parametrize("looked", [True, False])
def test_compressed_after_rotation(log: Log, looked: bool) -> None:
    """A rotated file that was compressed before its last lines were read is unpacked from there on, once."""
    log.write(50)
    log.read()
    log.write(50)
    if looked:
        log.read()
    old = log.folder / f"{LOG}.1"
    os.rename(log.path, old)
    with open(old, "rb") as plain, gzip.open(f"{old}.gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    shutil.copystat(old, f"{old}.gz")
    log.read()
    old.unlink()
    log.write()
    log.read()
    log.restart()
    log.check()


def test_half_written_compressed_file(log: Log) -> None:
    """A .gz that is cut off gives what it holds, and the rest when it is whole; nothing twice."""
    log.write(20_000)
    whole = gzip.compress(log.path.read_bytes(), mtime=0)
    log.path.unlink()
    packed = log.folder / f"{LOG}.1.gz"
    packed.write_bytes(whole[: len(whole) // 2])
    log.read()
    with open(packed, "ab") as stream:
        stream.write(whole[len(whole) // 2 :])
    log.check()


def test_inode_that_was_given_away(log: Log) -> None:
    """A new file on the inode of a removed one is a new file, not the old one grown."""
    log.write(100)
    log.read()
    inode = log.path.stat().st_ino
    log.path.unlink()
    log.write(300)
    if log.path.stat().st_ino != inode:
        position = log.follower._positions[-1]
        position.inode = log.path.stat().st_ino  # this file system did not give it away at once
    log.check()


def test_partial_last_line_waits(log: Log) -> None:
    """A line without its end is not read; with its end it is one line."""
    log.write()
    with open(log.path, "ab") as stream:
        stream.write(b"first ha")
        stream.flush()
        log.read()
        log.restart()
        stream.write(b"lf\n")
    log.written[b"first half\n"] += 1
    log.check()


def test_line_longer_than_a_chunk_is_dropped(log: Log) -> None:
    """It costs itself, not the memory and not its neighbours."""
    log.write()
    with open(log.path, "ab") as stream:
        stream.write(b"x" * (3 * CHUNK_BYTES))
    log.read()
    log.restart()
    with open(log.path, "ab") as stream:
        stream.write(b"x" * 10 + b"\n")
    log.write()
    log.check()


def test_many_files_keep_a_small_position(log: Log) -> None:
    """The position stays small after a year of daily files, and no old file is read again."""
    for day in range(3 * KEPT_POSITIONS):
        log.write(path=log.folder / f"{LOG}.{day:03}")
        log.read()
    log.restart()
    log.check()
    assert len(json.dumps(log.follower.dump())) < KEPT_POSITIONS * 300


def test_links_and_pipes_are_not_opened(log: Log) -> None:
    """A link could count a file twice, a pipe would hang."""
    os.symlink(log.path, log.folder / f"{LOG}.link")
    os.mkfifo(log.folder / f"{LOG}.pipe")
    log.write()
    log.check()


def test_time_that_is_up_stops_between_chunks(log: Log) -> None:
    """With no time left one chunk is read at most; the rest comes at the next looks."""
    log.write(100_000)
    log.read(0.0)
    assert sum(log.lines.found.values()) < 100_000
    log.check()


def test_skip_to_end(log: Log) -> None:
    """What is passed over is told in bytes and never read."""
    log.write(10)
    size = sum(len(line) for line in log.written)
    assert log.follower.skip_to_end() == size
    log.written.clear()
    log.write()
    log.check()


def test_position_holds_nothing_of_the_log(log: Log) -> None:
    """Numbers and digests only."""
    log.write()
    log.read()
    text = json.dumps(log.follower.dump())
    assert "line" not in text
    assert LOG not in text


STEPS = st.lists(
    st.sampled_from(["write", "read", "rename", "copytruncate", "restart", "dated", "compress"]), max_size=25
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_any_order_of_events(steps: list[str]) -> None:
    """Growth, looks, restarts and rotations in any order: each line once."""
    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder))
        log.write(30)
        for number, step in enumerate(steps):
            if step == "rename":
                os.rename(log.path, log.folder / f"{LOG}.r{number}")
                log.write(1)
            elif step == "copytruncate":
                shutil.copy(log.path, log.folder / f"{LOG}.c{number}")
                os.truncate(log.path, 0)
            elif step == "compress":
                plain = sorted(log.folder.glob(f"{LOG}.r*[0-9]"))
                for old in plain[:1]:
                    packed = Path(f"{old}.gz")
                    packed.write_bytes(gzip.compress(old.read_bytes()))
                    shutil.copystat(old, packed)
                    old.unlink()
            elif step == "dated":
                log.write(path=log.folder / f"{LOG}.d{number // 5}")
            else:
                getattr(log, step)()
        log.check()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=30), st.lists(st.integers(1, 200), max_size=40))
def test_any_split_of_the_bytes(texts: list[bytes], cuts: list[int]) -> None:
    """However the bytes arrive, the same lines come out."""
    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder))
        whole = b"start\n" + b"".join(
            b"%d " % number + text.replace(b"\n", b"") + b"\n" for number, text in enumerate(texts)
        )
        log.written.update(line + b"\n" for line in whole.split(b"\n")[:-1])
        collected: list[bytes] = []
        at = 0
        for cut in [*cuts, len(whole)]:
            with open(log.path, "ab") as stream:
                stream.write(whole[at : at + cut])
            at += cut
            log.follower.read(collected.append, time.monotonic() + 5)
        assert b"".join(collected) == whole
