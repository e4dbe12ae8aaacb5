"""Which instant a tick is labelled with, and whether the clock behind that label can be vouched for.

Three things are kept apart. *Order* is the store's number and nothing else. *How long* something lasted is told by the
seconds since the boot. The wall clock only gives *labels*, and a label decides which hour a tick is counted in; so a
clock that is wrong for a while must not label, close, seal or tidy anything that cannot be taken back. The rule:

    The *anchor* is the last tick's label and its seconds since the boot, stored in that tick's own transaction. From
    it the *line* goes on: anchor + seconds since. A wall clock within TOLERANCE of the line is an ordinary clock: it
    labels, and the anchor follows it (drift, a leap second, a step of a second).

    Further away the clock was set, and nobody can know yet whether it was wrong before or is wrong now: a *doubt*.
    While it lasts, ticks are labelled by the line, as if nothing had happened, and stored as not vouched for; an hour
    that holds one is not closed, and no hour is closed that is not over by the line AND by the wall clock, nor one
    that ticks in doubt would move back into.

    The doubt ends when the wall clock is back on the line (the labels were right), or when it has kept its new course
    for PROBATION_S (it was set on purpose: the ticks in doubt are moved to where it says they were).

    After a boot the line is only a lower bound: the machine was off for a time nobody measured. A wall clock at or
    after it is believed at once, unless it is more than BOOT_LEAP_S ahead (a flat battery can say anything); one that
    is behind it is in doubt. A clock before CLOCK_FLOOR is not set at all and is never believed.
    Believed is not vouched for: while a boot is young whose clock leapt, only what was over before it is over, so the
    hour that the reboot interrupted waits; and when the clock is set back, all ticks of the boot move with it.

Both clocks must agree that an hour is over because each guards against the other: the line alone would seal an hour
that the owner's correction is about to move, the wall alone would seal the future when it is forty days ahead.

In:   the anchor and a `Moment`. Out: the label, and the next anchor. Pure, but for `load_anchor` and `reckon`.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from agent.model import Moment
from agent.store.database import Store, from_ms, to_ms
from agent.store.meta import set_meta

KEY = "clock"
NOT_KNOWN = "not-known"  # in place of a boot's id
TOLERANCE_S = 60.0  # hours close 60 s after their end, so a step of that much cannot lead back into a closed one
DRIFT = 0.001  # of the time since the last tick: twice the 500 ppm that the kernel lets a clock be slewed by
PROBATION_S = 2 * 3600.0  # as long as an hour takes late ticks
LONGEST_DOUBT_S = 24 * 3600.0  # a clock that is set again and again: then what it says last
YOUNG_S = 3600.0  # by then the time of the network has set a hardware clock that keeps local time
YOUNG_LEAP_S = 600.0  # time zones are a quarter of an hour apart at the least; a restart takes less
BOOT_LEAP_S = 24 * 3600.0  # longer off than that is rare, and costs a wait of PROBATION_S only
CLOCK_FLOOR = datetime(2026, 1, 1, tzinfo=UTC)  # no agent ran before; a host clock before this is not set yet
FLOOR_MS = to_ms(CLOCK_FLOOR)


class Cause(StrEnum):
    """Why the clock is in doubt."""

    SET = "set"  # it left the line within one boot
    BOOT = "boot"  # after a boot it is behind the line, or far ahead of it


class Ending(StrEnum):
    """How a doubt ended."""

    RETURNED = "returned"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A wall clock that cannot be vouched for. `apart_ms` is how far it is ahead of the line (negative: behind).

    `since_ms` and `began_ms` are milliseconds since the boot: since when it keeps its course, since when it is in
    doubt at all. `older_ms` is how far ahead it was in the boot before, where ticks in doubt are left from.
    """

    cause: Cause
    apart_ms: int
    since_ms: int
    began_ms: int
    older_ms: int = 0


