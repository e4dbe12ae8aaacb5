"""Reads a pasted security key: hidden prompt on a terminal, else standard input. Never argv, never the environment.

In:  what a person pasted, which is anything. Out: a `Secret` of the one shape `[A-Za-z0-9._~+/=-]{20,4096}`.
The shape is checked before any library sees the text: several put what they were given into their exceptions.
No message repeats the text.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from typing import BinaryIO

from agent.errors import UsageError
from agent.settings import Secret

SHAPE = re.compile(r"[A-Za-z0-9._~+/=-]{20,4096}")
SHORTEST, LONGEST = 20, 4096
STDIN_CAP = 8 * 1024
TERMINAL_LINE = 4095  # the kernel's line editor keeps no more of one line and says nothing about the rest
ROTATE = "make a new one in the cloud, since others may have read this one, and paste it into: portfolio-agent link."
FROM_FILE = "Give it on standard input from a file only you can read: portfolio-agent link --consent basic < FILE"


def check_shape(text: str) -> Secret:
    """The pasted text as a Secret; blanks and line ends around it are dropped.

    Raises UsageError that says what is wrong with it in words, without repeating any of it.
    """
    key = text.strip()
    if SHAPE.fullmatch(key):
        return Secret(key)
    raise UsageError(
        "This is not a security key; nothing was stored or sent.",
        why=_fault(key),
        do="Copy the key again from the cloud console, all of it and nothing else, and run: portfolio-agent link",
    )


def read_prompt(ask: Callable[[str], str]) -> Secret:
    """The key from a prompt that does not echo (`getpass.getpass`)."""
    import getpass

    with warnings.catch_warnings():
        # getpass falls back to an echoing prompt with a mere warning.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            text = ask("Security key (hidden while you paste, then Enter): ")
        except getpass.GetPassWarning:
            raise UsageError(
                "The terminal cannot hide what is typed.",
                why="The key would stay on the screen and in its scrollback.",
                do=FROM_FILE,
            ) from None
        except EOFError:
            text = ""
    if len(text) >= TERMINAL_LINE:
        raise UsageError(
            f"The paste is longer than a terminal line holds ({TERMINAL_LINE} characters).",
            why="The rest was cut off by the terminal.",
            do=FROM_FILE,
        )
    return check_shape(text)


def read_stream(stream: BinaryIO) -> Secret:
    """The key from standard input: one line, at most 8 KiB."""
    content = stream.read(STDIN_CAP + 1)
    if len(content) > STDIN_CAP:
        raise UsageError(
            f"More than {STDIN_CAP:,} bytes came on standard input; nothing was stored or sent.",
            why=f"A security key has at most {LONGEST:,} characters.",
            do="Give the key alone, as one line.",
        )
    # latin-1 never fails; other bytes than a key's are then refused by shape, without a decoder's message.
    return check_shape(content.decode("latin-1"))


def describe(key: Secret) -> str:
    """What may be shown of a key: its length and last four characters."""
    return f"{len(key)} characters, ending in …{key.reveal()[-4:]}"


def refuse_arguments(arguments: Sequence[str]) -> None:
    """Raise UsageError for any argument `link` does not know, as it may be the key; never repeats it."""
    if not arguments:
        return
    raise UsageError(
        "`link` takes no key and no other argument on the command line.",
        why="Command lines are readable by every local user and are kept in the shell's history.",
        do=f"If it was a security key: {ROTATE} If it was a misspelt option, see: portfolio-agent link --help",
    )


def _fault(key: str) -> str:
    if not key:
        return "Nothing was pasted."
    if "\n" in key or "\r" in key:
        return "It has line breaks inside; a key is one line."
    if "\x1b" in key or any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in key):
        return "It holds control characters, as when a terminal pastes with markers or an arrow key was pressed."
    if "://" in key:
        return "It looks like a web address."
    if key.startswith(("{", "[")):
        return "It looks like JSON; only the key itself is wanted."
    if key.lower().startswith("bearer "):
        return "It starts with 'Bearer'; only what follows is the key."
    if "@" in key:
        return "It looks like an e-mail address or a login."
    if " " in key or "\t" in key:
        return "It has blanks inside; a key has none."
    if any(ord(char) > 126 for char in key):
        return "It holds letters a key cannot have, as a word processor's dashes or quotes."
    if key[0] in "\"'`" or key[-1] in "\"'`":
        return "It stands in quotes; only what is between them is the key."
    if len(key) < SHORTEST:
        return f"It is too short: {len(key)} characters, a key has at least {SHORTEST}."
    if len(key) > LONGEST:
        return f"It is too long: {len(key):,} characters, a key has at most {LONGEST:,}."
    return "It holds characters a key cannot have (allowed are letters, digits and . _ ~ + / = -)."
