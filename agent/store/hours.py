"""Closed hours on disk: the unfiltered aggregates, which never leave this file but through consent.

An hour is one unbroken run of ticks in the store's order. A revision is added when that run goes on after the hour was
closed (ticks that were stored late); the newest revision of an hour is the one that counts. A run that comes back to
an hour after another one was begun is not the hour going on, but a clock that was set back: its ticks would be counted
twice or merged with others, so they are a named loss. The table `closed` keeps every hour that was ever closed, since
a clock can be set back by years.

How long things are kept is told in closed hours, never in days: a clock that is 40 days ahead closes no hours.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.model import Hour, HourlyAggregate, Series
from agent.store.database import Store, from_ms, to_ms

ORDERED_FROM = 4  # the schema that keeps what order needs
RUN_KEPT = 4  # closed hours whose ticks stay: the newest may go on, and is then counted again from all its ticks


# The hour that was closed last, and the ticks that no closed hour has counted; by the present schema and by older ones.
_STATEMENTS = (
    "SELECT start_s FROM closed ORDER BY last_tick DESC, start_s DESC LIMIT 1",
    """SELECT number, hour_s, vouched, closed.last_tick AS counted
       FROM tick LEFT JOIN closed ON closed.start_s = hour_s
       WHERE counted IS NULL OR number > counted ORDER BY number""",
)
_STATEMENTS_BEFORE = (
    "SELECT start_s FROM hour ORDER BY last_tick DESC, start_s DESC LIMIT 1",
    """SELECT number, hour_s, 1 AS vouched,
              (SELECT max(last_tick) FROM hour WHERE start_s = hour_s) AS counted
       FROM tick WHERE counted IS NULL OR number > counted ORDER BY number""",
)


@dataclass(frozen=True, slots=True)
class ClosedHour:
    """One revision of one hour: when it was closed, over how many ticks."""

    hour: Hour
    revision: int
    closed_at: datetime
    last_tick: int
    ticks: int


@dataclass(frozen=True, slots=True)
class OpenHour:
    """An hour with ticks that no revision has counted: their numbers, and the next revision's.

    `vouched` is whether the clock behind every label is vouched for. `is_left` says that the store went on to another
    hour since, so that no tick of this one can come any more.
    """

    hour: Hour
    revision: int
    first: int
    last: int
    vouched: bool
    is_left: bool


@dataclass(frozen=True, slots=True)
class Uncounted:
    """What no closed hour has counted: the hours they make, in the store's order, and ticks that no hour can take."""

    hours: tuple[OpenHour, ...]
    set_back: tuple[int, ...]


def uncounted(store: Store, length_s: int) -> Uncounted:
    """The ticks that are still to be counted, by the rule of this module."""
    newest_sql, ticks_sql = _STATEMENTS if _knows_order(store) else _STATEMENTS_BEFORE
    newest = store.execute(newest_sql)
    run: int | None = newest[0]["start_s"] if newest else None
    runs: dict[int, list[tuple[int, bool]]] = {}
    set_back = []
    for row in store.execute(ticks_sql):
        start_s = row["hour_s"]
        if start_s != run and (start_s in runs or row["counted"] is not None):
            # One whose label is in doubt may yet be moved elsewhere.
            set_back += [row["number"]] if row["vouched"] else []
            continue
        run = start_s
        runs.setdefault(start_s, []).append((row["number"], bool(row["vouched"])))
    revisions = {
        row["start_s"]: row["revision"] + 1
        for row in store.execute("SELECT start_s, max(revision) AS revision FROM hour GROUP BY start_s")
    }
    hours = tuple(
        OpenHour(
            _hour(start_s, length_s),
            revisions.get(start_s, 0),
            ticks[0][0],
            ticks[-1][0],
            all(vouched for _, vouched in ticks),
            start_s != run,
        )
        for start_s, ticks in runs.items()
    )
    return Uncounted(hours, tuple(set_back))


def _knows_order(store: Store) -> bool:
    """Whether the store has schema 4; `status` reads older ones before the daemon brings them there."""
    return int(store.execute("PRAGMA user_version")[0][0]) >= ORDERED_FROM


