"""One reader at a time in the product's database: its sources share a tick and a connection, and never ask together.

In:   how long a source may take, and how an engine is opened.
Out:  a connection of its own until it is done; SourceError when the others took that time. A connection goes on to the
      next source that waits for it, since logging in costs more than most questions; with nobody waiting it is closed,
      so that between ticks nothing of ours is on the server.
The connection that only holds the cluster's lock stands outside: it asks nothing that could cost anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.catalog.reasons import DEADLINE
from agent.errors import SourceError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

SHARE = 0.9  # of the time: the reason is told before the tick gives up on the source


class Gate:
    """Shared by all sources that read one database as one login."""

    def __init__(self) -> None:
        self._inside = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._engine: Engine | None = None
        self._connection: Connection | None = None

    @property
    def waiting(self) -> int:
        """How many sources wait to be let in."""
        return self._waiting

    @contextmanager
    def connected(self, within_s: float, open_engine: Callable[[], Engine]) -> Iterator[Connection]:
        """Be alone with a connection. Raises SourceError `deadline` shortly before `within_s` seconds are over.

        What goes wrong inside costs the connection: the next source has a new one.
        """
        with self._alone(within_s):
            try:
                if self._connection is None:
                    if self._engine is None:
                        self._engine = open_engine()
                    self._connection = self._engine.connect()
                yield self._connection
            except BaseException:
                # Whatever went wrong, a transaction may hang in it or a statement still run: never handed on.
                self._forget()
                raise
            if self._waiting == 0:
                self._hang_up()

    def close(self) -> None:
        """Let go of everything, unless a source is inside: it does so itself when it leaves."""
        # Never waited for: one that hangs in the database would hold up the end of the process.
        if self._inside.acquire(blocking=False):
            try:
                self._forget()
            finally:
                self._inside.release()

    @contextmanager
    def _alone(self, within_s: float) -> Iterator[None]:
        # Counted before the lock is asked for: who is inside looks at the number when it leaves, and keeps the
        # connection for whoever waits by then. A lock of its own, since += on a shared number loses counts.
        with self._counting:
            self._waiting += 1
        entered = self._inside.acquire(timeout=max(within_s * SHARE, 0.0))
        with self._counting:
            self._waiting -= 1
        if not entered:
            self._hang_up_if_idle()
            raise SourceError(
                DEADLINE,
                "The database was not asked.",
                why="Other questions to it took all of this tick's time.",
                do="See which counts are slow: portfolio-agent status",
            )
        try:
            yield
        finally:
            self._inside.release()

    def _hang_up_if_idle(self) -> None:
        """For one that gave up waiting: whoever was inside may just have left the connection to it."""
        if self._inside.acquire(blocking=False):
            try:
                if self._waiting == 0:
                    self._hang_up()
            finally:
                self._inside.release()

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _forget(self) -> None:
        engine, self._engine = self._engine, None
        try:
            self._hang_up()
        finally:
            if engine is not None:
                engine.dispose()
