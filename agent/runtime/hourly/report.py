"""What one hourly run did, for the command line and the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from agent.errors import AgentError
from agent.store.hours import ClosedHour


@dataclass(slots=True)
class Closed:
    """What closing did: which hours, how many batches were sealed."""

    hours: list[ClosedHour] = field(default_factory=list)
    batches: int = 0


@dataclass(slots=True)
class HourlyReport:
    """What one run did, for the command line and the log."""

    closed: Closed = field(default_factory=Closed)
    resealed: int = 0
    purged: int = 0
    pushed: int = 0
    waiting: int = 0
    bundle: Path | None = None
    problem: AgentError | None = None

    def exit_code(self) -> int:
        """What the command returns."""
        return 0 if self.problem is None else self.problem.exit_code
