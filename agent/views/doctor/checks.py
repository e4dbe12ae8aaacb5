"""The words of `doctor`: one Check a stage, grouped by area, and how a report is printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from agent import __version__
from agent.errors import AgentError, ConfigError
from agent.log import printable


class Area(StrEnum):
    """What is examined, in the order in which it is printed."""

    JMX = "jmx"
    DATABASE = "database"
    APPS = "apps"
    HOST = "host"
    STORE = "store"
    LINK = "link"
    CLOUD = "cloud"


class State(StrEnum):
    """skipped: not wanted by the configuration, or behind a stage that failed."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One stage: `text` is what was seen, `why` the cause of a failure, `do` what mends it, `code` a stable word."""

    area: Area
    name: str
    state: State
    text: str = ""
    why: str = ""
    do: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Every check of one run."""

    taken_at: datetime
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """The stages that failed."""
        return tuple(check for check in self.checks if check.state is State.FAILED)

    @property
    def exit_code(self) -> int:
        """0 when nothing failed, else 1."""
        return 1 if self.failed else 0

    def to_json(self) -> dict[str, Any]:
        """The same facts for scripts."""
        return {
            "takenAt": self.taken_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "version": __version__,
            "checks": [
                {name: str(getattr(check, name)) for name in Check.__slots__ if getattr(check, name)}
                for check in self.checks
            ],
            "exitCode": self.exit_code,
        }


def failed_by(area: Area, name: str, error: AgentError) -> Check:
    """The check that an error of ours makes."""
    mistakes = "; ".join(str(mistake) for mistake in error.mistakes) if isinstance(error, ConfigError) else ""
    return Check(area, name, State.FAILED, error.what, mistakes or error.why, error.do, getattr(error, "reason", ""))


def render_report(report: Report) -> str:
    """The text of `doctor`: every stage on a line of its own, then what failed, why, and what to do."""
    lines = [f"Portfolio Agent {__version__}: doctor, {report.taken_at:%Y-%m-%d %H:%M:%S} UTC"]
    for area in Area:
        lines += _area_lines(area, [check for check in report.checks if check.area is area])
    if not report.failed:
        return "\n".join([*lines, "", "All is well."])
    lines += ["", f"{len(report.failed)} of {len(report.checks)} stages failed:"]
    for number, check in enumerate(report.failed, 1):
        lines.append(f"  {number}. {check.area} {check.name}: {printable(check.text)}")
        lines += [f"     Why: {printable(check.why)}"] if check.why else []
        lines += [f"     Do:  {printable(check.do)}"] if check.do else []
    return "\n".join(lines)


def _area_lines(area: Area, checks: Iterable[Check]) -> list[str]:
    lines = []
    for check in checks:
        mark = {State.OK: "ok", State.FAILED: "FAILED", State.SKIPPED: "-"}[check.state]
        lines.append(f"  {mark:<8}{check.name:<14}{printable(check.text)}".rstrip())
        if check.state is State.OK and check.do:
            lines.append(f"{'':<10}{'':<14}{printable(check.do)}")
    return ["", str(area), *lines] if lines else []
