"""What benches share: CPU time and memory of processes, medians, and the table of figures beside their targets."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from operator import ge, le
from os import cpu_count


def cpu_s(pid: int) -> float:
    """Returns user and system seconds that a process of ours has used, all its threads, ended ones too.

    The clock of clock_getcpuclockid(3): the sum of utime and stime of /proc/PID/stat, in nanoseconds instead of ticks.
    """
    return time.clock_gettime((~pid << 3) | 2)


def status_kib(key: str, pid: int | None = None) -> int:
    """Returns a figure of /proc/PID/status in KiB, such as VmRSS."""
    with open(f"/proc/{pid or 'self'}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


@dataclass(frozen=True)
class Cost:
    """What one sample cost: wall time, CPU on the reader's side, CPU in the JVM that is read; in seconds."""

    wall_s: float
    cpu_s: float
    target_cpu_s: float


def median_cost(costs: Sequence[Cost]) -> Cost:
    """The medians of each figure alone."""
    return Cost(
        statistics.median(cost.wall_s for cost in costs),
        statistics.median(cost.cpu_s for cost in costs),
        statistics.median(cost.target_cpu_s for cost in costs),
    )


def cost_of(work: Callable[[], object], own_cpu_s: Callable[[], float], target_pid: int) -> Cost:
    """Runs `work` once and returns what it cost; `own_cpu_s` is the reader's CPU clock."""
    target_before, own_before, began = cpu_s(target_pid), own_cpu_s(), time.perf_counter()
    work()
    ended, own_after, target_after = time.perf_counter(), own_cpu_s(), cpu_s(target_pid)
    return Cost(ended - began, own_after - own_before, target_after - target_before)


@dataclass(frozen=True)
class Figure:
    """One row: what was measured, its value, and the target it has to reach (None: shown only)."""

    name: str
    value: float | None
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return f"<= {self.at_most:g}" if self.at_most is not None else ""

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        for limit, reached in ((self.at_least, ge), (self.at_most, le)):
            if limit is not None:
                return "pass" if reached(self.value, limit) else "SHORT"
        return ""


def show(bench: str, figures: Iterable[Figure], *, as_json: bool, about: str = "") -> int:
    """Prints the figures and returns the exit code: 0, or 1 when one is short of its target or was not measured."""
    rows = list(figures)
    short = any(row.target and row.verdict != "pass" for row in rows)
    if as_json:
        listed = [{**asdict(row), "target": row.target, "verdict": row.verdict} for row in rows]
        host = {"cpus": cpu_count(), "python": platform.python_version(), "machine": platform.machine()}
        print(json.dumps({"bench": bench, "about": about, "host": host, "figures": listed}, indent=2))
        return int(short)
    table = [("figure", "measured", "unit", "target", "", "note")]
    for row in rows:
        value = "-" if row.value is None else f"{row.value:.3g}" if abs(row.value) < 100 else f"{row.value:,.0f}"
        table.append((row.name, value, row.unit, row.target, row.verdict, row.note))
    widths = [max(len(line[column]) for line in table) for column in range(6)]
    print(about)
    for line in table:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    return int(short)
