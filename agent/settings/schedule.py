"""When an hour may be closed: what the daemon, the hourly run and `status` must agree on.

In a cluster an hour waits for one tick more: only a tick after the hour's end can confirm that this node held the
cluster's lock at that end (the rule stands in `agent.store.cluster`).
"""

from __future__ import annotations

from agent.settings.schema import Settings


def closes_after_s(settings: Settings, *, clustered: bool) -> float:
    """How many seconds after its end an hour is closed at the earliest."""
    one_tick_s = settings.sampling.interval_s + settings.sampling.deadline_s
    return settings.hour.close_after_s + (one_tick_s if clustered else 0.0)
