"""The only place that asks the machine for the time; everything else is told.

A `Moment` is what all clocks say at once: whatever labels, orders or ages something is handed one, from a `Clock`.
The wall clock gives labels, the monotonic clock waits and deadlines. Neither gives order: that is the store's number.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from agent.model import Moment

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """Something that tells the moment; the machine's, or a test's."""

    def now(self) -> Moment:
        """What the clocks say at once."""


class SystemClock:
    """The machine's own clocks."""

    def __init__(self) -> None:
        self._boot_id = boot_id()  # a process lives in one boot

    def now(self) -> Moment:
        """What the clocks say at once. CLOCK_BOOTTIME, since CLOCK_MONOTONIC stands still while a machine sleeps."""
        # All three at once: apart, a step of the clock in between would look like time that went by.
        return Moment(utc_now(), steady_s(), self._boot_id)


def utc_now() -> datetime:
    """The wall clock, as an aware UTC instant. It may be wrong, and may be set at any moment."""
    return datetime.now(UTC)


def unix_s() -> float:
    """The wall clock in Unix seconds, for what the file system or a peer labels so."""
    return time.time()


def monotonic_s() -> float:
    """Seconds that only go forward, from an arbitrary start; for waits and deadlines within one process."""
    # Not for what outlives the process: its start is arbitrary, and it stands still while the machine sleeps.
    return time.monotonic()


def steady_s() -> float:
    """Seconds since the boot, suspend included; comparable between the processes of one boot."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Which boot this is; "" where the kernel does not tell. The boot *time* moves with each step of the clock."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
