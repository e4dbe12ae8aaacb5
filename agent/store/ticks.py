"""Ticks on disk: one compressed row a tick, the list of series kept apart since it rarely changes.

Values are JSON, so integers stay exact and text stays text; a value that JSON cannot carry (NaN) is refused.
One row of about 40 KB instead of 4,000 keeps what is written per tick below 0.2 MiB.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from agent.model import Failure, Hour, Outcome, Sample, Series, SourceReport, Tick, hour_of
from agent.store.cluster import record_turn
from agent.store.database import Store, from_ms, to_ms
from agent.store.meta import meta, set_meta

CHECKPOINT = "checkpoint."  # in the meta table, with the source's name behind it
KNOWN_LAYOUTS = 4  # lists of series that are kept while all ticks are read; neighbours share one
COMPRESSION_LEVEL = 1  # a third of the time of the default, 10 % more bytes


class TickWriter:
    """Appends ticks; remembers the last layout so that an unchanged series list costs one comparison."""

    def __init__(self, store: Store, hour_length_s: int) -> None:
        self._store = store
        self._hour_length_s = hour_length_s
        self._series: tuple[Series, ...] | None = None
        self._layout = 0

    def append(self, tick: Tick) -> int:
        """Store the tick and the state of its sources in one transaction; returns the tick's number.

        When it returns, the tick is on disk. Raises StoreError; then nothing of it was stored.
        """
        series = tuple(sample.series for sample in tick.samples)
        hour = hour_of(tick.taken_at, self._hour_length_s)
        known = self._layout if series == self._series else None
        with self._store.transaction() as connection:
            layout = known if known is not None else _layout_of(connection, series)
            cursor = connection.execute(
                "INSERT INTO tick (taken_ms, hour_s, layout, body) VALUES (?, ?, ?, ?)",
                (to_ms(tick.taken_at), int(hour.start.timestamp()), layout, _body_of(tick)),
            )
            for report in tick.reports:
                _record_source(connection, report, to_ms(tick.taken_at))
            for source, checkpoint in tick.checkpoints.items():
                set_meta(connection, CHECKPOINT + source, checkpoint)
            if tick.turn is not None:
                record_turn(connection, tick.turn)
        self._series, self._layout = series, layout
        return int(cursor.lastrowid or 0)

    def forget_layout(self) -> None:
        """Look the layout up again at the next tick; call it after unused layouts were removed elsewhere."""
        self._series = None


def series_as_list(series: Series) -> list[object]:
    """A series as JSON takes it; the names of hashed tags only where there are some."""
    return [series.source, series.metric, series.tags, *([series.hashed] if series.hashed else [])]


def series_of(item: Sequence[Any]) -> Series:
    """A series from its list; a store of schema 2 names no hashed tags, since it kept all of them as read."""
    source, metric, tags, *rest = item
    return Series(source, metric, tuple((key, value) for key, value in tags), tuple(rest[0]) if rest else ())


def _layout_of(connection: sqlite3.Connection, series: Sequence[Series]) -> int:
    text = json.dumps([series_as_list(item) for item in series], separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    row = connection.execute("SELECT id FROM layout WHERE digest = ?", (digest,)).fetchone()
    if row is not None:
        return int(row["id"])
    body = zlib.compress(text.encode(), 6)
    cursor = connection.execute("INSERT INTO layout (digest, body) VALUES (?, ?)", (digest, body))
    return int(cursor.lastrowid or 0)


def _body_of(tick: Tick) -> bytes:
    document = {
        "values": [sample.value for sample in tick.samples],
        "attributes": {
            str(position): dict(sample.attributes) for position, sample in enumerate(tick.samples) if sample.attributes
        },
        "hashed": {str(position): sample.hashed for position, sample in enumerate(tick.samples) if sample.hashed},
        "reports": [_report_as_list(report) for report in tick.reports],
        "epochs": dict(tick.epochs),
    }
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return zlib.compress(text.encode(), COMPRESSION_LEVEL)


def _report_as_list(report: SourceReport) -> list[object]:
    failures = [[failure.metric, failure.reason] for failure in report.failures]
    return [report.source, report.outcome, report.samples, failures, round(report.took_s, 4)]


def _record_source(connection: sqlite3.Connection, report: SourceReport, at_ms: int) -> None:
    """Keep what `status` tells of a source: since when it is as it is, and when it last gave all."""
    failures = json.dumps([[failure.metric, failure.reason, failure.detail] for failure in report.failures[:50]])
    connection.execute(
        """INSERT INTO source_state (source, outcome, since_ms, seen_ms, ok_ms, samples, took_s, failures, why, "do")
           VALUES (:source, :outcome, :at, :at, :ok, :samples, :took, :failures, :why, :do)
           ON CONFLICT (source) DO UPDATE SET
             since_ms = CASE WHEN outcome = excluded.outcome THEN since_ms ELSE excluded.since_ms END,
             outcome = excluded.outcome, seen_ms = excluded.seen_ms, ok_ms = coalesce(excluded.ok_ms, ok_ms),
             samples = excluded.samples, took_s = excluded.took_s, failures = excluded.failures,
             why = excluded.why, "do" = excluded."do" """,
        {
            "source": report.source,
            "outcome": report.outcome,
            "at": at_ms,
            "ok": at_ms if report.outcome in (Outcome.OK, Outcome.PARTIAL) else None,
            "samples": report.samples,
            "took": report.took_s,
            "failures": failures,
            "why": report.why,
            "do": report.do,
        },
    )


def checkpoint_of(store: Store, source: str) -> str:
    """How far `source` had come at the last stored tick that had it; "" when it never said."""
    return meta(store, CHECKPOINT + source) or ""


def ticks_of(store: Store, hour: Hour) -> list[Tick]:
    """All ticks of one hour in the order they were stored."""
    rows = store.execute("SELECT * FROM tick WHERE hour_s = ? ORDER BY number", (int(hour.start.timestamp()),))
    return list(_decode(store, rows))


def all_ticks(store: Store) -> Iterator[Tick]:
    """Every stored tick, one at a time, oldest first."""
    layouts: dict[int, list[Series]] = {}
    for row in store.execute("SELECT number FROM tick ORDER BY number"):
        yield from _decode(store, store.execute("SELECT * FROM tick WHERE number = ?", (row["number"],)), layouts)
        while len(layouts) > KNOWN_LAYOUTS:
            del layouts[next(iter(layouts))]


def replace_tick(connection: sqlite3.Connection, tick: Tick) -> None:
    """Put `tick` in the place of the stored one of its number; part of the caller's transaction."""
    layout = _layout_of(connection, [sample.series for sample in tick.samples])
    connection.execute("UPDATE tick SET layout = ?, body = ? WHERE number = ?", (layout, _body_of(tick), tick.number))


