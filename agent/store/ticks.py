"""Ticks on disk: one compressed row a tick, the list of series kept apart since it rarely changes.

Values are JSON, so integers stay exact and text stays text; a value that JSON cannot carry (NaN) is refused.
One row of about 40 KB instead of 4,000 keeps what is written per tick below 0.2 MiB.

A tick is deleted in two ways only, both here: `remove_counted`, never beyond the watermark of what closed hours have
counted, and `remove_lost`, which counts each tick as a named loss in the same transaction.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from agent.model import Failure, Hour, Moment, Outcome, Sample, Series, SourceReport, Tick, hour_of
from agent.store import audit
from agent.store.cluster import record_turn
from agent.store.database import Store, from_ms, to_ms
from agent.store.losses import count_loss
from agent.store.meta import meta, set_meta
from agent.store.timeline import Anchor, Doubt, Ending, Placement, Settled, load_anchor, place, save_anchor

CHECKPOINT = "checkpoint."  # in the meta table, with the source's name behind it
HOST = "host"
KNOWN_LAYOUTS = 4  # lists of series that are kept while all ticks are read; neighbours share one
COMPRESSION_LEVEL = 1  # a third of the time of the default, 10 % more bytes


class TickWriter:
    """Appends ticks; remembers the last layout so that an unchanged series list costs one comparison."""

    def __init__(self, store: Store, hour_length_s: int) -> None:
        self._store = store
        self._hour_length_s = hour_length_s
        self._series: tuple[Series, ...] | None = None
        self._layout = 0
        self._anchor: Anchor | None = None

    def append(self, tick: Tick) -> int:
        """Store the tick and the state of its sources in one transaction; returns the tick's number.

        It is labelled here, from its moment; where that ends a doubt, the ticks in doubt are moved in the same
        transaction. When it returns, the tick is on disk. Raises StoreError; then nothing of it was stored.
        """
        series = tuple(sample.series for sample in tick.samples)
        placed = None if tick.moment is None else self._placed(tick.moment)
        at_ms = to_ms(tick.taken_at) if placed is None else placed.label_ms
        known = self._layout if series == self._series else None
        # What takes time is done before the write lock is taken: the hourly run waits for the same one.
        body = _body_of(tick)
        with self._store.transaction() as connection:
            layout = known if known is not None else _layout_of(connection, series)
            if placed is not None and placed.settled is not None:
                self._settle(connection, placed, placed.settled)
            moment = tick.moment
            cursor = connection.execute(
                """INSERT INTO tick (taken_ms, hour_s, layout, body, steady_ms, boot_id, vouched)
                   VALUES (?, ?, ?, ?, ?, ?, ?)""",
                (
                    at_ms,
                    int(hour_of(from_ms(at_ms), self._hour_length_s).start.timestamp()),
                    layout,
                    body,
                    None if moment is None else round(moment.steady_s * 1000),
                    "" if moment is None else moment.boot_id,
                    placed is None or placed.vouched,
                ),
            )
            # With the tick, so that `status` says of no source what no stored tick bears out.
            for report in tick.reports:
                _record_source(connection, report, at_ms)
            # Stored before its tick, a position would lose the lines in between when the process is killed; after it,
            # they would be counted twice.
            for source, checkpoint in tick.checkpoints.items():
                set_meta(connection, CHECKPOINT + source, checkpoint)
            # An hour's cluster-wide rows are kept by what the holds of the lock say, and a hold by its ticks: one
            # cannot be without the other.
            if tick.turn is not None:
                record_turn(connection, tick.turn)
            if placed is not None:
                # In the tick's own transaction: an anchor of a tick that was not stored would vouch for nothing.
                save_anchor(connection, placed.anchor)
        # Only now: had the transaction been rolled back, the next tick would name a layout that is not there.
        self._series, self._layout = series, layout
        if placed is not None:
            self._anchor = placed.anchor
        return int(cursor.lastrowid or 0)

    def label_of(self, moment: Moment) -> datetime:
        """What a tick of this moment would be labelled; stores nothing."""
        return from_ms(self._placed(moment).label_ms)

    @property
    def doubt(self) -> Doubt | None:
        """The doubt that the clock was in at the last stored tick."""
        return None if self._anchor is None else self._anchor.doubt

    def _placed(self, moment: Moment) -> Placement:
        if self._anchor is None:
            self._anchor = load_anchor(self._store)
        return place(self._anchor, moment)

    def _doubt_since_boot(self, connection: sqlite3.Connection, boot_id: str, move_ms: int) -> None:
        """A clock that was set back was wrong since its boot began: all ticks of the boot move together.

        A hardware clock that keeps local time is the usual case. Without this the boot's first ticks, believed at once,
        would have begun the next hour, and what moves back would be lost to the hour before. Only while no hour has
        counted any of them, nor was closed where they go (what was sealed is never opened again), nor the tick before
        them is labelled later than that: then they would come back to its hour all the same.
        """
        number, label_ms = connection.execute(
            "SELECT min(number), min(taken_ms) FROM tick WHERE boot_id = ?", (boot_id,)
        ).fetchone()
        if boot_id == "" or number is None:
            return
        goes_to_s = (label_ms + move_ms) // 1000 // self._hour_length_s * self._hour_length_s
        counted = connection.execute(
            "SELECT 1 FROM closed WHERE last_tick >= ? OR start_s = ? LIMIT 1", (number, goes_to_s)
        ).fetchone()
        earlier = connection.execute(
            "SELECT 1 FROM tick WHERE number < ? AND taken_ms > ? LIMIT 1", (number, label_ms + move_ms)
        ).fetchone()
        if counted is None and earlier is None:
            connection.execute("UPDATE tick SET vouched = 0 WHERE boot_id = ?", (boot_id,))

    def _settle(self, connection: sqlite3.Connection, placed: Placement, settled: Settled) -> None:
        """The ticks in doubt get their labels for good. None of them was counted: their hours waited."""
        if settled.ending is Ending.ACCEPTED and settled.this_boot_ms < 0:
            self._doubt_since_boot(connection, placed.anchor.boot_id, settled.this_boot_ms)
        connection.execute(
            """UPDATE tick SET taken_ms = taken_ms + CASE WHEN boot_id = :boot THEN :this ELSE :older END
               WHERE vouched = 0""",
            {"boot": placed.anchor.boot_id, "this": settled.this_boot_ms, "older": settled.older_ms},
        )
        connection.execute(
            # The hour follows from the label, so labels come first; and both statements find their rows by `vouched`,
            # so this one, which ends that, comes last.
            "UPDATE tick SET vouched = 1, hour_s = taken_ms / :ms / :s * :s WHERE vouched = 0",
            {"ms": 1000, "s": self._hour_length_s},
        )
        if settled.ending is Ending.ACCEPTED:
            # A step of the clock that stays changes what hours mean: it belongs beside what people did.
            ahead_s = round(settled.this_boot_ms / 1000)
            audit.add(connection, from_ms(placed.label_ms), "agent", "clock.accepted", {"aheadS": ahead_s})

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
    # Enough for a person: a dead product fails five hundred times for one cause, and the tick itself has all of them.
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
    # By number: the labels of an hour in which the clock was set back are not in the order in which things happened.
    rows = store.execute("SELECT * FROM tick WHERE hour_s = ? ORDER BY number", (int(hour.start.timestamp()),))
    return list(_decode(store, rows))


def all_ticks(store: Store) -> Iterator[Tick]:
    """Every stored tick, one at a time, oldest first."""
    # The numbers first and the bodies one by one: the caller replaces rows while it goes, and a week of them is not for
    # the memory of a short process.
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


def tick_before(store: Store, number: int) -> Tick | None:
    """The stored tick before `number` in the store's order; what a counter is compared with at the start of an hour."""
    rows = store.execute("SELECT * FROM tick WHERE number < ? ORDER BY number DESC LIMIT 1", (number,))
    return next(_decode(store, rows), None)


