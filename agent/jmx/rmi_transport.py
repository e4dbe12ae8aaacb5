"""The RMI transport: one target over many samples. Connects by itself, heals by itself, never sends a cached value.

Threads: samples come from any one thread at a time; while connected, one daemon thread sleeps until the lease or the
         idle limit wants a call (every 90 s), and ends when the connection does. A lock keeps the two apart.
Backoff: after a failure the next attempts wait, at most 10 s, so that a product that restarts is back at the next tick;
         after a refused login up to 5 minutes, as servers lock accounts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from agent.jmx.errors import JmxError, RemoteFailure
from agent.jmx.jrmp import timed_out
from agent.jmx.model import BeanQuery, JmxSample, ReadFailure, Target
from agent.jmx.reader import BeanReader
from agent.jmx.rmi import CLOSE_WITHIN_S, Session, permission_denied
from agent.jmx.sampler import Accept, Request, ask_all
from agent.net.deadline import Deadline
from agent.system.clock import monotonic_s

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 10.0
FIRST_LOGIN_WAIT_S, LONGEST_LOGIN_WAIT_S = 10.0, 300.0
LOGIN_CODES = frozenset(("login-required", "login-refused"))
TEND_WITHIN_S = 5.0


class Backoff:
    """Says when the next attempt may be made: the wait doubles with every failure in a row."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wait_s = 0.0
        self._not_before = 0.0
        self._last: JmxError | None = None

    def check(self) -> None:
        """Raise the last failure again, same code, while it is too early for another attempt."""
        left_s = self._not_before - self._clock()
        if self._last is not None and left_s > 0:
            last = self._last
            raise JmxError(last.code, last.what, why=f"{last.why} Next attempt in {left_s:.0f} s.".strip(), do=last.do)

    def failed(self, error: JmxError) -> None:
        """Wait longer before the next attempt."""
        login = error.code in LOGIN_CODES
        first, longest = (FIRST_LOGIN_WAIT_S, LONGEST_LOGIN_WAIT_S) if login else (FIRST_WAIT_S, LONGEST_WAIT_S)
        self._wait_s = min(max(2 * self._wait_s, first), longest)
        self._not_before = self._clock() + self._wait_s
        # without traceback and cause, which would hold the frames of the attempt
        self._last = JmxError(error.code, error.what, why=error.why, do=error.do)

    def succeeded(self) -> None:
        """Begin anew."""
        self._wait_s = self._not_before = 0.0
        self._last = None


class RmiTransport:
    """Reads one JVM over RMI. Raises ValueError at once for queries whose names are malformed."""

    def __init__(
        self, target: Target, queries: Sequence[BeanQuery], *, clock: Callable[[], float] = monotonic_s
    ) -> None:
        self._lock = threading.Lock()
        self._session = Session(target, clock)
        self._reader = BeanReader(queries, target.max_beans, clock)
        self._backoff = Backoff(clock)
        self._keeper: _Keeper | None = None

    @property
    def quarantined(self) -> tuple[ReadFailure, ...]:
        """Attributes and beans that are left alone at present, and why; for `status`."""
        return self._reader.quarantined

    def sample(self, deadline_s: float) -> JmxSample:
        """Read every query once, within `deadline_s` seconds in total. Raises JmxError when nothing could be read."""
        deadline = Deadline(deadline_s)
        if not self._lock.acquire(timeout=max(deadline_s, 0.0)):
            raise timed_out("waiting for the sample before")
        try:
            self._backoff.check()
            sample = self._sample(deadline)
        finally:
            self._lock.release()
        return sample

    def _sample(self, deadline: Deadline) -> JmxSample:
        def ask(requests: Sequence[Request], accept: Accept, share: float = 1.0) -> None:
            ask_all(self._session, requests, accept, deadline.part(share))

        try:
            if self._session.due_s() == 0.0:
                self._tend_quietly(deadline)
            self._session.ensure(deadline)
            sample = self._reader.read(ask)
        except JmxError as error:
            self._session.drop()
            explained = permission_denied(error) if isinstance(error, RemoteFailure) and error.is_security else error
            self._backoff.failed(explained)
            # the frames of an attempt may hold credentials: no traceback of them leaves here
            explained.__context__ = None
            raise explained.with_traceback(None) from None
        self._backoff.succeeded()
        self._keep()
        return sample

    def take_back(self) -> None:
        """The last sample was not used: what it made this transport leave alone is asked for again."""
        with self._lock:
            self._reader.take_back()

    def due_s(self) -> float | None:
        """Return in how many seconds `tend` is wanted, None while nothing is connected."""
        return self._session.due_s()

    def tend(self, deadline_s: float = TEND_WITHIN_S) -> None:
        """Renew lease and idle limit as far as due. Never raises: what is lost is made anew by the next sample."""
        if self._lock.acquire(blocking=False):  # a sample that runs keeps the connection alive itself
            try:
                self._tend_quietly(Deadline(deadline_s))
            finally:
                self._lock.release()

    def _tend_quietly(self, deadline: Deadline) -> None:
        try:
            self._session.tend(deadline)
        except JmxError:
            return

    def _keep(self) -> None:
        if self._keeper is None or not self._keeper.is_alive():
            self._keeper = _Keeper(self)
            self._keeper.start()

    def close(self) -> None:
        """Log off and let go of socket and thread; a later sample connects again.

        Waits two seconds at most: a sample that still runs ends by its own deadline and keeps its connection.
        """
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.stop.set()
        if self._lock.acquire(timeout=CLOSE_WITHIN_S):
            try:
                self._session.close()
            finally:
                self._lock.release()
            if keeper is not None:
                keeper.join()


class _Keeper(threading.Thread):
    """Sleeps until something is due; ends with the connection."""

    def __init__(self, transport: RmiTransport) -> None:
        super().__init__(name="jmx-keeper", daemon=True)
        self.stop = threading.Event()
        self._transport = transport

    def run(self) -> None:
        while (due_s := self._transport.due_s()) is not None:
            # at least a little: while a sample holds the lock, what is due stays due
            if self.stop.wait(max(due_s, 0.1)):
                return
            self._transport.tend()
