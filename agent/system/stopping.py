"""A stop that also wakes what waits on a socket: an event that calls back when it is set."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Stopping(threading.Event):
    """An event; `set` also calls everyone who asked through `on_stop`."""

    def __init__(self) -> None:
        super().__init__()
        self._callbacks: list[Callable[[], None]] = []

    def set(self) -> None:
        """Stop: from a signal handler or any thread, any number of times."""
        # Set before anybody is called: whoever wakes up looks at the event to see why.
        super().set()
        # A copy: the block that a callback belongs to may end while it is called.
        for callback in list(self._callbacks):
            callback()

    @contextmanager
    def calls(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call `callback` when the stop comes within the block, at once when it came before."""
        self._callbacks.append(callback)
        try:
            if self.is_set():
                callback()
            yield
        finally:
            self._callbacks.remove(callback)


@contextmanager
def on_stop(stopping: threading.Event, callback: Callable[[], None]) -> Iterator[None]:
    """Call `callback` on a stop within the block; a plain event only stops what waits on it."""
    if isinstance(stopping, Stopping):
        with stopping.calls(callback):
            yield
    else:
        yield


def stop_on_signals() -> Stopping:
    """A stop that SIGTERM and SIGINT set."""
    stopping = Stopping()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return stopping
