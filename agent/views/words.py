"""Wordings that several views share."""

from __future__ import annotations

import re
import textwrap
from datetime import datetime

from agent.log import printable

WIDTH = 80  # columns of the terminal that everyone has
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


def three_facts(head: str, what: str, why: str, do: str, width: int = WIDTH) -> list[str]:
    """What happened, why, and what to do, in lines of `width` below `head`; what is empty is left out."""
    below = " " * len(head)
    lines = wrapped(head, what, width)
    lines += wrapped(f"{below}Why: ", why, width) if why else []
    return lines + (with_command(f"{below}Do:  ", do, width) if do else [])


def with_command(label: str, text: str, width: int = WIDTH) -> list[str]:
    """The text behind its label; a command at its end that does not fit has a line of its own, whole, to be copied."""
    told = printable(text)
    words, colon, command = told.partition(": ")
    if len(label) + len(told) <= width or not colon or not _COMMAND.match(command):
        return wrapped(label, told, width)
    return [*wrapped(label, f"{words}:", width), f"{' ' * len(label)}{command}"]


# How the commands that messages print begin.
_COMMAND = re.compile(
    r"(?:portfolio-agent|setfacl|systemctl|journalctl|ch(?:own|mod)|install|ls|namei|findmnt|rm|sudo|mv) "
)
