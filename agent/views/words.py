"""Wordings that several views share."""

from __future__ import annotations

import textwrap
from datetime import datetime

from agent.log import printable

WIDTH = 80  # columns of the terminal that everyone has


def ago(now: datetime, then: datetime) -> str:
    """How long ago, in the largest fitting unit."""
    return f"{span(max((now - then).total_seconds(), 0.0))} ago"


def span(seconds: float) -> str:
    """How long, in the largest fitting unit."""
    for length_s, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length_s:
            return f"{int(seconds // length_s)} {unit}"
    return f"{int(seconds)} s"


def wrapped(label: str, text: str, width: int = WIDTH) -> list[str]:
    """The text behind its label, further lines under its beginning; a word that is too long stays whole."""
    below = " " * len(label)
    lines = textwrap.wrap(
        printable(text),
        width,
        initial_indent=label,
        subsequent_indent=below,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [label.rstrip()]
