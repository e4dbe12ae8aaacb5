"""Wordings that several views share."""

from __future__ import annotations

from datetime import datetime

DO = " Do: "  # in the detail of a failure: what a person can do about it comes behind


def ago(now: datetime, then: datetime) -> str:
    """How long ago, in the largest fitting unit."""
    return f"{span(max((now - then).total_seconds(), 0.0))} ago"


def span(seconds: float) -> str:
    """How long, in the largest fitting unit."""
    for length_s, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length_s:
            return f"{int(seconds // length_s)} {unit}"
    return f"{int(seconds)} s"
