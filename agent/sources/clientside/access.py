"""An access log as it is followed: counters that go on, and what is missing of them, with the reason.

In:   a `Log`: where its files are and how its lines are read (Tomcat's by its valve, Bitbucket's by its documentation).
Out:  figures that may be told and failures. A log of which no file is found raises; one whose lines mostly have another
      form than its configuration says gives no counts: a zero would be false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.errors import SourceError
from agent.model import Failure
from agent.reasons import MOSTLY_UNREAD, NOT_PRESENT, NOT_SUPPORTED, PASSED_OVER, PERMISSION_DENIED, TOO_FEW
from agent.sources.clientside.classes import CLASSES
from agent.sources.clientside.figures import PERCENTS, Found, Group, Requests
from agent.sources.clientside.pattern import LineReader
from agent.sources.clientside.tail import Follower, Progress

NUMBERS = ("lines", "unread", "read", "skipped")
LOG_PREFIX = "clientside.log."
OF_STATUS = ("clientside.requests.by_status", "clientside.requests.error_percent")
OF_REQUESTS = (
    "clientside.requests",
    "clientside.requests.by_status",
    "clientside.requests.by_duration",
    "clientside.requests.duration_sum",
)
JUDGED_LINES = 10
TIMED_BY_TICK = ("clientside.requests.error_percent", *(f"clientside.response.p{n}" for n in PERCENTS))


class Log(Protocol):
    """An access log as far as it is read: where its files are, how its lines are read, and what was not chosen."""

    @property
    def folder(self) -> Path: ...
    @property
    def files(self) -> str: ...
    @property
    def place(self) -> str: ...
    @property
    def passed_over(self) -> tuple[str, ...]: ...
    def accepts(self, name: str) -> bool: ...
    def reader(self) -> LineReader: ...


def _unknown(reader: LineReader) -> dict[str, str]:
    """The metrics that this form of log cannot give, with the reason."""
    unknown = {}
    if reader.unit_us is None:
        names = ("requests.duration_sum", "requests.by_duration", *(f"response.p{n}" for n in PERCENTS))
        unknown.update(dict.fromkeys((f"clientside.{name}" for name in names), reader.why_no_duration))
    if not reader.has_status:
        unknown.update(dict.fromkeys(OF_STATUS, NOT_SUPPORTED))
    return unknown


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a log stood before a reading: its `dump()`, and the durations that are in none."""

    document: dict[str, object]
    cells: Mapping[str, list[int]] = field(default_factory=dict)


@dataclass(slots=True)
class Verdict:
    """Whether most lines are of the form the configuration says, over the last JUDGED_LINES or more.

    None of the form: then a count of 0 would be false before there are so many. The verdict stays until the next.
    """

    lines: int = 0
    unread: int = 0
    bad: bool = False

    @classmethod
    def of(cls, numbers: object) -> Verdict:
        """The verdict of a checkpoint; raises ValueError for anything else."""
        match numbers:
            case (int(lines), int(unread), int(bad)) | [int(lines), int(unread), int(bad)]:
                return cls(lines, unread, bool(bad))
        raise ValueError("this is not the verdict of this version")

    def hear(self, lines: int, unread: int) -> None:
        """Take note of lines and of how many were not read."""
        self.lines += lines
        self.unread += unread
        if self.lines >= JUDGED_LINES:
            self.bad = 2 * self.unread > self.lines
            self.lines = self.unread = 0

    @property
    def is_bad(self) -> bool:
        """Whether what was counted says nothing about the requests."""
        return self.bad or bool(self.lines and self.lines == self.unread)


