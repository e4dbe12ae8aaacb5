"""Space and write latency of the folders that matter, each asked in a thread of its own.

In:   folders by role ("local-home"), those of the agent's own that may be written to. Out: figures by role, and a
      reason for each that is missing. A file system that does not answer (an NFS server that is away) holds its own
      thread in the kernel until it does: it is "hung", nothing more is asked of it meanwhile, and the rest goes on.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from agent.model import Failure, Value
from agent.reasons import HUNG, NOT_DUE, NOT_PRESENT, PERMISSION_DENIED
from agent.sources.host.write_latency import write_latency_ms
from agent.system.clock import monotonic_s

Found = list[tuple[str, Value, tuple[tuple[str, str], ...]]]
SPACE = ("host.disk.total", "host.disk.free", "host.disk.inodes.free")
WRITE_LATENCY = "host.disk.write_latency"
WAIT_S = 5.0
WRITE_EVERY_S = 600.0  # five small files six times an hour: enough for a median, nothing to a disk
NOT_OURS = (errno.EROFS, errno.EACCES, errno.EPERM)
LOCAL_HOME, STATE = "local-home", "state"


class Hung(Exception):
    """No answer in time, now or since an earlier question."""


class DiskQuestion:
    """One question to a file system, asked again and again, never twice at once."""

    def __init__(self, work: Callable[[], Found]) -> None:
        self._work = work
        self._thread: threading.Thread | None = None
        self._answer: Found | OSError | None = None

    def ask(self) -> None:
        """Put it, unless the last one has not been answered yet."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._answer = None
        # A daemon thread: what the kernel holds must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="disk", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._answer = self._work()
        except OSError as error:
            self._answer = error

    def answer(self, ends_s: float) -> Found:
        """The answer, at the latest when the monotonic clock shows `ends_s`; raises Hung or OSError."""
        if self._thread is not None:
            self._thread.join(max(ends_s - monotonic_s(), 0.0))
        if self._answer is None:
            raise Hung
        if isinstance(self._answer, OSError):
            raise self._answer
        return self._answer


class Disks:
    """The folders of one instance; `writable` are folders of the agent's own, by role."""

    def __init__(
        self,
        folders: Mapping[str, Path],
        writable: Mapping[str, Path],
        *,
        wait_s: float = WAIT_S,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        self._folders = dict(folders)
        self._writable = dict(writable)
        self._wait_s = wait_s
        self._clock = clock
        self._space = {role: DiskQuestion(_space_of(role, folder)) for role, folder in folders.items()}
        home = folders.get(LOCAL_HOME)
        self._latency = {role: DiskQuestion(_latency_of(role, folder, home)) for role, folder in writable.items()}
        self._due_s = self._due_again_s = clock()

    def read(self, deadline_s: float) -> tuple[Found, list[Failure]]:
        """Space of every folder; write latency when it is due, until `accept` says it was. All are asked at once."""
        asked: list[tuple[DiskQuestion, tuple[str, ...], Path]]
        asked = [(question, SPACE, self._folders[role]) for role, question in self._space.items()]
        failures: list[Failure] = []
        if self._latency and self._clock() >= self._due_s:
            self._due_again_s = self._clock() + WRITE_EVERY_S
            asked += [(one, (WRITE_LATENCY,), self._writable[role]) for role, one in self._latency.items()]
        elif self._latency:
            failures.append(Failure(WRITE_LATENCY, NOT_DUE, f"due in {self._due_s - self._clock():.0f} s"))
        ends_s = monotonic_s() + min(self._wait_s, deadline_s / 2)
        for question, _, _ in asked:
            question.ask()
        found: Found = []
        for question, metrics, folder in asked:
            try:
                found += question.answer(ends_s)
            except Hung:
                failures += [Failure(name, HUNG, _hung(folder)) for name in metrics]
            except OSError as error:
                failures += [_failure(name, error, folder) for name in metrics]
        return found, failures

    def accept(self) -> None:
        """The last reading was accepted: write latency is not due again before its time."""
        self._due_s = self._due_again_s


def _hung(folder: Path) -> str:
    return f"{folder} does not answer: the file system behind it hangs (NFS server away?). Run: mount; dmesg | tail"


def _failure(metric: str, error: OSError, folder: Path) -> Failure:
    if error.errno not in NOT_OURS:
        return Failure(metric, NOT_PRESENT, error.strerror or "")
    if metric == WRITE_LATENCY:
        # The service need not be able to write there, so this is nothing to mend.
        return Failure(metric, NOT_PRESENT, f"{folder} may not be written to ({error.strerror})")
    return Failure(metric, PERMISSION_DENIED, error.strerror or "")


def _space_of(role: str, folder: Path) -> Callable[[], Found]:
    tags = (("role", role),)

    def read() -> Found:
        facts = os.statvfs(folder)
        numbers = (facts.f_blocks * facts.f_frsize, facts.f_bavail * facts.f_frsize, facts.f_favail)
        return [(name, number, tags) for name, number in zip(SPACE, numbers, strict=True)]

    return read


def _latency_of(role: str, folder: Path, home: Path | None) -> Callable[[], Found]:
    """The state folder speaks for the local home where both lie on one file system."""

    def read() -> Found:
        place = LOCAL_HOME if role == STATE and home is not None and _on_one_disk(folder, home) else role
        return [(WRITE_LATENCY, write_latency_ms(folder), (("role", place),))]

    return read


def _on_one_disk(one: Path, other: Path) -> bool:
    try:
        return one.stat().st_dev == other.stat().st_dev
    except OSError:
        return False
