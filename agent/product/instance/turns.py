"""Whether this node stands in a cluster and, if so, whether it counts for all of it in this tick.

In:   the product's home (clustered or not), the instance's id, the product's database.
Out:  a `ClusterTurn`, or None outside a cluster. Found out when first asked and not at start: the home may not be
      mounted yet when the machine boots.
Light: what connects is imported only in a cluster.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.errors import ConfigError, SourceError
from agent.model import ClusterTurn, Role
from agent.product.instance.facts import read_product_facts
from agent.product.instance.identity import read_instance
from agent.settings import Settings
from agent.system.clock import monotonic_s

if TYPE_CHECKING:
    from agent.product.database.lock import ClusterLock


class TurnKeeper:
    """Asks for this node's turn; shared by all sources that a cluster has once, so that a tick asks once for all."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = monotonic_s) -> None:
        self._settings = settings
        self._clock = clock
        self._mutex = threading.Lock()
        self._alone = not settings.database.enabled
        self._lock: ClusterLock | None = None
        self._last: ClusterTurn | None = None
        self._refused: SourceError | None = None
        self._asked_s: float | None = None

    def turn(self) -> ClusterTurn | None:
        """This node's turn; None when there is no cluster. Raises SourceError when it cannot be told."""
        with self._mutex:
            # The sources of one tick ask at once; an answer or a refusal is good for all of them.
            if self._asked_s is None or self._clock() - self._asked_s > self._settings.sampling.interval_s / 4:
                self._ask()
                self._asked_s = self._clock()
            refused = self._refused
            if refused is not None:
                raise SourceError(refused.reason, refused.what, why=refused.why, do=refused.do)
            return self._last

    def _ask(self) -> None:
        self._refused = None
        try:
            lock = self._opened()
            if lock is not None:
                # Until the database has answered: a turn of the tick before must not be stored with this one.
                self._last = ClusterTurn(Role.UNKNOWN)
                self._last = lock.turn()
        except SourceError as error:
            self._refused = error.with_traceback(None)

    @property
    def last(self) -> ClusterTurn | None:
        """The answer to the last question; None outside a cluster."""
        return self._last

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.release()

    def _opened(self) -> ClusterLock | None:
        if self._lock is None and not self._alone:
            try:
                self._alone = not read_product_facts(self._settings).clustered
                if not self._alone:
                    self._lock = _open_lock(self._settings)
            except ConfigError as error:
                why = "; ".join(str(mistake) for mistake in error.mistakes) or error.why
                raise SourceError("login-unreadable", error.what, why=why, do=error.do) from None
        return self._lock


def _open_lock(settings: Settings) -> ClusterLock:
    from agent.product.database.credentials import read_database_access
    from agent.product.database.engine import open_engine
    from agent.product.database.lock import ClusterLock

    return ClusterLock(
        lambda: open_engine(read_database_access(settings), settings.database.statement_timeout_s),
        read_instance(settings.link_dir).instance_id,
        interval_s=settings.sampling.interval_s,
    )
