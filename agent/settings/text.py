"""Text from outside, made fit for a terminal or a log: one line, no control or direction characters, cut."""

from __future__ import annotations


def shown(text: str, limit: int = 80) -> str:
    """`text` with everything unprintable escaped and the rest cut to `limit` characters."""
    clean = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text[: limit + 1]
    )
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
