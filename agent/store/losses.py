"""What was lost without being meant to, each reason with its count: nothing is lost silently."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from agent.store.database import Store, from_ms, to_ms


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that was lost without being meant to: why, how often, since when."""

    reason: str
    count: int
    first_at: datetime
    last_at: datetime


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
