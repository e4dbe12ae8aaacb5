"""Closed hours on disk: the unfiltered aggregates, which never leave this file but through consent.

A revision is added when ticks of a closed hour arrive late; the newest revision of an hour is the one that counts.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agent.model import Hour, HourlyAggregate, Series
from agent.store.database import Store, from_ms, to_ms


@dataclass(frozen=True, slots=True)
class ClosedHour:
    """One revision of one hour: when it was closed, over how many ticks."""

    hour: Hour
    revision: int
    closed_at: datetime
    last_tick: int
    ticks: int


def hours_with_new_ticks(store: Store, length_s: int) -> list[tuple[Hour, int]]:
    """Hours that hold ticks no revision has counted yet, oldest first, with the next revision's number."""
    rows = store.execute(
        """SELECT t.hour_s, max(t.number) AS newest,
                  (SELECT max(revision) FROM hour h WHERE h.start_s = t.hour_s) AS revision,
                  (SELECT max(last_tick) FROM hour h WHERE h.start_s = t.hour_s) AS counted
           FROM tick t GROUP BY t.hour_s ORDER BY t.hour_s"""
    )
    return [
        (_hour(row["hour_s"], length_s), 0 if row["revision"] is None else row["revision"] + 1)
        for row in rows
        if row["counted"] is None or row["newest"] > row["counted"]
    ]


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


def closed_hours(store: Store, since: datetime | None = None) -> list[ClosedHour]:
    """The newest revision of each hour that ends after `since`, oldest first."""
    rows = store.execute(
        """SELECT start_s, max(revision) AS revision, length_s, closed_ms, last_tick, ticks
           FROM hour WHERE start_s + length_s > ? GROUP BY start_s ORDER BY start_s""",
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


def remove_hours(connection: sqlite3.Connection, before: datetime) -> int:
    """Delete hours that ended before `before` and have no batch waiting; returns how many revisions went."""
    return connection.execute(
        """DELETE FROM hour WHERE start_s + length_s <= ?
           AND NOT EXISTS (SELECT 1 FROM batch b WHERE b.hour_s = hour.start_s AND b.state = 'waiting')""",
        (int(before.timestamp()),),
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
