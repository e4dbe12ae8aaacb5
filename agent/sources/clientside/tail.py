"""Follows a log through growth, rotation and compression, so that every complete line is given out exactly once.

In:   a folder, a rule for names, a position from an earlier run or none. Files are known by device, inode and a digest
      of their first bytes: an inode alone may have been given away, a name alone says nothing.
Out:  whole lines as bytes, a chunk at a time; `dump()` is the position to store. A last line without its end waits for
      it. Rotated by name, by date, by copy and truncate, and compressed (.gz) afterwards: all are found again by their
      first bytes. What was written before the first look is not read. What a rotation threw away unread is lost.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agent.system.clock import monotonic_s, unix_s

CHUNK_BYTES = 256 * 1024
HEAD_BYTES = 1024
TAIL_BYTES = 64 * 1024
DIGEST_BYTES = 16
KEPT_POSITIONS = 16
START_SLACK_NS = 60 * 10**9  # a file's time may lie a little before the clock's

Consume = Callable[[bytes], None]


@dataclass(slots=True)
class Position:
    """How far one file was read. `head` is a digest of its first `head_length` bytes, once they were there."""

    device: int
    inode: int
    head_length: int
    head: str  # a digest, since the first bytes of a log are requests: they may not be stored
    offset: int
    changed_ns: int
    skipping: bool = False  # inside a line longer than a chunk, which is dropped
    compressed: bool = False


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of the log as found in its folder."""

    path: Path
    device: int
    inode: int
    size: int
    changed_ns: int

    @property
    def compressed(self) -> bool:
        """Whether it must be unpacked."""
        return self.path.name.endswith(".gz")


@dataclass(slots=True)
class Progress:
    """What one look gave: files of the log that were seen, bytes read, files that may not be read, whether all there
    was has been read."""

    files: int = 0
    read_bytes: int = 0
    denied: int = 0
    finished: bool = True


