"""Sealed batches on disk, from sealing until their bodies are no longer needed.

    waiting ──▶ acknowledged      the receiver named it: its own id and hash
            ├─▶ set-aside         the receiver will not take it; kept for a person to look at
            ├─▶ split             its two halves wait instead
            ├─▶ replaced          consent was lowered; what may still leave waits instead
            └─▶ dropped           the outbox was full; counted as a loss, never silent

A body is what the receiver gets, byte for byte, on every try. It stays after the acknowledgement for as long as a
bundle may want it. One body at a time is in memory, however much waits. Writing functions take the caller's
connection and are part of the caller's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from agent.model import Batch, BatchId, Consent, ConsentLevel, Hour
from agent.store.database import Store, from_ms, to_ms
from agent.store.losses import count_loss

LOSS_FULL = "outbox-full"


class BatchState(StrEnum):
    """Where a batch stands; only `waiting` is ever pushed."""

    WAITING = "waiting"
    ACKNOWLEDGED = "acknowledged"
    SET_ASIDE = "set-aside"
    SPLIT = "split"
    REPLACED = "replaced"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch without its body. `refusals` counts the answers 400 and 422 it got."""

    id: BatchId
    hour: Hour
    revision: int
    part: str
    state: BatchState
    level: ConsentLevel
    sha256: str
    size_bytes: int
    entries: int
    sealed_at: datetime
    refusals: int
    last_answer: str
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class OutboxSize:
    """What waits, from the store itself: `held_bytes` counts every body on disk, whatever its state."""

    waiting: int
    waiting_bytes: int
    oldest: datetime | None
    set_aside: int
    held_bytes: int


def put(connection: sqlite3.Connection, batch: Batch) -> None:
    """Store a sealed batch as waiting. The same batch again changes nothing: an id names one content."""
    connection.execute(
        """INSERT INTO batch (id, hour_s, length_s, revision, part, state, level, field_list_version, granted_ms,
                              sha256, size_bytes, entries, body, sealed_ms)
           VALUES (?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING""",
        (
            batch.id,
            int(batch.hour.start.timestamp()),
            batch.hour.length_s,
            batch.revision,
            batch.part,
            batch.consent.level.value,
            batch.consent.field_list_version,
            None if batch.consent.granted_at is None else to_ms(batch.consent.granted_at),
            batch.sha256,
            len(batch.body),
            batch.entries,
            batch.body,
            to_ms(batch.sealed_at),
        ),
    )


def waiting(store: Store) -> Iterator[Batch]:
    """Every batch that waits at the moment of the call, oldest hour first, read one at a time.

    A batch settled meanwhile is passed over, so the caller may settle batches while it iterates.
    """
    # The ids first, one body at a time: a backlog of a week may be 256 MiB.
    for (batch_id,) in store.execute(
        "SELECT id FROM batch WHERE state = 'waiting' ORDER BY hour_s, revision, part, id"
    ):
        batch = load(store, BatchId(batch_id), only=BatchState.WAITING)
        if batch is not None:
            yield batch


def load(store: Store, batch_id: BatchId, *, only: BatchState | None = None) -> Batch | None:
    """One batch with its body; None when it is unknown, has no body any more, or is not in state `only`."""
    rows = store.execute("SELECT * FROM batch WHERE id = ? AND body IS NOT NULL", (batch_id,))
    if not rows or (only is not None and rows[0]["state"] != only.value):
        return None
    row = rows[0]
    granted = None if row["granted_ms"] is None else from_ms(row["granted_ms"])
    return Batch(
        BatchId(row["id"]),
        _hour(row),
        row["revision"],
        row["part"],
        Consent(ConsentLevel(row["level"]), row["field_list_version"], granted),
        row["sha256"],
        bytes(row["body"]),
        row["entries"],
        from_ms(row["sealed_ms"]),
    )


def rows(store: Store, *, since: datetime | None = None, states: tuple[BatchState, ...] = ()) -> list[BatchRow]:
    """Batches without bodies, oldest hour first: those whose hour ends after `since`, in any of `states` (or all)."""
    found = store.execute(
        """SELECT id, hour_s, length_s, revision, part, state, level, sha256, size_bytes, entries, sealed_ms,
                  attempts, last_answer, settled_ms
           FROM batch WHERE hour_s + length_s > ? ORDER BY hour_s, revision, part, id""",
        (-1 if since is None else int(since.timestamp()),),
    )
    return [_row(row) for row in found if not states or row["state"] in states]


def with_body(store: Store) -> frozenset[str]:
    """The ids of the batches whose bytes are still here."""
    return frozenset(row["id"] for row in store.execute("SELECT id FROM batch WHERE body IS NOT NULL"))


def is_sealed(store: Store, hour: Hour, revision: int) -> bool:
    """Whether this revision of this hour was sealed, whatever became of its batches."""
    start_s = int(hour.start.timestamp())
    return bool(store.execute("SELECT 1 FROM batch WHERE hour_s = ? AND revision = ? LIMIT 1", (start_s, revision)))


def size(store: Store) -> OutboxSize:
    """How much waits, read from the store."""
    row = store.execute(
        """SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,
                  coalesce(sum(size_bytes) FILTER (WHERE state = 'waiting'), 0) AS waiting_bytes,
                  min(hour_s) FILTER (WHERE state = 'waiting') AS oldest,
                  count(*) FILTER (WHERE state = 'set-aside') AS set_aside,
                  coalesce(sum(size_bytes) FILTER (WHERE body IS NOT NULL), 0) AS held_bytes
           FROM batch"""
    )[0]
    oldest = None if row["oldest"] is None else datetime.fromtimestamp(row["oldest"], UTC)
    return OutboxSize(row["waiting"], row["waiting_bytes"], oldest, row["set_aside"], row["held_bytes"])


