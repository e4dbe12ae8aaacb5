"""Keeps between hours what each watched list held, so that a restart of the agent loses no event and invents none.

In and out: a `Snapshot`, one row for each closed hour, written in the transaction that
closes it. A row that cannot be understood counts as no snapshot: the next reading then gives no event.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from agent.model import Hour
from agent.store import Store
from agent.store.database import from_ms, to_ms


class Key(NamedTuple):
    """What tells one item of a list from the others: its name, or its pseudonym, and which of the two."""

    text: str
    hashed: bool = False


NO_KEY = Key("")
Items = Mapping[Key, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ListState:
    """What one list held when it was last read completely: for each key the facts that may change."""

    at: datetime
    items: Items


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every list as last read, and the number of the last audit row that became an event (None: none looked at)."""

    lists: Mapping[str, ListState] = field(default_factory=dict)
    audit: int | None = None


def snapshot_before(store: Store, first_tick: int) -> Snapshot:
    """What was known before tick number `first_tick`: the snapshot of the hour before it in the store's order."""
    rows = store.execute(
        "SELECT body FROM snapshot WHERE last_tick < ? ORDER BY last_tick DESC, hour_s DESC LIMIT 1", (first_tick,)
    )
    return _parsed(rows[0]["body"]) if rows else Snapshot()


def snapshots(store: Store, length_s: int) -> Iterator[tuple[Hour, Snapshot]]:
    """Every snapshot with its hour."""
    for row in store.execute("SELECT hour_s, body FROM snapshot ORDER BY hour_s"):
        yield Hour(datetime.fromtimestamp(row["hour_s"], UTC), length_s), _parsed(row["body"])


def _parsed(body: bytes) -> Snapshot:
    try:
        document = json.loads(zlib.decompress(body))
        lists = {
            name: ListState(from_ms(at_ms), {_key(key): tuple(facts) for key, facts in _pairs(items)})
            for name, (at_ms, items) in document["seen"].items()
        }
        return Snapshot(lists, document["audit"])
    # No events for one hour, rather than an hour that can never be closed.
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error):
        return Snapshot()


def _pairs(items: Any) -> Iterable[tuple[Any, Any]]:
    """Key and facts of each item; an agent before schema 3 wrote them as an object, with names as read."""
    return items.items() if isinstance(items, dict) else items


def _key(key: Any) -> Key:
    if isinstance(key, str):
        return Key(key)
    text, hashed = key
    return Key(str(text), bool(hashed))


def put_snapshot(connection: sqlite3.Connection, hour: Hour, snapshot: Snapshot, last_tick: int) -> None:
    """Store what is known at the end of `hour`, whose last tick has this number, in place of an earlier revision.

    Part of the caller's transaction.
    """
    connection.execute(
        "INSERT OR REPLACE INTO snapshot (hour_s, body, last_tick) VALUES (?, ?, ?)",
        (int(hour.start.timestamp()), _packed(snapshot), last_tick),
    )


def replace_snapshot(connection: sqlite3.Connection, hour: Hour, snapshot: Snapshot) -> None:
    """Put `snapshot` in the place of the hour's; part of the caller's transaction."""
    connection.execute(
        "UPDATE snapshot SET body = ? WHERE hour_s = ?", (_packed(snapshot), int(hour.start.timestamp()))
    )


def _packed(snapshot: Snapshot) -> bytes:
    lists = {name: [to_ms(one.at), list(one.items.items())] for name, one in snapshot.lists.items()}
    # "seen" is the word of the first schema with snapshots: another one would take every list for unread after an
    # upgrade.
    return zlib.compress(json.dumps({"seen": lists, "audit": snapshot.audit}, separators=(",", ":")).encode(), 6)


def remove_snapshots(connection: sqlite3.Connection, up_to: int) -> None:
    """Delete those of hours up to tick number `up_to` that no open hour can be compared with; the newest stays."""
    connection.execute(
        "DELETE FROM snapshot WHERE last_tick < (SELECT max(last_tick) FROM snapshot WHERE last_tick <= ?)", (up_to,)
    )
