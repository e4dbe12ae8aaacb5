"""What left, byte by byte accountable: one row for each request or bundle that carried data.

A row is written before its request, and before a bundle gets its name, so that a crash in between still leaves a trace:
until the answer is known it reads `NO_ANSWER`, until the name is given `NOT_NAMED`. A request that failed before its
first byte left has no row.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from agent.model import Batch, BatchId, ConsentLevel
from agent.store.database import Store, from_ms, to_ms

NO_ANSWER = "sent, no answer seen"
NOT_NAMED = "in a bundle that may not have got its name"


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One request or bundle that carried one batch."""

    number: int
    at: datetime
    batch_id: BatchId
    way: str
    destination: str
    size_bytes: int
    sha256: str
    level: ConsentLevel
    answer: str


@dataclass(frozen=True, slots=True)
class Carried:
    """What the ledger keeps of a batch: which bytes, under which consent."""

    id: BatchId
    size_bytes: int
    sha256: str
    level: ConsentLevel

    @classmethod
    def of(cls, batch: Batch) -> Carried:
        """The facts of this batch, without its body."""
        return cls(batch.id, len(batch.body), batch.sha256, batch.consent.level)


def record(
    connection: sqlite3.Connection, item: Carried, *, way: str, destination: str, at: datetime, answer: str = NO_ANSWER
) -> int:
    """Write one row and return its number; `way` is `push` or `bundle`, `destination` a host or a file name."""
    cursor = connection.execute(
        """INSERT INTO ledger (at_ms, batch_id, way, destination, size_bytes, sha256, level, answer)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        (to_ms(at), item.id, way, destination, item.size_bytes, item.sha256, item.level.value, answer),
    )
    return int(cursor.lastrowid or 0)


def complete(connection: sqlite3.Connection, number: int, answer: str) -> None:
    """Add the answer to a row that has none yet; a row that has one never changes."""
    # Only while there is none: a row that could be changed afterwards would prove nothing.
    connection.execute(
        "UPDATE ledger SET answer = ? WHERE number = ? AND answer IN (?, ?)", (answer, number, NO_ANSWER, NOT_NAMED)
    )


def withdraw(connection: sqlite3.Connection, number: int) -> None:
    """Remove the row of a request that failed before any of it left, or of a bundle that was not written."""
    # The one way out for a row: nothing left, so nothing is to be accounted for.
    connection.execute("DELETE FROM ledger WHERE number = ? AND answer IN (?, ?)", (number, NO_ANSWER, NOT_NAMED))


def not_named(store: Store) -> list[tuple[int, str]]:
    """Number and file name of each row of a bundle that a crash left open."""
    found = store.execute("SELECT number, destination FROM ledger WHERE answer = ? ORDER BY number", (NOT_NAMED,))
    return [(row["number"], row["destination"]) for row in found]


def rows(store: Store, *, limit: int = 1000) -> list[LedgerRow]:
    """The newest `limit` rows, oldest first."""
    found = store.execute("SELECT * FROM ledger ORDER BY number DESC LIMIT ?", (limit,))
    return [
        LedgerRow(
            row["number"],
            from_ms(row["at_ms"]),
            BatchId(row["batch_id"]),
            row["way"],
            row["destination"],
            row["size_bytes"],
            row["sha256"],
            ConsentLevel(row["level"]),
            row["answer"],
        )
        for row in reversed(found)
    ]