def acknowledge(connection: sqlite3.Connection, batch_id: BatchId, answer: str, at: datetime) -> None:
    """The receiver has it: it is never sent again; its body stays for bundles."""
    _settle(connection, batch_id, BatchState.ACKNOWLEDGED, answer, at)


def set_aside(connection: sqlite3.Connection, batch_id: BatchId, answer: str, at: datetime) -> None:
    """The receiver will not take it: it is not sent again, and stays for a person to look at."""
    _settle(connection, batch_id, BatchState.SET_ASIDE, answer, at)


def note_refusal(connection: sqlite3.Connection, batch_id: BatchId, answer: str) -> None:
    """Count one refusal; the batch waits on."""
    connection.execute("UPDATE batch SET attempts = attempts + 1, last_answer = ? WHERE id = ?", (answer, batch_id))


def refusals(store: Store, batch_id: BatchId) -> int:
    """How often the receiver refused this batch so far."""
    found = store.execute("SELECT attempts FROM batch WHERE id = ?", (batch_id,))
    return int(found[0]["attempts"]) if found else 0


def put_split(connection: sqlite3.Connection, parent: BatchId, parts: list[Batch], answer: str, at: datetime) -> None:
    """The parts wait instead of their parent, which keeps their ids and loses its body."""
    for part in parts:
        put(connection, part)
    # In the same transaction: if parent and parts both waited for a moment, a crash in it would deliver their entries
    # twice.
    _settle(connection, parent, BatchState.SPLIT, f"{answer}; parts: {' '.join(part.id for part in parts)}", at)
    _forget_body(connection, parent)


def replace(connection: sqlite3.Connection, old: BatchId, reason: str, at: datetime) -> None:
    """This batch may not leave any more: its body is overwritten. The caller scrubs the log after the commit."""
    _settle(connection, old, BatchState.REPLACED, reason, at)
    _forget_body(connection, old)


def enforce_limit(connection: sqlite3.Connection, limit_bytes: int, at: datetime) -> int:
    """Make room until all bodies fit in `limit_bytes`; returns how many undelivered batches were dropped.

    Bodies that were delivered already go first, then the oldest that were not, each counted as a loss.
    """
    found = connection.execute(
        """SELECT id, state, size_bytes FROM batch WHERE body IS NOT NULL
           ORDER BY state <> 'acknowledged', hour_s, revision, part, id"""
    ).fetchall()
    over = sum(row["size_bytes"] for row in found) - limit_bytes
    dropped = 0
    for row in found:
        if over <= 0:
            break
        over -= row["size_bytes"]
        # Only what nobody has yet is a loss.
        if row["state"] != BatchState.ACKNOWLEDGED:
            _settle(connection, row["id"], BatchState.DROPPED, "the outbox was full", at)
            dropped += 1
        _forget_body(connection, row["id"])
    count_loss(connection, LOSS_FULL, dropped, at)
    return dropped


def forget_settled(connection: sqlite3.Connection, up_to: int) -> int:
    """Remove bodies of settled batches of hours up to tick number `up_to` that nobody has to look at; how many."""
    return connection.execute(
        """UPDATE batch SET body = NULL
           WHERE body IS NOT NULL AND state NOT IN ('waiting', 'set-aside')
           AND hour_s IN (SELECT start_s FROM closed WHERE last_tick <= ?)""",
        (up_to,),
    ).rowcount


def forget_delivered(connection: sqlite3.Connection) -> int:
    """Remove the bodies of all batches that are settled, when the disk is full; returns how many."""
    return connection.execute(
        "UPDATE batch SET body = NULL WHERE body IS NOT NULL AND state NOT IN ('waiting', 'set-aside')"
    ).rowcount


def remove_settled(connection: sqlite3.Connection, up_to: int) -> int:
    """Remove the rows of batches of hours up to tick number `up_to` that neither wait nor are set aside."""
    return connection.execute(
        """DELETE FROM batch WHERE state NOT IN ('waiting', 'set-aside')
           AND hour_s IN (SELECT start_s FROM closed WHERE last_tick <= ?)""",
        (up_to,),
    ).rowcount


def _settle(connection: sqlite3.Connection, batch_id: str, state: BatchState, answer: str, at: datetime) -> None:
    connection.execute(
        # What is settled stays so: an answer that comes late to an earlier try has nothing more to say.
        """UPDATE batch SET state = ?, last_answer = ?, settled_ms = ?
           WHERE id = ? AND state IN ('waiting', 'set-aside')""",
        (state.value, answer, to_ms(at), batch_id),
    )


def _forget_body(connection: sqlite3.Connection, batch_id: str) -> None:
    connection.execute("UPDATE batch SET body = NULL WHERE id = ?", (batch_id,))


def _hour(row: sqlite3.Row) -> Hour:
    return Hour(datetime.fromtimestamp(row["hour_s"], UTC), row["length_s"])


def _row(row: sqlite3.Row) -> BatchRow:
    return BatchRow(
        BatchId(row["id"]),
        _hour(row),
        row["revision"],
        row["part"],
        BatchState(row["state"]),
        ConsentLevel(row["level"]),
        row["sha256"],
        row["size_bytes"],
        row["entries"],
        from_ms(row["sealed_ms"]),
        row["attempts"],
        row["last_answer"],
        None if row["settled_ms"] is None else from_ms(row["settled_ms"]),
    )
