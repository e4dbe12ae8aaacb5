"""The only place that asks the machine for the time; everything else is told.

The wall clock gives labels, the monotonic clock waits and deadlines. Neither gives order: that is the store's number.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The wall clock, as an aware UTC instant. It may be wrong, and may be set at any moment."""
    return datetime.now(UTC)


def unix_s() -> float:
    """The wall clock in Unix seconds, for what the file system or a peer labels so."""
    return time.time()


def monotonic_s() -> float:
    """Seconds that only go forward, from an arbitrary start; for waits and deadlines within one process."""
    return time.monotonic()
