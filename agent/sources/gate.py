"""One reader at a time in the product's database: its sources share a tick, but never ask together.

In:   how long a source may take. Out: a place of its own until it is done; SourceError when the others took that time.
The connection that only holds the cluster's lock stands outside: it asks nothing that could cost anything.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from agent.catalog.reasons import DEADLINE
from agent.errors import SourceError

SHARE = 0.9  # of the time: the reason is told before the tick gives up on the source


class Gate:
    """Shared by all sources that read one database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def entered(self, within_s: float) -> Iterator[None]:
        """Be alone. Raises SourceError `deadline` shortly before `within_s` seconds of waiting are over."""
        if not self._lock.acquire(timeout=max(within_s * SHARE, 0.0)):
            raise SourceError(
                DEADLINE,
                "The database was not asked.",
                why="Other questions to it took all of this tick's time.",
                do="See which counts are slow: portfolio-agent status",
            )
        try:
            yield
        finally:
            self._lock.release()
