"""Small facts that outlive a process, by key: the meta table."""

from __future__ import annotations

import sqlite3

from agent.store.database import Store


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
