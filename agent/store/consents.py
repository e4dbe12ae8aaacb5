"""Since which tick each consent holds on this node: by the store's number, whatever the clock said when it was given.

In:   the moment a consent is given, noted before it takes effect. Out: its mark, by the instant in link.json that
      names it. link.json is shared by the nodes of a cluster, numbers are not: a node that did not see a consent given
      has no mark of it and goes by its instant, unless that lies ahead (`note_seen`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from agent.model import Consent, Moment, Tick
from agent.store.database import Store, to_ms
from agent.store.meta import meta, set_meta

KEY = "consents"
KEPT = 100  # of one stretch link.json keeps fewer


@dataclass(frozen=True, slots=True)
class ConsentMark:
    """The last tick that was stored when a consent was given, and the seconds since that boot."""

    tick: int
    steady_s: float
    boot_id: str

    def is_before(self, tick: Tick) -> bool:
        """Whether `tick` was begun after the mark: one that was being taken meanwhile has a later number, too."""
        moment = tick.moment
        begun_earlier = moment is not None and moment.boot_id == self.boot_id != "" and moment.steady_s < self.steady_s
        return tick.number > self.tick and not begun_earlier


Marks = Mapping[int, ConsentMark]  # by the consent's instant in Unix milliseconds
NO_MARKS: Marks = {}


def mark_of(marks: Marks, consent: Consent) -> ConsentMark | None:
    """The mark of this consent; None where it is not known."""
    return None if consent.granted_at is None else marks.get(to_ms(consent.granted_at))


def consent_marks(store: Store) -> Marks:
    """All that are known; none when they cannot be read: then the instants hold."""
    return _parsed(meta(store, KEY))


def note_given(store: Store, granted_at: datetime, moment: Moment) -> None:
    """Keep that the consent named by `granted_at` was given at `moment`; durable on return, a known one stays."""
    with store.transaction() as connection:
        _note(connection, [granted_at], moment)


def note_seen(store: Store, consents: Iterable[Consent], now: datetime, moment: Moment) -> None:
    """Keep of consents that begin after `now` that they hold all the same: since the tick that was stored last.

    They were given on another node, under a clock that was ahead.
    """
    marks = consent_marks(store)
    ahead = [item.granted_at for item in consents if item.granted_at is not None and item.granted_at > now]
    unknown = [instant for instant in ahead if to_ms(instant) not in marks]
    if unknown:
        with store.transaction() as connection:
            _note(connection, unknown, moment)


def _note(connection: sqlite3.Connection, instants: Iterable[datetime], moment: Moment) -> None:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (KEY,)).fetchone()
    marks = dict(_parsed(None if row is None else row["value"]))
    # sqlite_sequence, not the newest row: ticks that were counted are deleted, numbers are never given twice.
    newest = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'tick'").fetchone()
    mark = ConsentMark(0 if newest is None else int(newest["seq"]), moment.steady_s, moment.boot_id)
    for instant in instants:
        marks.setdefault(to_ms(instant), mark)
    rows = [[at_ms, one.tick, one.steady_s, one.boot_id] for at_ms, one in marks.items()][-KEPT:]
    set_meta(connection, KEY, json.dumps(rows, separators=(",", ":")))


def _parsed(text: str | None) -> Marks:
    try:
        return {
            int(at_ms): ConsentMark(tick, steady_s, boot) for at_ms, tick, steady_s, boot in json.loads(text or "[]")
        }
    except (ValueError, TypeError):
        return NO_MARKS