class AccessLog:
    """An access log: what its configuration says is read again when `stamps` are others than before."""

    def __init__(self, open_log: Callable[[], Log], stamps: Callable[[], object], folder: Path, smallest: int) -> None:
        self._open_log, self._stamps_now = open_log, stamps
        self._log: Log | None = None
        self._verdict = Verdict()
        self._requests = Requests(smallest)
        self._follower: Follower | None = None
        self._reader: LineReader | None = None
        self._stamps: object = None
        self._saved: dict[str, object] | None = None
        self._smallest = smallest
        self._numbers = {key: Group() for key in NUMBERS}
        self.folder = folder

    def load(self, document: dict[str, object]) -> None:
        """Go on from a `dump()`."""
        self._requests.load(document["requests"])  # type: ignore[arg-type]  # checked there
        numbers = document["numbers"]
        if not isinstance(numbers, dict) or not all(
            type(number) is int for key in NUMBERS for number in numbers.get(key, ("",))
        ):
            raise ValueError("these are not the counters of this version")
        self._numbers = {key: Group(*numbers[key]) for key in NUMBERS}
        saved = document["follower"]
        if saved is not None:
            Follower(self.folder, lambda name: False).load(saved)  # type: ignore[arg-type]  # checked there
        self._saved = saved  # type: ignore[assignment]  # checked above
        self._verdict = Verdict.of(document.get("verdict", (0, 0, 0)))  # an older agent wrote none

    def dump(self) -> dict[str, object]:
        """Counters and position as plain values."""
        follower = self._follower.dump() if self._follower is not None else self._saved
        numbers = {key: [group.released, group.waiting] for key, group in self._numbers.items()}
        verdict = [self._verdict.lines, self._verdict.unread, int(self._verdict.bad)]
        return {"requests": self._requests.dump(), "numbers": numbers, "follower": follower, "verdict": verdict}

    def mark(self) -> Mark:
        """To go back to."""
        return Mark(self.dump(), self._requests.cells())

    def go_back(self, mark: Mark) -> None:
        """As if nothing had been read since."""
        self.load(mark.document)
        self._requests.put_back(mark.cells)
        self._follower = None  # the next read makes another and begins it at the position just loaded

    def read(self, ends_s: float, *, stale: bool) -> tuple[list[Found], list[Failure]]:
        """What may be told, and what is missing; raises SourceError or OSError."""
        log, reader, follower = self._opened()
        if stale:
            self._numbers["skipped"].waiting += follower.skip_to_end()
        seen = Verdict()

        def consume(lines: bytes) -> None:
            rows = reader.rows(lines)
            self._requests.count(rows, reader.order, reader.unit_us)
            unread = reader.unread(lines, len(rows))
            self._numbers["lines"].waiting += len(rows) + unread
            self._numbers["unread"].waiting += unread
            seen.lines += len(rows) + unread
            seen.unread += unread

        progress = follower.read(consume, ends_s)
        if not progress.files:
            raise _no_files(log)
        self._verdict.hear(seen.lines, seen.unread)
        self._numbers["read"].waiting += progress.read_bytes
        found = [*self._requests.tell(), *self._about_the_log()]
        failures = []
        if log.passed_over:
            text = f"{log.place} is read. Not read: {'; '.join(log.passed_over)}"
            failures.append(Failure("", PASSED_OVER, text))
        if self._verdict.is_bad:
            # What fits is counted, and told when most lines fit again: a few of many are no count of requests.
            found = [item for item in found if item[0].startswith(LOG_PREFIX)]
            return found, failures + _mostly_unread(log) + denied(progress, self.folder, "clientside.requests")
        unknown = _unknown(reader)
        known = [item for item in found if item[0] not in unknown]
        failures += [Failure(metric, reason, _why_not(log, reader, metric)) for metric, reason in unknown.items()]
        # A class that did not grow has no percentiles in this tick.
        quiet = [name for name in TIMED_BY_TICK if sum(item[0] == name for item in known) < len(CLASSES)]
        failures += [Failure(name, TOO_FEW) for name in quiet if name not in unknown]
        return known, failures + denied(progress, self.folder, "clientside.requests")

    def _opened(self) -> tuple[Log, LineReader, Follower]:
        """What is read and how; raises SourceError."""
        stamps = self._stamps_now()
        if self._log is None or self._reader is None or self._follower is None or stamps != self._stamps:
            if self._follower is not None:
                self._saved = self._follower.dump()
            self._follower = None
            self._log = self._open_log()
            self.folder = self._log.folder
            self._reader = self._log.reader()
            self._follower = Follower(self.folder, self._log.accepts)
            if self._saved:
                self._follower.load(self._saved)
            else:
                # Before the first line is counted: what was written so far shows whether the form is right.
                seen = look_at(self._log, self._reader)
                self._verdict.hear(seen.lines, seen.unread)
            self._stamps = stamps
        return self._log, self._reader, self._follower

    def _about_the_log(self) -> Iterator[Found]:
        """How much was read: bytes are told with the lines they are, so that they do not tell of a few requests."""
        lines, read, skipped = (self._numbers[key] for key in ("lines", "read", "skipped"))
        if lines.ripen(self._smallest):
            read.ripen(0)
        skipped.ripen(0)  # of whole hours
        self._numbers["unread"].ripen(self._smallest)
        for key in ("unread", "read", "skipped"):
            yield f"clientside.log.{key}", self._numbers[key].released, ()


