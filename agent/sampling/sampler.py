"""Second stage: one tick over all sources.

In:   the opened sources. Out: a Tick with the samples of those that answered in time and a report of each.
A source that fails, hangs or answers late costs its own samples only. One thread a source, one call in flight a
source: while an old call still runs, no new one is started. What comes too late is thrown away whole, with what the
source learnt by it (see `Reading.commit`). The tick is given out as `conceal` makes it: what must
not be stored as read is hashed or gone by then. This stage does not know the rules; who opens it hands them in.
"""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from agent.errors import SourceError
from agent.model import Failure, Outcome, Reading, Sample, Source, SourceReport, Tick
from agent.reasons import HARMLESS, NOT_FINITE, OTHER_NODE, PERMISSION_DENIED
from agent.system.access import barred
from agent.system.clock import monotonic_s

# Of a tick's time: a source that used all of it would give what it has, and say why, just too late to be accepted.
READ_SHARE = 0.9
BUSY = "busy"
NOT_READABLE = "not-readable"
TIMEOUT = "timeout"
BROKEN = "internal-error"


@dataclass(slots=True)
class _Call:
    """One read of one source; `done` is set when `reading` or `error` is there."""

    deadline_s: float
    done: threading.Event = field(default_factory=threading.Event)
    reading: Reading | None = None
    error: Exception | None = None
    took_s: float = 0.0


