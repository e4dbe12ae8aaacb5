"""The state of each source as of its last tick, for `status`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from agent.model import Outcome
from agent.store.database import Store, from_ms


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