def look_at(log: Log, reader: LineReader) -> Verdict:
    """How many of the last lines were written in the form of `reader`; raises SourceError or OSError."""
    follower = Follower(log.folder, log.accepts)
    if not follower.is_there():
        raise _no_files(log)
    lines = follower.last_lines()
    read = len(reader.rows(lines))
    unread = reader.unread(lines, read)
    return Verdict(read + unread, unread)


def _no_files(log: Log) -> SourceError:
    return SourceError(
        NOT_PRESENT,
        "There is no file of the access log.",
        why=f"By {log.place} it is {log.files} in {log.folder}, and there is no such file (links are not followed).",
        do="See whether the product runs and where it writes: set [clientside] access_log_dir when that is elsewhere.",
    )


def _mostly_unread(log: Log) -> list[Failure]:
    text = (
        f"Most lines of the access log {log.files} in {log.folder} have not the form that {log.place} says. "
        "Do: Restart the product if that was changed since its start (it goes on with the old form "
        "until then). Otherwise compare a line of the log with the pattern there."
    )
    return [Failure(name, MOSTLY_UNREAD, text) for name in (*OF_REQUESTS, *TIMED_BY_TICK)]


def _why_not(log: Log, reader: LineReader, metric: str) -> str:
    """What a person is told about a figure that this form of log cannot give."""
    code, field = "%s", "status (%s)"
    if metric not in OF_STATUS:
        code, field = "%D", "duration that is fine enough (%D, or %{ms}T from Tomcat 10 on)"
    text = f"{log.place}: the pattern has no {field}"
    if not reader.unknown:
        return f"{text}."
    unknown = ", ".join(reader.unknown)
    return f"{text}; Tomcat does not know {unknown}. Do: Write {code} in place of it and restart the product."


def denied(progress: Progress, folder: Path, metric: str) -> list[Failure]:
    """A failure when files were there that this account may not read."""
    if not progress.denied:
        return []
    return [
        Failure(metric, PERMISSION_DENIED, f"{progress.denied} file(s) in {folder} may not be read. {grant(folder)}")
    ]


def grant(folder: Path) -> str:
    """The command that lets the agent read a folder of logs."""
    return (
        f"Run: setfacl -R -m u:portfolio-agent:rX {folder} && setfacl -m d:u:portfolio-agent:r {folder} "
        "(the second for the files of the next days)"
    )


def explained(error: SourceError | OSError, folder: Path) -> SourceError:
    """The error in words for a person, with what to do."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, PermissionError):
        return SourceError(
            PERMISSION_DENIED,
            f"The logs in {folder} cannot be read.",
            why="The service account may not enter that folder.",
            do=grant(folder),
        )
    return SourceError(
        NOT_PRESENT,
        f"The logs in {folder} cannot be read.",
        why=f"{error.strerror}.",
        do="Set [clientside] access_log_dir, or see whether the product writes logs at all.",
    )
