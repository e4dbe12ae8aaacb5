"""`deliver`: what one run did, and what kept it from doing all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.runtime.hourly.report import HourlyReport
from agent.views.error import ConfigErrorFacts, ErrorFacts, error_text, facts_of


@dataclass(frozen=True, slots=True)
class DeliverView:
    """Hours closed, batches sealed, pushed and still waiting; `bundle` is the file of an offline run that was due."""

    hours_closed: int
    batches_sealed: int
    batches_resealed: int
    batches_purged: int
    batches_acknowledged: int
    batches_waiting: int
    bundle: Path | None
    problem: ErrorFacts | ConfigErrorFacts | None


def deliver_view(report: HourlyReport) -> DeliverView:
    """What there is to tell of a run."""
    return DeliverView(
        hours_closed=len(report.closed.hours),
        batches_sealed=report.closed.batches,
        batches_resealed=report.resealed,
        batches_purged=report.purged,
        batches_acknowledged=report.pushed,
        batches_waiting=report.waiting,
        bundle=report.bundle,
        problem=None if report.problem is None else facts_of(report.problem),
    )


def render_deliver(view: DeliverView) -> str:
    """The text of `deliver`."""
    lines = [
        f"hours closed:         {view.hours_closed}",
        f"batches sealed:       {view.batches_sealed}",
        f"batches acknowledged: {view.batches_acknowledged}",
        f"batches waiting:      {view.batches_waiting}",
    ]
    if view.batches_resealed or view.batches_purged:
        lines.append(f"consent lowered:      {view.batches_resealed} sealed again, {view.batches_purged} purged")
    if view.bundle is not None:
        lines.append(f"bundle:               {view.bundle}")
    if view.problem is not None:
        lines.append(error_text(view.problem))
    return "\n".join(lines)
