"""Keeps the lock's session in use between two ticks, but only where something on the way ends idle sessions.

In:   how long ticks are apart, and what uses the session once. Out: nothing; the session lives.
Load balancers, firewalls and servers end a session that was silent for a time that nobody tells; keepalives of TCP are
no use of it to them. So it is learnt: each session that was lost while idle halves the wait, down to `shortest_s`.
Where nothing is ever lost, nothing is asked and no thread runs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

NAME = "lock-beat"  # the thread's name
SHORTEST_S = 5.0  # an idle limit below twice this is a mistake of somebody, and named


class LockBeat:
    """How often the session is used; asked and told under the lock's own mutex."""

    def __init__(self, interval_s: float, shortest_s: float, use: Callable[[], None]) -> None:
        self._interval_s = interval_s
        self._shortest_s = min(shortest_s, interval_s)
        self._use = use
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.every_s: float | None = None

    @property
    def exhausted(self) -> bool:
        """Whether the session cannot be used more often than it is."""
        return self.every_s is not None and self.every_s <= self._shortest_s

    def shorten(self) -> None:
        """A session was lost while nobody used it."""
        before = self._interval_s if self.every_s is None else self.every_s
        self.every_s = max(before / 2, self._shortest_s)

    def start(self) -> None:
        """Use the session from now on, where that is needed."""
        if self.every_s is not None and self._thread is None:
            self._ended = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(self._ended,), name=NAME, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Leave the session alone. Not waited for: a use may hang in the database."""
        self._ended.set()
        self._thread = None

    def _run(self, ended: threading.Event) -> None:
        while not ended.wait(self.every_s):
            self._use()