def newest_tick(store: Store) -> Tick | None:
    """The tick that was stored last; None before the first."""
    return next(_decode(store, store.execute("SELECT * FROM tick ORDER BY number DESC LIMIT 1")), None)


def last_tick(store: Store) -> tuple[datetime, int] | None:
    """When the newest tick was taken and how many samples its sources gave; None before the first."""
    rows = store.execute("SELECT taken_ms FROM tick ORDER BY number DESC LIMIT 1")
    if not rows:
        return None
    samples = store.execute("SELECT sum(samples) AS n FROM source_state WHERE seen_ms = ?", (rows[0]["taken_ms"],))
    return from_ms(rows[0]["taken_ms"]), int(samples[0]["n"] or 0)


def watermark(connection: sqlite3.Connection) -> int:
    """The number up to which every tick was counted in a closed hour; what is after it must not be tidied."""
    row = connection.execute(
        """SELECT min(number) AS uncounted, (SELECT max(number) FROM tick) AS newest FROM tick
           LEFT JOIN closed ON closed.start_s = tick.hour_s
           WHERE closed.last_tick IS NULL OR tick.number > closed.last_tick"""
    ).fetchone()
    return int(row["newest"] or 0) if row["uncounted"] is None else int(row["uncounted"]) - 1


def remove_counted(connection: sqlite3.Connection, up_to: int) -> int:
    """Delete ticks up to number `up_to`, and none beyond the watermark; returns how many went.

    The newest of them stays: the next hour's counters start from it.
    """
    last = min(up_to, watermark(connection))
    newest = connection.execute("SELECT max(number) AS number FROM tick WHERE number <= ?", (last,)).fetchone()
    return _delete(connection, 0, (newest["number"] or 0) - 1)


