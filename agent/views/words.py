"""Wordings that several views share."""

from __future__ import annotations

from datetime import datetime


def ago(now: datetime, then: datetime) -> str:
    """How long ago, in the largest fitting unit."""
    seconds = max((now - then).total_seconds(), 0.0)
    for length_s, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length_s:
            return f"{int(seconds // length_s)} {unit} ago"
    return f"{int(seconds)} s ago"
