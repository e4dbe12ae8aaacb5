"""A clock that tests hold in their hands: the wall clock is set, the boot's seconds only go on."""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.model import Moment
from agent.store import Store
from agent.store.timeline import Reckoning, reckon

MADE_UP_BOOT = "made-up"


def moment_at(instant: datetime) -> Moment:
    """A moment whose wall clock says `instant`, right after a boot nobody knows."""
    return Moment(instant, 0.0, MADE_UP_BOOT)


class FixedClock:
    """Says the same each time it is asked."""

    def __init__(self, instant: datetime) -> None:
        self._moment = moment_at(instant)

    def now(self) -> Moment:
        """The moment it was made with."""
        return self._moment


class HandClock:
    """A machine's clocks: time goes on for all of them, the wall clock can be set, a boot begins its seconds anew."""

    def __init__(self, start: datetime, *, uptime_s: float = 3600.0) -> None:
        self.true = start
        self.ahead = timedelta(0)
        self._boots = 0
        self._booted = start - timedelta(seconds=uptime_s)

    def now(self) -> Moment:
        """What the clocks say at once."""
        steady_s = (self.true - self._booted).total_seconds()
        return Moment(self.true + self.ahead, steady_s, f"boot-{self._boots}")

    def go_on(self, seconds: float) -> None:
        """Time passes."""
        self.true += timedelta(seconds=seconds)

    def set(self, ahead: timedelta) -> None:
        """Somebody sets the wall clock: so far ahead of true time it is now."""
        self.ahead = ahead

    def boot(self, off_s: float) -> None:
        """The machine is off for so long and starts."""
        self.go_on(off_s)
        self._boots += 1
        self._booted = self.true


def reckoned(store: Store, instant: datetime) -> Reckoning:
    """What a process makes of a wall clock that says `instant`."""
    return reckon(store, moment_at(instant))