def remove_lost(connection: sqlite3.Connection, numbers: Sequence[int], reason: str, at: datetime) -> None:
    """Delete ticks that no hour can count any more; each is a loss by name, in the same transaction."""
    for number in numbers:
        count_loss(connection, reason, _delete(connection, number, number), at)


def _delete(connection: sqlite3.Connection, first: int, last: int) -> int:
    """The one place that deletes ticks; whoever calls it has counted them."""
    removed = connection.execute("DELETE FROM tick WHERE number BETWEEN ? AND ?", (first, last)).rowcount
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
    moment, epochs = _moment_of(row), document["epochs"]
    if _before_schema_4(row):
        # An older agent took the boot time for the epoch of the host's counters. It moved with every step of the
        # clock, so it says nothing; without this the first hour after an upgrade would count all since the boot again.
        epochs.pop(HOST, None)
    return Tick(from_ms(row["taken_ms"]), samples, reports, epochs, row["number"], moment=moment)


def _before_schema_4(row: sqlite3.Row) -> bool:
    return "boot_id" not in row.keys() or row["boot_id"] is None  # noqa: SIM118  # a Row holds values, not names


def _moment_of(row: sqlite3.Row) -> Moment | None:
    if _before_schema_4(row) or row["steady_ms"] is None:
        return None
    return Moment(from_ms(row["taken_ms"]), row["steady_ms"] / 1000, row["boot_id"])


def numbers_of(store: Store, hour: Hour, first: int, last: int) -> list[int]:
    """The numbers of the ticks of `hour` from `first` to `last`."""
    rows = store.execute(
        "SELECT number FROM tick WHERE hour_s = ? AND number BETWEEN ? AND ?",
        (int(hour.start.timestamp()), first, last),
    )
    return [row["number"] for row in rows]


def numbers_beyond(connection: sqlite3.Connection, most: int) -> list[int]:
    """The oldest ticks above the watermark, where there are more than `most` of them."""
    rows = connection.execute(
        "SELECT number FROM tick WHERE number > ? ORDER BY number DESC LIMIT -1 OFFSET ?", (watermark(connection), most)
    )
    return [row["number"] for row in rows]
