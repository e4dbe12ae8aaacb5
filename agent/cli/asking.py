"""How `link`, `unlink` and `consent` ask a person: the level, agreement, and only then the key."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from agent.errors import UsageError
from agent.model import ConsentLevel

if TYPE_CHECKING:
    from agent.settings import Secret

LEVELS = (ConsentLevel.BASIC, ConsentLevel.EXTENDED)


def at_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty()


def parse_level(text: str, allowed: tuple[ConsentLevel, ...] = LEVELS) -> ConsentLevel:
    """The consent level of an option; the text is not repeated, as it may be a misplaced key."""
    for level in allowed:
        if text.strip().lower() == level.value:
            return level
    raise UsageError(
        "That is not a consent level.",
        why=f"There are: {', '.join(level.value for level in allowed)}.",
        do="See what each one lets out: portfolio-agent catalog show --consent basic",
    )


def agree(question: str, *, yes: bool) -> None:
    """Ask at a terminal unless `--yes` was given; raises UsageError for anything but yes, and for nobody to ask."""
    if yes:
        return
    if not at_terminal():
        raise UsageError(
            "Without a terminal nobody can be asked, so nothing was changed.",
            why=f"The question is: {question}",
            do="Say that you agree: the same command with --yes",
        )
    if not typer.confirm(question, default=False, err=True):
        raise UsageError("Nothing was changed.", why="The answer was not yes.", do="Run it again to agree.")


def agree_to_level(screen: str, level: ConsentLevel | None, *, yes: bool) -> ConsentLevel:
    """Show what leaves and ask for the level and agreement, as far as options have not said them.

    Raises UsageError without a terminal and a level: consent is never assumed.
    """
    if level is None and not at_terminal():
        raise UsageError(
            "Without a terminal nobody can be asked what may leave.",
            why="Linking needs consent, and it is never assumed.",
            do="Say it: portfolio-agent link --consent basic < FILE",
        )
    typer.echo(screen + "\n", err=True)
    chosen = level
    if chosen is None:
        chosen = parse_level(typer.prompt("Consent to which level (basic or extended)?", err=True))
    agree(f"Agree that {chosen.value} data leaves as said above?", yes=yes)
    return chosen


def read_key() -> Secret:
    """The pasted key: by hidden prompt at a terminal, else from standard input."""
    from getpass import getpass

    from agent.link.paste import describe, read_prompt, read_stream

    key = read_prompt(getpass) if at_terminal() else read_stream(sys.stdin.buffer)
    typer.echo(f"Key read: {describe(key)}.", err=True)
    return key