@dataclass(frozen=True, slots=True)
class Anchor:
    """The last tick's label and its milliseconds since the boot; of an older agent's tick only the label is known.

    `before_ms` is, while a boot is young whose clock leapt, the last label of the boot before: all that is certain.
    """

    label_ms: int
    steady_ms: int
    boot_id: str
    doubt: Doubt | None = None
    before_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of the ticks in doubt: by how much their labels move, those of this boot and those of earlier."""

    ending: Ending
    this_boot_ms: int = 0
    older_ms: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """The label of one moment, whether it is vouched for, and the anchor that follows from it.

    `settled` is there when a doubt ended just now.
    """

    label_ms: int
    anchor: Anchor
    settled: Settled | None = None

    @property
    def vouched(self) -> bool:
        """Whether the label may be closed and sealed."""
        return self.anchor.doubt is None


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What a process other than the daemon makes of its own moment: the label, the wall clock, the doubt if any.

    `doubted_from` is the label of the first tick in doubt; `before` is the anchor's.
    """

    label: datetime
    wall: datetime
    doubt: Doubt | None = None
    doubted_from: datetime | None = None
    before: datetime | None = None

    @property
    def surely(self) -> datetime:
        """Up to here hours are over, whichever clock is right; before the floor nothing is.

        Over by the line, over by the wall clock, and not to be opened again by ticks in doubt that move back.
        """
        certain = min(self.label, self.wall, self.before or self.label)
        if self.doubt is None or self.doubt.apart_ms >= 0:
            return certain
        # A clock that is behind may move the ticks in doubt back, even across an hour's border: nothing that they could
        # still get into is over.
        moved = (self.doubted_from or self.label) + timedelta(milliseconds=self.doubt.apart_ms)
        return min(certain, moved)

    @property
    def is_set(self) -> bool:
        """Whether the clock was ever set."""
        return self.surely >= CLOCK_FLOOR


def place(anchor: Anchor | None, moment: Moment) -> Placement:
    """The label of `moment` after `anchor` (None: there was no tick before), by the rule above."""
    wall_ms, steady_ms = to_ms(moment.wall), round(moment.steady_s * 1000)
    # A first tick is believed, unless the clock was plainly never set: there is nothing yet that it could contradict.
    if anchor is None:
        doubt = None if wall_ms >= FLOOR_MS else Doubt(Cause.BOOT, 0, steady_ms, steady_ms)
        return Placement(wall_ms, Anchor(wall_ms, steady_ms, moment.boot_id, doubt))
    # Of kernels that tell no boot id the seconds do: in a new boot they begin again.
    same_boot = steady_ms >= anchor.steady_ms and (
        anchor.boot_id == moment.boot_id or _began_together(anchor, wall_ms, steady_ms)
    )
    if same_boot:
        line_ms = anchor.label_ms + steady_ms - anchor.steady_ms
        doubt, elapsed_ms = anchor.doubt, steady_ms - anchor.steady_ms
        # A doubt may grow older than the boot is young: the ticks of the boot are still to be moved when it ends.
        before_ms = anchor.before_ms if steady_ms < YOUNG_S * 1000 or anchor.doubt is not None else None
    else:
        # At least as long ago as this boot lasts; of an older agent's anchor the boot may still go on.
        line_ms = anchor.label_ms + (steady_ms if anchor.boot_id != NOT_KNOWN else 0)
        # Ticks in doubt of the boot before: how far its clock was ahead is remembered, in case the new one says the
        # same.
        older_ms = 0 if anchor.doubt is None else max(anchor.doubt.apart_ms, anchor.doubt.older_ms, 0)
        doubt = Doubt(Cause.BOOT, wall_ms - line_ms, steady_ms, steady_ms, older_ms)
        elapsed_ms = 0
        leapt = anchor.boot_id != NOT_KNOWN and line_ms >= FLOOR_MS and wall_ms - line_ms >= YOUNG_LEAP_S * 1000
        before_ms = anchor.label_ms if leapt and steady_ms < YOUNG_S * 1000 else None
    apart_ms = wall_ms - line_ms
    if doubt is not None:
        elapsed_ms = max(elapsed_ms, steady_ms - doubt.began_ms)
    # Wider with time: a clock that the kernel slews may be off by DRIFT of all that has passed, and is still an
    # ordinary one.
    tolerance_ms = TOLERANCE_S * 1000 + DRIFT * elapsed_ms
    if doubt is None and wall_ms >= FLOOR_MS and abs(apart_ms) <= tolerance_ms:
        # Labels never go back by themselves: in number order an hour is one unbroken run of ticks.
        label_ms = max(wall_ms, anchor.label_ms)
        return Placement(label_ms, Anchor(label_ms, steady_ms, moment.boot_id, None, before_ms))
    doubt = doubt or Doubt(Cause.SET, apart_ms, steady_ms, steady_ms)
    if abs(apart_ms - doubt.apart_ms) > tolerance_ms:
        doubt = replace(doubt, since_ms=steady_ms)  # it was set once more: the probation begins anew
    doubt = replace(doubt, apart_ms=apart_ms)
    settled = _settled(doubt, line_ms, wall_ms, steady_ms, tolerance_ms, leap=anchor.boot_id != NOT_KNOWN)
    if settled is None:
        return Placement(line_ms, Anchor(line_ms, steady_ms, moment.boot_id, doubt, before_ms))
    if settled.ending is Ending.RETURNED:
        label_ms = max(wall_ms, anchor.label_ms)
    else:
        label_ms, before_ms = wall_ms, None
    return Placement(label_ms, Anchor(label_ms, steady_ms, moment.boot_id, None, before_ms), settled)


