"""Whose rows count for a whole cluster: at most one node's for each hour, whatever dies, hangs or comes back.

What a cluster has once (its projects, its users) is read by the node that holds a lock in the product's database, and
the lock changes hands when a node dies. An hour may so hold samples of two nodes. The rule:

    A *hold* is one unbroken time with the lock in one database session: (session, since, seen). Both instants are read
    from the database's clock by that very session while it holds the lock, so the lock was held all the time from
    `since` to `seen`. An hour's cluster-wide rows are kept by a node exactly when one single hold of it fulfils
    since + MARGIN_S <= hour.end <= seen. Otherwise the node drops its cluster-wide rows of that hour before they are
    stored or sealed, says so in the log, and counts those that held samples in `status`.

Why never two: the lock has at most one holder at any instant, and all holds of all nodes are measured by one clock, so
at most one hold over all nodes covers the instant hour.end. MARGIN_S takes up a database clock that is set back a
little, or the differing clock of the standby server that took the old one's place.
Two holds of one node do not add up: between them another node may have counted.
An hour's end is a name here, not a reading: which ticks a node counts in the hour is told by its own labels
(`agent.store.timeline`), whether it keeps the rows by the database's clock alone. A node whose clock is ahead or in
doubt may so drop rows that it could have kept, and none is kept twice.

Why sometimes none: a holder that dies shortly before the hour's end, with nobody trying again before it, and a holder
that restarts between the hour's end and its next tick. Missing is right then: a gap is seen, a double count is not.
The node that takes over within an hour keeps that hour, from the takeover on; `expected` is the ticks it had the turn.

In:   the turn of each tick, written in the tick's own transaction. Out: the holds, newest last, and whether they count.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from agent.model import ClusterTurn, Hour, Role
from agent.store.database import Store
from agent.store.meta import meta, set_meta

KEY = "cluster"
# What a database clock may be set back by, or differ by on the standby; it costs only hours that change hands in it.
MARGIN_S = 1.0
MOST_HOLDS = 200  # an hour older than that many takeovers is dropped rather than counted twice


@dataclass(frozen=True, slots=True)
class LockHold:
    """One unbroken hold of the lock; Unix seconds by the database's clock."""

    session: str
    since_s: float
    seen_s: float


@dataclass(frozen=True, slots=True)
class ClusterState:
    """What this node is to its cluster as of its last tick, and when it had the turn."""

    role: Role
    ahead_s: float
    holds: tuple[LockHold, ...]


def counts_for(holds: Iterable[LockHold], hour: Hour) -> bool:
    """Whether the node with these holds keeps the cluster-wide rows of `hour` (the rule above)."""
    end_s = hour.end.timestamp()
    return any(hold.since_s + MARGIN_S <= end_s <= hold.seen_s for hold in holds)


def cluster_state(store: Store) -> ClusterState | None:
    """What the last tick recorded; None on a node that never was in a cluster."""
    return _parsed(meta(store, KEY))


def record_turn(connection: sqlite3.Connection, turn: ClusterTurn) -> None:
    """Keep the turn of one tick; part of the tick's transaction."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (KEY,)).fetchone()
    state = _parsed(None if row is None else row["value"])
    holds = list(state.holds) if state is not None else []
    if turn.role is Role.COUNTING:
        # One row a session: its last confirmation stands for all before it, since nobody else can have held it in
        # between.
        holds = [hold for hold in holds if hold.session != turn.session]
        holds.append(LockHold(turn.session, turn.since_s, turn.seen_s))
    rows = [[hold.session, hold.since_s, hold.seen_s] for hold in holds[-MOST_HOLDS:]]
    # "terms" is what older agents wrote: another word would lose the holds, and with them the hour of an upgrade.
    document = {"role": turn.role.value, "aheadS": turn.ahead_s, "terms": rows}
    set_meta(connection, KEY, json.dumps(document, separators=(",", ":")))


def _parsed(text: str | None) -> ClusterState | None:
    if text is None:
        return None
    document = json.loads(text)
    holds = tuple(LockHold(session, since_s, seen_s) for session, since_s, seen_s in document["terms"])
    return ClusterState(Role(document["role"]), document["aheadS"], holds)