def put_hour(connection: sqlite3.Connection, closed: ClosedHour, aggregates: Sequence[HourlyAggregate]) -> None:
    """Store one revision; part of the caller's transaction."""
    connection.execute(
        """INSERT INTO hour (start_s, revision, length_s, closed_ms, last_tick, ticks, body)
           VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (
            int(closed.hour.start.timestamp()),
            closed.revision,
            closed.hour.length_s,
            to_ms(closed.closed_at),
            closed.last_tick,
            closed.ticks,
            _packed(aggregates),
        ),
    )
    connection.execute(
        # Kept for ever, some bytes an hour: without it a clock that is set back by a year opens hours again that were
        # delivered and tidied long ago, and they are sealed under a second id.
        """INSERT INTO closed (start_s, last_tick) VALUES (?, ?)
           ON CONFLICT (start_s) DO UPDATE SET last_tick = excluded.last_tick""",
        (int(closed.hour.start.timestamp()), closed.last_tick),
    )


def closed_hours(store: Store, since: datetime | None = None) -> list[ClosedHour]:
    """The newest revision of each hour that ends after `since`, in the order they were measured."""
    rows = store.execute(
        """SELECT start_s, max(revision) AS revision, length_s, closed_ms, last_tick, ticks
           FROM hour WHERE start_s + length_s > ? GROUP BY start_s ORDER BY last_tick, start_s""",
        (int(since.timestamp()) if since is not None else -1,),
    )
    return [
        ClosedHour(
            _hour(row["start_s"], row["length_s"]),
            row["revision"],
            from_ms(row["closed_ms"]),
            row["last_tick"],
            row["ticks"],
        )
        for row in rows
    ]


def aggregates_of(store: Store, hour: Hour, revision: int) -> list[HourlyAggregate]:
    """The unfiltered aggregates of one revision; empty when it is not stored (any more)."""
    rows = store.execute(
        "SELECT length_s, body FROM hour WHERE start_s = ? AND revision = ?", (int(hour.start.timestamp()), revision)
    )
    if not rows:
        return []
    stored = Hour(hour.start, rows[0]["length_s"])
    return [_from_list(item, stored) for item in json.loads(zlib.decompress(rows[0]["body"]))]


def all_hours(store: Store) -> Iterator[tuple[Hour, int, list[HourlyAggregate]]]:
    """Every revision of every closed hour with its rows, one at a time."""
    for row in store.execute("SELECT start_s, revision, length_s FROM hour ORDER BY start_s, revision"):
        hour = _hour(row["start_s"], row["length_s"])
        yield hour, row["revision"], aggregates_of(store, hour, row["revision"])


def replace_hour(
    connection: sqlite3.Connection, hour: Hour, revision: int, aggregates: Sequence[HourlyAggregate]
) -> None:
    """Put these rows in the place of a revision's; part of the caller's transaction."""
    connection.execute(
        "UPDATE hour SET body = ? WHERE start_s = ? AND revision = ?",
        (_packed(aggregates), int(hour.start.timestamp()), revision),
    )


def _packed(aggregates: Sequence[HourlyAggregate]) -> bytes:
    text = json.dumps([_as_list(item) for item in aggregates], separators=(",", ":"), allow_nan=False)
    return zlib.compress(text.encode(), 6)


def hour_before(store: Store, hour: Hour, first_tick: int) -> ClosedHour | None:
    """The hour measured right before `hour`, whose first tick has this number; None when none is stored.

    Right before: the newest by the store's order, and one that ends where `hour` starts.
    """
    # By the store's order and by the label: after a clock was set, the hour measured before need not be the hour
    # before.
    before = [item for item in closed_hours(store, hour.start - timedelta(seconds=1)) if item.last_tick < first_tick]
    return before[-1] if before and before[-1].hour.end == hour.start else None


def tick_before_hour(store: Store, item: ClosedHour) -> int:
    """A number that all ticks of `item` come after: the last tick of the hour closed before it by the store's order."""
    found = store.execute("SELECT max(last_tick) AS number FROM closed WHERE last_tick < ?", (item.last_tick,))
    return int(found[0]["number"] or 0)


def horizon(connection: sqlite3.Connection, stored: int) -> int:
    """The last tick of the newest closed hour that is not among the `kept` newest; -1 when so many were not closed."""
    row = connection.execute(
        "SELECT last_tick FROM closed ORDER BY last_tick DESC, start_s DESC LIMIT 1 OFFSET ?", (stored,)
    ).fetchone()
    return -1 if row is None else int(row["last_tick"])


def remove_hours(connection: sqlite3.Connection, up_to: int) -> int:
    """Delete hours whose last tick has a number up to `up_to` and that have no batch waiting; returns how many
    revisions went. That they were closed is never forgotten."""
    # An hour with a batch that waits stays: were consent lowered, the batch would have to be made again from it.
    return connection.execute(
        """DELETE FROM hour
           WHERE start_s IN (SELECT start_s FROM closed WHERE last_tick <= ?)
           AND NOT EXISTS (SELECT 1 FROM batch b WHERE b.hour_s = hour.start_s AND b.state = 'waiting')""",
        (up_to,),
    ).rowcount


def _hour(start_s: int, length_s: int) -> Hour:
    return Hour(datetime.fromtimestamp(start_s, UTC), length_s)


def _as_list(item: HourlyAggregate) -> list[object]:
    tags, figures = item.series.hashed, item.hashed
    row = [item.series.source, item.series.metric, item.series.tags, dict(item.figures), item.samples, item.expected]
    return [*row, dict(item.failed), *([tags, figures] if tags or figures else [])]


def _from_list(item: Sequence[Any], hour: Hour) -> HourlyAggregate:
    """A row of our own making; one of schema 2 names nothing that is hashed."""
    source, metric, tags, figures, samples, expected, failed, *rest = item
    hashed_tags, hashed_figures = rest or ((), ())
    series = Series(source, metric, tuple((key, value) for key, value in tags), tuple(hashed_tags))
    return HourlyAggregate(series, hour, figures, samples, expected, failed, tuple(hashed_figures))