def _began_together(anchor: Anchor, wall_ms: int, steady_ms: int) -> bool:
    """Whether the anchor's boot began when this one did, by the clocks of both.

    The id alone will not do: a container may show one process an id of its own and the next the host's (systemd-nspawn
    lays one over /proc, and a unit with ProtectKernelTunables looks below it). A machine that was off begins later.
    """
    if anchor.boot_id == NOT_KNOWN:
        return False
    began_ms = anchor.label_ms - anchor.steady_ms
    apart_ms = (0,) if anchor.doubt is None else (0, anchor.doubt.apart_ms)
    tolerance_ms = TOLERANCE_S * 1000 + DRIFT * (steady_ms - anchor.steady_ms)
    return any(abs(wall_ms - steady_ms - began_ms - apart) <= tolerance_ms for apart in apart_ms)


def _settled(
    doubt: Doubt, line_ms: int, wall_ms: int, steady_ms: int, tolerance_ms: float, *, leap: bool
) -> Settled | None:
    """How the doubt ends with this moment; None while it lasts."""
    if wall_ms < FLOOR_MS:
        return None
    apart_ms = doubt.apart_ms
    behind = apart_ms < -tolerance_ms
    if doubt.cause is Cause.SET and abs(apart_ms) <= tolerance_ms:
        return Settled(Ending.RETURNED)
    # Of the boot before: the clock that was ahead then still is, so it was right; or it is back on the line.
    older_ms = doubt.older_ms if apart_ms >= doubt.older_ms - tolerance_ms else 0
    if doubt.cause is Cause.BOOT and not behind and (not leap or line_ms < FLOOR_MS or apart_ms <= BOOT_LEAP_S * 1000):
        return Settled(Ending.RETURNED, apart_ms, older_ms)
    kept_s, doubted_s = (steady_ms - doubt.since_ms) / 1000, (steady_ms - doubt.began_ms) / 1000
    if kept_s < PROBATION_S and doubted_s < LONGEST_DOUBT_S:
        return None
    if doubt.cause is Cause.SET:
        return Settled(Ending.ACCEPTED, apart_ms, apart_ms)
    return Settled(Ending.ACCEPTED, apart_ms, apart_ms if behind else older_ms)


def load_anchor(store: Store) -> Anchor | None:
    """The stored anchor; of a store that has none yet, the label of its last tick; None before the first tick."""
    rows = store.execute("SELECT value FROM meta WHERE key = ?", (KEY,))
    if rows:
        return _parsed(rows[0]["value"])
    last = store.execute("SELECT taken_ms FROM tick ORDER BY number DESC LIMIT 1")
    return Anchor(int(last[0]["taken_ms"]), 0, NOT_KNOWN) if last else None


def save_anchor(connection: sqlite3.Connection, anchor: Anchor) -> None:
    """Store the anchor; part of the transaction of the tick it is the anchor of."""
    doubt = anchor.doubt
    document: dict[str, object] = {
        "labelMs": anchor.label_ms,
        "steadyMs": anchor.steady_ms,
        "bootId": anchor.boot_id,
        "beforeMs": anchor.before_ms,
        "doubt": None
        if doubt is None
        else {
            "cause": doubt.cause.value,
            "apartMs": doubt.apart_ms,
            "sinceMs": doubt.since_ms,
            "beganMs": doubt.began_ms,
            "olderMs": doubt.older_ms,
        },
    }
    set_meta(connection, KEY, json.dumps(document, separators=(",", ":")))


def _parsed(text: str) -> Anchor:
    document = json.loads(text)
    found = document["doubt"]
    doubt = (
        None
        if found is None
        else Doubt(Cause(found["cause"]), found["apartMs"], found["sinceMs"], found["beganMs"], found["olderMs"])
    )
    return Anchor(document["labelMs"], document["steadyMs"], document["bootId"], doubt, document.get("beforeMs"))


def reckon(store: Store, moment: Moment) -> Reckoning:
    """What `moment` is on the line of the stored ticks, for whoever closes, seals or ages; stores nothing."""
    anchor = load_anchor(store)
    placed = place(anchor, moment)
    doubted_from = None
    if anchor is not None and anchor.doubt is not None:
        rows = store.execute("SELECT taken_ms FROM tick WHERE vouched = 0 ORDER BY number LIMIT 1")
        doubted_from = from_ms(rows[0]["taken_ms"]) if rows else None
    before_ms = placed.anchor.before_ms
    before = None if before_ms is None else from_ms(before_ms)
    return Reckoning(from_ms(placed.label_ms), moment.wall, placed.anchor.doubt, doubted_from, before)
