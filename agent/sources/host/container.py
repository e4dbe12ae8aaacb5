"""What a container may use, when the agent stands in one: the limits that its control group shows at its own root.

In:   /sys/fs/cgroup, version 2 or 1. Out: processors and bytes; nothing where there is no limit. On a host of its own
      the root has no limits, and those of the agent's own service unit are not looked at: they say nothing of the
      product.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
CPU, MEMORY, USED = "host.container.cpu.limit", "host.container.memory.limit", "host.container.memory.used"
UNLIMITED = 1 << 60  # version 1 shows "no limit" as the largest number of pages, in bytes


def limits(root: Path = ROOT) -> dict[str, int | float]:
    """The limits that there are, by metric."""
    found: dict[str, int | float] = {}
    if (root / "cgroup.controllers").exists():
        quota, _, period = _text(root / "cpu.max").partition(" ")
        memory, used = _text(root / "memory.max"), _text(root / "memory.current")
    else:
        quota, period = _text(root / "cpu/cpu.cfs_quota_us"), _text(root / "cpu/cpu.cfs_period_us")
        memory, used = (_text(root / "memory" / f"memory.{name}_in_bytes") for name in ("limit", "usage"))
    if quota.isdecimal() and period.isdecimal() and int(period):
        found[CPU] = int(quota) / int(period)
    if memory.isdecimal() and int(memory) < UNLIMITED:
        found[MEMORY] = int(memory)
        if used.isdecimal():
            found[USED] = int(used)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
