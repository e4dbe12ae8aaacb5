"""What each guardrail query cost, across restarts: a restart must not run all the slow ones again.

In:   one `QueryCost` a query, as the guardrails source learnt it. Out: the same after the next start, and for `status`.
Kept as one value of the meta table: a few kilobytes, written when a decision changed or an hour has passed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from agent.store.database import Store, from_ms, to_ms
from agent.store.meta import meta, set_meta

KEY = "guardrails.costs"


@dataclass(frozen=True, slots=True)
class QueryCost:
    """The last run of one query and what was decided from it.

    `label` is the metric a person knows it by. `every_s` is how often it may run at most. `absent` is the reason when
    its table is missing or forbidden, `timeouts` counts runs in a row that were ended for taking too long. `lost`
    counts runs in a row whose readings came too late to be accepted: they cost, and gave nothing.
    """

    query: str
    label: str
    began_at: datetime
    took_s: float
    every_s: float
    absent: str = ""
    timeouts: int = 0
    estimated: bool = False
    lost: int = 0


def load_costs(store: Store) -> list[QueryCost]:
    """What was learnt before, by query; nothing when nothing was stored or it cannot be read."""
    try:
        rows = json.loads(meta(store, KEY) or "[]")
        return [
            QueryCost(
                query=str(row["query"]),
                label=str(row["label"]),
                began_at=from_ms(row["beganMs"]),
                took_s=float(row["tookS"]),
                every_s=float(row["everyS"]),
                absent=str(row["absent"]),
                timeouts=int(row["timeouts"]),
                estimated=bool(row["estimated"]),
                lost=int(row.get("lost", 0)),
            )
            for row in rows
        ]
    except (ValueError, TypeError, KeyError, OverflowError, OSError):
        return []  # learnt again from the next runs; a fault here must not keep the agent from starting


def save_costs(connection: sqlite3.Connection, costs: Iterable[QueryCost]) -> None:
    """Replace what is stored; part of the caller's transaction."""
    rows = [
        {
            "query": cost.query,
            "label": cost.label,
            "beganMs": to_ms(cost.began_at),
            "tookS": round(cost.took_s, 4),
            "everyS": cost.every_s,
            "absent": cost.absent,
            "timeouts": cost.timeouts,
            "estimated": cost.estimated,
            "lost": cost.lost,
        }
        for cost in costs
    ]
    set_meta(connection, KEY, json.dumps(rows, separators=(",", ":")))
