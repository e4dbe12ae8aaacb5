"""The words of `doctor`: one Check a stage, grouped by area, and how they are printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent import __version__
from agent.errors import AgentError, ConfigError
from agent.views.words import three_facts, with_command, wrapped


class Area(StrEnum):
    """What is examined, in the order in which it is printed."""

    ACCOUNT = "account"
    JMX = "jmx"
    DATABASE = "database"
    APPS = "apps"
    LOGS = "logs"
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
class DoctorView:
    """Every check of one run; `exit_code` is 0 when nothing failed, else 1."""

    taken_at: datetime
    version: str
    checks: tuple[Check, ...]
    exit_code: int

    @property
    def failed(self) -> tuple[Check, ...]:
        """The stages that failed."""
        return tuple(check for check in self.checks if check.state is State.FAILED)


def doctor_view(taken_at: datetime, checks: Iterable[Check]) -> DoctorView:
    """The checks of one run as a view."""
    found = tuple(checks)
    return DoctorView(taken_at, __version__, found, int(any(check.state is State.FAILED for check in found)))


def failed_by(area: Area, name: str, error: AgentError) -> Check:
    """The check that an error of ours makes."""
    mistakes = "; ".join(str(mistake) for mistake in error.mistakes) if isinstance(error, ConfigError) else ""
    return Check(area, name, State.FAILED, error.what, mistakes or error.why, error.do, getattr(error, "reason", ""))


def render_doctor(view: DoctorView) -> str:
    """The text of `doctor`: every stage on a line of its own, then what failed, why, and what to do."""
    lines = [f"Portfolio Agent {view.version}: doctor, {view.taken_at:%Y-%m-%d %H:%M:%S} UTC"]
    for area in Area:
        lines += _area_lines(area, [check for check in view.checks if check.area is area])
    if not view.failed:
        return "\n".join([*lines, "", "All is well."])
    lines += ["", f"{len(view.failed)} of {len(view.checks)} stages failed:"]
    for number, check in enumerate(view.failed, 1):
        what = f"{check.area} {check.name}: {check.text}"
        lines += three_facts(f"  {number}. ", what, check.why, check.do)
    return "\n".join(lines)


def _area_lines(area: Area, checks: Iterable[Check]) -> list[str]:
    lines = []
    for check in checks:
        mark = {State.OK: "ok", State.FAILED: "FAILED", State.SKIPPED: "-"}[check.state]
        lines += wrapped(f"  {mark:<8}{check.name:<14}", check.text)
        if check.state is State.OK and check.do:
            lines += with_command(" " * 24, check.do)
    return ["", str(area), *lines] if lines else []
