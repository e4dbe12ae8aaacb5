"""Where each guardrail stands against its threshold, as of the hour it was last counted in.

In:   the threshold statuses of one closed hour. Out: for `status`, the newest of each metric; one that was not counted
for three days is forgotten. One value of the meta table, so that `status` need not read the catalog.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.store.database import Store, from_ms, to_ms
from agent.store.meta import meta, set_meta

# Older agents wrote it under this word.
KEY = "guardrails.levels"
FORGOTTEN_AFTER = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class ThresholdStatus:
    """One figure against its published numbers; `level` is a word of `ThresholdState`, `hour` its hour's start."""

    metric: str
    level: str
    value: float
    warn: float | None
    limit: float
    source: str
    hour: datetime
    method: str = "exact"


def threshold_statuses(store: Store) -> list[ThresholdStatus]:
    """What is known, by metric; nothing when it cannot be read, the next closed hour brings it again."""
    try:
        rows = json.loads(meta(store, KEY) or "[]")
        return [
            ThresholdStatus(
                metric=str(row["metric"]),
                level=str(row["level"]),
                value=row["value"],
                warn=row["warn"],
                limit=row["limit"],
                source=str(row["source"]),
                hour=from_ms(row["hourMs"]),
                method=str(row["method"]),
            )
            for row in rows
        ]
    except (ValueError, TypeError, KeyError, OverflowError, OSError):
        return []


def put_threshold_statuses(store: Store, connection: sqlite3.Connection, found: Iterable[ThresholdStatus]) -> None:
    """Add those of the hour just closed to what is known; part of the caller's transaction.

    The hour closed last wins, whatever its label: hours are closed in the store's order.
    """
    fresh = {item.metric: item for item in found}
    known = {item.metric: item for item in threshold_statuses(store)} | fresh
    hours = [item.hour for item in (fresh or known).values()]
    newest = max(hours, default=None)
    rows = [
        {
            "metric": item.metric,
            "level": item.level,
            "value": item.value,
            "warn": item.warn,
            "limit": item.limit,
            "source": item.source,
            "hourMs": to_ms(item.hour),
            "method": item.method,
        }
        for _, item in sorted(known.items())
        if newest is not None and abs(newest - item.hour) < FORGOTTEN_AFTER
    ]
    set_meta(connection, KEY, json.dumps(rows, separators=(",", ":")))
