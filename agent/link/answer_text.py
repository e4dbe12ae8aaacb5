"""What a person may read of an untrusted answer, and the forms in which a key must appear nowhere."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import quote

from agent.net.answer import HttpAnswer
from agent.settings import Secret

SAID_LIMIT = 200  # characters of an answer that a message may quote


def said(answer: HttpAnswer, key: Secret) -> str:
    """The answer's text for a message: one line, at most 200 characters, control characters escaped.

    An answer that repeats the key in any usual form is withheld as a whole.
    """
    text = answer.body[: 64 * 1024].decode("utf-8", "replace")
    if any(form in text for form in forms_of(key)):
        return "(the answer repeats the key, so it is not shown)"
    line = " ".join(text.split())
    escaped = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in line)
    return escaped if len(escaped) <= SAID_LIMIT else escaped[: SAID_LIMIT - 1] + "…"


def forms_of(key: Secret) -> Iterator[str]:
    """The key as text, base64, hex and percent-encoded: what to look for where no key may be."""
    text = key.reveal()
    raw = text.encode("utf-8")
    yield text
    for shift in range(3):
        # In a longer base64 text the key starts at any of three positions; whole groups of it are always the same.
        coded = base64.b64encode(b"\0" * shift + raw).decode("ascii")
        window = coded[4 if shift else 0 : len(coded) - 4]
        yield window
        yield window.replace("+", "-").replace("/", "_")
    yield raw.hex()
    yield raw.hex().upper()
    yield quote(text, safe="")