class Follower:
    """One log: the files of `folder` whose name `accepts`."""

    def __init__(self, folder: Path, accepts: Callable[[str], bool]) -> None:
        self._folder = folder
        self._accepts = accepts
        self._positions: list[Position] = []
        # (length, digest) of the first bytes of copies: a short copy says less than its original knows by now.
        self._copies: list[tuple[int, str]] = []
        self._floor_ns: int | None = None
        self._heads: dict[tuple[int, int, int, int], bytes] = {}

    def dump(self) -> dict[str, object]:
        """The position as plain values: numbers and digests, never a name or a byte of the log."""
        files = [asdict(position) for position in self._positions]
        return {"floor": self._floor_ns, "files": files, "copies": self._copies}

    def load(self, document: Mapping[str, Any]) -> None:
        """Go on from a `dump()`; raises TypeError, KeyError or ValueError for anything else."""
        positions = [Position(**item) for item in document["files"]]
        copies = [(int(length), str(digest)) for length, digest in document["copies"]]
        self._floor_ns, self._positions, self._copies = document["floor"], positions, copies

    def skip_to_end(self) -> int:
        """Pass over what is there now; the bytes of followed files that were passed over."""
        files = self._log_files()
        offsets = {(position.device, position.inode): position.offset for position in self._positions}
        unread = 0
        if self._floor_ns is not None:
            unread = sum(
                max(0, file.size - offsets.get((file.device, file.inode), 0)) for file in files if not file.compressed
            )
        plain = [file for file in files if not file.compressed]
        newest_ns = max((file.changed_ns for file in plain), default=int(unix_s() * 1e9) - START_SLACK_NS)
        # Older files too: a writer may still hold the one that was rotated away a moment ago.
        ends = (self._at_end(file) for file in plain[-KEPT_POSITIONS:])
        self._positions = [position for position in ends if position is not None]
        self._floor_ns = newest_ns
        return unread

    def is_there(self) -> bool:
        """Whether the folder has a file of the log; raises OSError when it cannot be listed."""
        return bool(self._log_files())

    def last_lines(self) -> bytes:
        """Complete lines at the end of the newest file, up to TAIL_BYTES; empty when there is none to be read."""
        newest = [file for file in self._log_files() if not file.compressed][-1:]
        for file in newest:
            try:
                with _opened(file) as handle:
                    start = max(0, file.size - TAIL_BYTES)
                    tail = os.pread(handle, TAIL_BYTES, start)
            except OSError:
                continue
            return tail[tail.find(b"\n") + 1 if start else 0 : tail.rfind(b"\n") + 1]
        return b""

    def read(self, consume: Consume, ends_s: float) -> Progress:
        """Give every new complete line to `consume` until all is read or the monotonic clock shows `ends_s`.

        Raises OSError when the folder cannot be listed.
        """
        progress = Progress()
        if self._floor_ns is None:
            self.skip_to_end()
        files = self._log_files()
        progress.files = len(files)
        matched = self._match(files, progress)
        for position, file in sorted(matched, key=lambda pair: (pair[1].changed_ns, pair[1].path.name)):
            if monotonic_s() >= ends_s:
                progress.finished = False
                break
            read = self._read_compressed if file.compressed else self._read_plain
            try:
                read(position, file, consume, progress, ends_s)
            except PermissionError:
                progress.denied += 1
            except (OSError, EOFError, zlib.error):
                progress.finished = False  # moved or still being written; the next look finds it as it is then
            position.changed_ns = file.changed_ns
        self._forget_old()
        return progress

    def _log_files(self) -> list[LogFile]:
        followed = {(position.device, position.inode) for position in self._positions}
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if not self._accepts(entry.name) or not entry.is_file(follow_symlinks=False):
                    continue
                facts = entry.stat(follow_symlinks=False)
                recent = self._floor_ns is None or facts.st_mtime_ns >= self._floor_ns
                if recent or (facts.st_dev, facts.st_ino) in followed:
                    path = self._folder / entry.name
                    found.append(LogFile(path, facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns))
        return sorted(found, key=lambda file: (file.changed_ns, file.path.name))

    def _match(self, files: list[LogFile], progress: Progress) -> list[tuple[Position, LogFile]]:
        """Which file is which position now; a file that is no known one and not empty begins at 0."""
        # First by inode, which is sure when the first bytes agree. What is left over is compared by first bytes alone:
        # a log that was copied away and truncated, or compressed, lives on under another inode. In that order, since
        # a copy has the first bytes of its original too, and the original must keep its position.
        by_inode = {(position.device, position.inode): position for position in self._positions}
        heads: dict[LogFile, bytes] = {}
        for file in files:
            try:
                heads[file] = self._head(file)
            except PermissionError:
                progress.denied += 1
            except (OSError, EOFError, zlib.error):
                progress.finished = False
        pairs: list[tuple[Position, LogFile]] = []
        matched: list[Position] = []
        others = []
        for file, head in heads.items():
            known = by_inode.get((file.device, file.inode))
            if known is not None and _is_same(known, file, head):
                pairs.append((known, file))
                matched.append(known)
            elif head:
                others.append((file, head))
        for file, head in others:
            same = next((position for position in self._positions if _begins_alike(position, head)), None)
            if same is None and any(_digest(head[:length]) == digest for length, digest in self._copies):
                continue
            if same is None:
                same = Position(file.device, file.inode, len(head), _digest(head), 0, file.changed_ns)
                self._positions.append(same)
            elif any(same is position for position in matched):
                self._note_copy(head)
                continue
            same.device, same.inode, same.compressed = file.device, file.inode, False
            matched.append(same)
            pairs.append((same, file))
        return pairs

    def _note_copy(self, head: bytes) -> None:
        """Remember a copy of what is followed already, so that it is not taken for something new later."""
        copy = (len(head), _digest(head))
        if copy not in self._copies:
            self._copies = [*self._copies[1 - KEPT_POSITIONS :], copy]

    def _head(self, file: LogFile) -> bytes:
        """The first bytes of a file, unpacked; remembered while the file does not change."""
        key = (file.device, file.inode, file.size, file.changed_ns)
        if key not in self._heads:
            if len(self._heads) > 4 * KEPT_POSITIONS:
                self._heads.clear()
            with _opened(file) as handle:
                if file.compressed:
                    with _unpacked(handle) as stream:
                        self._heads[key] = stream.read(HEAD_BYTES)
                else:
                    self._heads[key] = os.pread(handle, HEAD_BYTES, 0)
        return self._heads[key]

    def _at_end(self, file: LogFile) -> Position | None:
        """A position behind the last complete line; None for an empty file or one that cannot be read."""
        try:
            with _opened(file) as handle:
                head = os.pread(handle, HEAD_BYTES, 0)
                start = max(0, file.size - CHUNK_BYTES)
                tail = os.pread(handle, file.size - start, start)
        except OSError:
            return None
        if not head:
            return None
        cut = tail.rfind(b"\n") + 1
        offset, skipping = (start + cut, False) if cut or not start else (start + len(tail), True)
        head = head[: file.size]
        return Position(file.device, file.inode, len(head), _digest(head), offset, file.changed_ns, skipping)

    def _read_plain(
        self, position: Position, file: LogFile, consume: Consume, progress: Progress, ends_s: float
    ) -> None:
        if file.size <= position.offset and position.head_length >= HEAD_BYTES:
            return
        with _opened(file) as handle:
            if position.head_length < HEAD_BYTES:
                head = os.pread(handle, HEAD_BYTES, 0)
                if _begins_alike(position, head):
                    position.head_length, position.head = len(head), _digest(head)
            while chunk := os.pread(handle, CHUNK_BYTES, position.offset):
                used = _give(chunk, position, consume)
                if not used:
                    return
                # After the lines were counted: a fault while counting leaves the position, and with it the lines, for
                # the next look. Counters and position go into one checkpoint, so neither is ahead of the other.
                position.offset += used
                progress.read_bytes += used
                if monotonic_s() >= ends_s:
                    progress.finished = False
                    return

    def _read_compressed(
        self, position: Position, file: LogFile, consume: Consume, progress: Progress, ends_s: float
    ) -> None:
        """Read what is left of a file that was compressed meanwhile, from the same place in its unpacked bytes."""
        if position.compressed:
            return
        with _opened(file) as handle, _unpacked(handle) as stream:
            left = position.offset
            while left and (passed := stream.read(min(left, CHUNK_BYTES))):
                left -= len(passed)
            rest = b""
            while chunk := stream.read(CHUNK_BYTES - len(rest)):
                rest += chunk
                used = _give(rest, position, consume)
                position.offset += used
                progress.read_bytes += used
                rest = rest[used:]
                if monotonic_s() >= ends_s:
                    progress.finished = False
                    return
        position.compressed = True

    def _forget_old(self) -> None:
        """Keep the newest positions; what is older than the oldest kept one is never looked at again."""
        # A year of daily logs in one folder must not make the checkpoint, stored with every tick, grow without end.
        self._positions.sort(key=lambda position: position.changed_ns)
        for position in self._positions[:-KEPT_POSITIONS]:
            self._floor_ns = max(self._floor_ns or 0, position.changed_ns + 1)
        del self._positions[:-KEPT_POSITIONS]


