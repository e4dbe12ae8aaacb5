"""Small facts that outlive a process: the meta table, the state of each source, losses with their count."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from agent.model import Outcome
from agent.store.database import Store, from_ms, to_ms


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source as of its last tick; `failures` are (metric, reason, detail)."""

    source: str
    outcome: Outcome
    since: datetime
    seen_at: datetime
    ok_at: datetime | None
    samples: int
    took_s: float
    failures: tuple[tuple[str, str, str], ...]
    why: str
    do: str


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that was lost without being meant to: why, how often, since when."""

    reason: str
    count: int
    first_at: datetime
    last_at: datetime


def meta(store: Store, key: str) -> str | None:
    """One stored fact, or None."""
    rows = store.execute("SELECT value FROM meta WHERE key = ?", (key,))
    return str(rows[0]["value"]) if rows else None


def set_meta(connection: sqlite3.Connection, key: str, value: str | None) -> None:
    """Store or, for None, remove one fact; part of the caller's transaction."""
    if value is None:
        connection.execute("DELETE FROM meta WHERE key = ?", (key,))
    else:
        connection.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, value),
        )


def source_states(store: Store) -> list[SourceState]:
    """Every source that ever took part in a tick, by name."""
    return [
        SourceState(
            row["source"],
            Outcome(row["outcome"]),
            from_ms(row["since_ms"]),
            from_ms(row["seen_ms"]),
            None if row["ok_ms"] is None else from_ms(row["ok_ms"]),
            row["samples"],
            row["took_s"],
            tuple((metric, reason, detail) for metric, reason, detail in json.loads(row["failures"])),
            row["why"],
            row["do"],
        )
        for row in store.execute("SELECT * FROM source_state ORDER BY source")
    ]


def count_loss(connection: sqlite3.Connection, reason: str, count: int, at: datetime) -> None:
    """Add to a loss; part of the caller's transaction. Nothing is lost silently: `status` lists these."""
    if count > 0:
        connection.execute(
            """INSERT INTO loss (reason, count, first_ms, last_ms) VALUES (?, ?, ?, ?)
               ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count, last_ms = excluded.last_ms""",
            (reason, count, to_ms(at), to_ms(at)),
        )


def losses(store: Store) -> list[Loss]:
    """All unmeant losses, by reason."""
    return [
        Loss(row["reason"], row["count"], from_ms(row["first_ms"]), from_ms(row["last_ms"]))
        for row in store.execute("SELECT * FROM loss ORDER BY reason")
    ]
