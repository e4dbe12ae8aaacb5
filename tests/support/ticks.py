"""Ticks and sources made by hand for tests of the stages behind them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from agent.model import Failure, Hour, Outcome, Reading, Sample, Series, SourceReport, Tick, Value

START = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
HOUR = Hour(START)
HEAP = Series("jmx", "jvm.memory.heap.used", (("node", "a"),))
REQUESTS = Series("jmx", "tomcat.requests")


def tick(
    minute: float,
    values: dict[Series, Value],
    *,
    epoch: str = "1",
    number: int = 0,
    failures: tuple[Failure, ...] = (),
    outcome: Outcome | None = None,
) -> Tick:
    """One tick of the source "jmx", `minute` minutes after START."""
    found = outcome or (Outcome.PARTIAL if failures else Outcome.OK)
    samples = tuple(Sample(series, value) for series, value in values.items())
    report = SourceReport("jmx", found, len(samples), failures)
    return Tick(START + timedelta(minutes=minute), samples, (report,), {"jmx": epoch}, number)


class FunctionSource:
    """A source whose answer is a function's; counts how often it is read at the same time."""

    def __init__(self, name: str, answer: Callable[[], Reading]) -> None:
        self._name = name
        self._answer = answer
        self._lock = threading.Lock()
        self.running = 0
        self.most_running = 0
        self.reads = 0
        self.closed = threading.Event()

    @property
    def name(self) -> str:
        """The name in reports."""
        return self._name

    def read(self, deadline_s: float) -> Reading:
        """The function's answer."""
        with self._lock:
            self.reads += 1
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        try:
            return self._answer()
        finally:
            with self._lock:
                self.running -= 1

    def close(self) -> None:
        """Note that it was closed."""
        self.closed.set()
