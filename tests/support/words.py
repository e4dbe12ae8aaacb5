"""Text as it is read, however it is broken into lines."""

from __future__ import annotations


def flat(text: str) -> str:
    """The text with every blank and line end as one blank."""
    return " ".join(text.split())