def remove_unused_layouts(connection: sqlite3.Connection) -> None:
    """Delete the layouts that no tick names; a daemon that was about to name one looks it up again."""
    connection.execute("DELETE FROM layout WHERE id NOT IN (SELECT layout FROM tick)")


def last_tick_before(store: Store, instant: datetime) -> Tick | None:
    """The newest stored tick taken before `instant`; what a counter is compared with at the start of an hour."""
    rows = store.execute(
        "SELECT * FROM tick WHERE taken_ms < ? ORDER BY taken_ms DESC, number DESC LIMIT 1", (to_ms(instant),)
    )
    return next(_decode(store, rows), None)


def last_tick(store: Store) -> tuple[datetime, int] | None:
    """When the newest tick was taken and how many samples its sources gave; None before the first."""
    rows = store.execute("SELECT taken_ms FROM tick ORDER BY number DESC LIMIT 1")
    if not rows:
        return None
    samples = store.execute("SELECT sum(samples) AS n FROM source_state WHERE seen_ms = ?", (rows[0]["taken_ms"],))
    return from_ms(rows[0]["taken_ms"]), int(samples[0]["n"] or 0)


def remove_ticks(connection: sqlite3.Connection, before_hour_s: int) -> int:
    """Delete the ticks of hours before `before_hour_s` and the layouts nobody names; returns how many ticks went."""
    removed = connection.execute("DELETE FROM tick WHERE hour_s < ?", (before_hour_s,)).rowcount
    if removed:
        # The newest layout stays: the daemon may be about to name it again.
        connection.execute(
            """DELETE FROM layout WHERE id NOT IN (SELECT layout FROM tick)
               AND id <> (SELECT max(id) FROM layout)"""
        )
    return removed


def _decode(
    store: Store, rows: Sequence[sqlite3.Row], layouts: dict[int, list[Series]] | None = None
) -> Iterator[Tick]:
    layouts = {} if layouts is None else layouts
    for row in rows:
        layout = row["layout"]
        if layout not in layouts:
            body = store.execute("SELECT body FROM layout WHERE id = ?", (layout,))[0]["body"]
            layouts[layout] = [series_of(item) for item in json.loads(zlib.decompress(body))]
        yield _tick_of(row, layouts[layout])


def _tick_of(row: sqlite3.Row, series: Sequence[Series]) -> Tick:
    document = json.loads(zlib.decompress(row["body"]))
    attributes, hashed = document["attributes"], document.get("hashed", {})
    samples = tuple(
        Sample(
            item,
            value,
            tuple(attributes[str(position)].items()) if str(position) in attributes else (),
            tuple(hashed[str(position)]) if str(position) in hashed else (),
        )
        for position, (item, value) in enumerate(zip(series, document["values"], strict=True))
    )
    reports = tuple(
        SourceReport(
            source, Outcome(outcome), count, tuple(Failure(metric, reason) for metric, reason in failures), took_s
        )
        for source, outcome, count, failures, took_s in document["reports"]
    )
    return Tick(from_ms(row["taken_ms"]), samples, reports, document["epochs"], row["number"])