class _Worker:
    """The one thread that reads one source. A daemon thread: a hung source must not keep the process alive."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.call: _Call | None = None
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"source-{source.name}", daemon=True)
        self._thread.start()

    def busy(self) -> bool:
        """Whether the last call has not come back yet."""
        return self.call is not None and not self.call.done.is_set()

    def start(self, deadline_s: float) -> _Call:
        """Begin one read; only when not busy."""
        self.call = _Call(deadline_s)
        self._calls.put(self.call)
        return self.call

    def stop(self, wait_s: float) -> None:
        """Close the source and end the thread; give up on a hung one after `wait_s`."""
        self._calls.put(None)
        self._thread.join(wait_s)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            started = monotonic_s()
            try:
                call.reading = self.source.read(call.deadline_s)
            except Exception as error:  # a source's fault, of whatever kind, must cost that source only
                call.error = error
            call.took_s = monotonic_s() - started
            call.done.set()
        self.source.close()


class Sampler:
    """Reads all sources once a tick."""

    def __init__(self, sources: Sequence[Source], conceal: Callable[[Tick], Tick] | None = None) -> None:
        """Without `conceal` ticks are as read: for a person to look at, never for a store."""
        self._conceal = conceal
        self._workers = [_Worker(source) for source in sources]

    def take(self, now: datetime, deadline_s: float, stopping: threading.Event | None = None) -> Tick:
        """One tick labelled `now`, at the latest after `deadline_s` seconds; earlier when `stopping` is set."""
        ends = monotonic_s() + deadline_s
        # All are started before any is waited for: a tick lasts as long as its slowest source, not as all of them.
        calls = [(worker, None if worker.busy() else worker.start(deadline_s * READ_SHARE)) for worker in self._workers]
        samples: list[Sample] = []
        reports = []
        epochs: dict[str, str] = {}
        checkpoints: dict[str, str] = {}
        for worker, call in calls:
            if call is not None:
                _wait(call, ends, stopping)
            report, reading = _judge(worker.source.name, call, deadline_s)
            # A tick that is cut short is not stored, so nothing of it may have been learnt.
            if reading is not None and not _is_set(stopping):
                report, reading = _accepted(report, reading)
            reports.append(report)
            if reading is not None:
                samples.extend(reading.samples)
                epochs[report.source] = reading.epoch
                if reading.checkpoint:
                    checkpoints[report.source] = reading.checkpoint
        tick = Tick(now, tuple(samples), tuple(reports), epochs, checkpoints=checkpoints)
        return tick if self._conceal is None else self._conceal(tick)

    def close(self, wait_s: float = 2.0) -> None:
        """Close every source; a hung one is left behind after `wait_s` seconds over all."""
        ends = monotonic_s() + wait_s
        for worker in self._workers:
            worker.stop(max(ends - monotonic_s(), 0.0))


def _is_set(stopping: threading.Event | None) -> bool:
    """Whether the tick is cut short; then it is not stored either, and nothing of it was learnt."""
    return stopping is not None and stopping.is_set()


def _accepted(report: SourceReport, reading: Reading) -> tuple[SourceReport, Reading | None]:
    """The same, and what the reading learnt counts from now on.

    The call is done and the next one not begun, so the source's thread waits at its queue: nothing runs in the source
    while its state changes here.
    """
    try:
        reading.commit()
    except Exception as error:  # a source's fault, of whatever kind, must cost that source only
        return _broken(report.source, error, report.took_s), None
    return report, reading


def _wait(call: _Call, ends: float, stopping: threading.Event | None) -> None:
    """Wait for the call, the deadline, or the wish to stop, whichever is first."""
    while not call.done.is_set() and not _is_set(stopping):
        left = ends - monotonic_s()
        # A stop is noticed within a second; the usual case is woken by the call itself.
        if left <= 0 or call.done.wait(min(left, 1.0)):
            return


def _judge(name: str, call: _Call | None, deadline_s: float) -> tuple[SourceReport, Reading | None]:
    if call is None:
        return _failed(
            name,
            BUSY,
            "The read of an earlier tick has not come back yet.",
            "Nothing is started on top of it. If it lasts, look at the product: it may hang.",
        ), None
    if not call.done.is_set():
        return _failed(
            name,
            TIMEOUT,
            f"No answer within {deadline_s:g} s.",
            "See whether the product is busy or hangs; run: portfolio-agent doctor",
            deadline_s,
        ), None
    if isinstance(call.error, SourceError):
        error = call.error
        return _failed(name, error.reason, f"{error.what} {error.why}".strip(), error.do, call.took_s), None
    if isinstance(call.error, OSError) and isinstance(call.error.filename, str):
        return _out_of_reach(name, call.error, Path(call.error.filename), call.took_s), None
    if call.reading is None:
        return _broken(name, call.error, call.took_s), None
    reading = _only_finite(call.reading)
    outcome = Outcome.PARTIAL if _counted(reading.failures) else Outcome.OK
    if not reading.samples and any(failure.reason == OTHER_NODE for failure in reading.failures):
        outcome = Outcome.NOT_DUE
    return SourceReport(name, outcome, len(reading.samples), reading.failures, call.took_s), reading


def _only_finite(reading: Reading) -> Reading:
    """The reading without samples that hold a number no figure can be made of, each a failure of its own.

    Here passes every sample of every source: infinity in one of them would otherwise be refused by the store, with the
    whole tick, and an integer beyond the range of a float by the mean of its hour.
    """
    finite = tuple(sample for sample in reading.samples if _is_finite(sample))
    if len(finite) == len(reading.samples):
        return reading
    odd = dict.fromkeys(sample.series.metric for sample in reading.samples if not _is_finite(sample))
    failures = (*reading.failures, *(Failure(metric, NOT_FINITE) for metric in odd))
    return replace(reading, samples=finite, failures=failures)


def _is_finite(sample: Sample) -> bool:
    numbers = (sample.value, *(value for _, value in sample.attributes))
    try:
        return all(math.isfinite(number) for number in numbers if isinstance(number, int | float))
    except OverflowError:
        return False


def _counted(failures: Sequence[Failure]) -> bool:
    """Whether something failed that was due; what a product simply does not have is no failure of the source."""
    return any(failure.reason not in HARMLESS for failure in failures)


def _out_of_reach(name: str, error: OSError, path: Path, took_s: float) -> SourceReport:
    """A file of the product that the system does not give us: no fault of the agent, and a command mends it."""
    if isinstance(error, PermissionError):
        words = barred(path)
        return _failed(name, PERMISSION_DENIED, words.why, words.do, took_s)
    why = f"{path} cannot be read: {error.strerror or type(error).__name__}."
    return _failed(
        name, NOT_READABLE, why, f"See whether it is there and its file system answers: ls -ld {path}", took_s
    )


def _broken(name: str, error: Exception | None, took_s: float) -> SourceReport:
    return _failed(
        name,
        BROKEN,
        f"A fault in the agent: {type(error).__name__}: {str(error)[:200]}",
        "Please report it with the output of: portfolio-agent status --json",
        took_s,
    )


def _failed(name: str, reason: str, why: str, do: str, took_s: float = 0.0) -> SourceReport:
    return SourceReport(name, Outcome.FAILED, 0, (Failure("", reason, why),), took_s, why, do)
