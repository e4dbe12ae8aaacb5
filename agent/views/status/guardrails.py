"""What `status` tells about guardrails: which near or pass their threshold, which queries run less often than ticks.

In:   the store, opened read-only. Out: rows of the view, and rows of text.
Neither is a problem of the agent: they do not change the exit code.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.store import Store
from agent.store.costs import load_costs
from agent.store.thresholds import ThresholdStatus, threshold_statuses
from agent.views.status.view import SlowQuery

OPTIMAL, EXCEEDING = "optimal", "exceeding"


def guardrails_against_thresholds(store: Store) -> tuple[ThresholdStatus, ...]:
    """Every guardrail with a published threshold, as of the newest closed hour that counted it; the worst first."""
    order = {EXCEEDING: 0, OPTIMAL: 2}
    return tuple(sorted(threshold_statuses(store), key=lambda item: (order.get(item.level, 1), item.metric)))


def slow_queries(store: Store, interval_s: float) -> tuple[SlowQuery, ...]:
    """The queries that may not run on each tick, because of what they cost; the rarest first."""
    slow = [cost for cost in load_costs(store) if not cost.absent and cost.every_s > interval_s]
    return tuple(
        SlowQuery(
            metric=cost.label,
            query=cost.query,
            every_s=cost.every_s,
            took_s=round(cost.took_s, 3),
            last_run=cost.began_at,
            ended=cost.timeouts > 0,
            estimated=cost.estimated,
        )
        for cost in sorted(slow, key=lambda cost: (-cost.every_s, cost.label))
    )


def guardrail_rows(guardrails: Iterable[ThresholdStatus], slow: Iterable[SlowQuery]) -> list[tuple[str, str]]:
    """The rows of text: only what an admin should know of, nothing while all is optimal and each tick counts all."""
    rows = []
    for item in guardrails:
        if item.level == OPTIMAL:
            continue
        warn = "" if item.warn is None else f"warning at {_number(item.warn)}, "
        about = "about " if item.method != "exact" else ""
        text = f"{item.metric} {item.level}: {about}{_number(item.value)}, {warn}limit {_number(item.limit)}"
        rows.append(("Guardrail", f"{text} ({item.hour:%Y-%m-%d %H:%M} UTC)"))
        rows.append(("", f"  source: {item.source}"))
    for query in slow:
        last = "was ended after" if query.ended else "took"
        text = f"{query.metric}: every {_span(query.every_s)}, last run {last} {_seconds(query.took_s)}"
        rows.append(("Slow count", text + ("; estimated where the database can" if query.estimated else "")))
    return rows


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _span(seconds: float) -> str:
    for length_s, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length_s or (seconds >= length_s and unit != "days"):
            return f"{seconds / length_s:.3g} {unit}"
    return f"{seconds:.0f} s"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