def _give(chunk: bytes, position: Position, consume: Consume) -> int:
    """Give the complete lines of `chunk` out; how many bytes of it are done with."""
    cut = chunk.rfind(b"\n") + 1
    if not cut:
        if len(chunk) < CHUNK_BYTES:
            return len(chunk) if position.skipping else 0
        position.skipping = True
        return len(chunk)
    start = chunk.find(b"\n") + 1 if position.skipping else 0
    position.skipping = False
    if start < cut:
        consume(chunk[start:cut])
    return cut


@contextmanager
def _opened(file: LogFile) -> Iterator[int]:
    """The descriptor of a log file; OSError when another file has taken its place."""
    handle = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or (facts.st_dev, facts.st_ino) != (file.device, file.inode):
            raise FileNotFoundError("another file has this name now")
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _unpacked(handle: int) -> Iterator[gzip.GzipFile]:
    with open(handle, "rb", closefd=False) as raw, gzip.GzipFile(fileobj=raw) as stream:
        yield stream


def _digest(head: bytes) -> str:
    return hashlib.blake2b(head, digest_size=DIGEST_BYTES).hexdigest()


def _begins_alike(position: Position, head: bytes) -> bool:
    length = position.head_length
    return 0 < length <= len(head) and _digest(head[:length]) == position.head


def _is_same(position: Position, file: LogFile, head: bytes) -> bool:
    if position.compressed or file.compressed:
        return file.compressed and _begins_alike(position, head)
    return file.size >= position.offset and _begins_alike(position, head)
