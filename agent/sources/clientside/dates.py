"""A date as Java's SimpleDateFormat writes it, as an expression: of a log file's name, or of a time in a line.

In:   a format such as `.dd-MMM-yyyy` or `_yyyyMMdd'T'HH`.
Out:  an expression that fits each date in that format, in any language; ValueError for a letter that Java refuses.
"""

from __future__ import annotations

import re

# Letters that are written as numbers; a month is one below three letters.
NUMBERS = "yYdDwWFuHkKhmsS"
# Names of months, days, eras and halves of a day: letters of any language, with the dots and marks some put in.
NAMES = "EGa"
NAME = r"(?:[^\s\d/_:\[\]\"|,\\]|\\u[0-9a-f]{4}){1,24}"
OFFSETS = {"Z": r"[+-]\d{4}", "X": r"(?:Z|[+-]\d\d(?::?\d\d)?)", "z": r"[A-Za-z][A-Za-z +:\d-]{0,60}?"}


def expression_of(date_format: str) -> str:
    """The expression for `date_format`; raises ValueError for what Java does not know either."""
    parts: list[str] = []
    position = 0
    while position < len(date_format):
        letter = date_format[position]
        if letter == "'":
            literal, position = _quoted(date_format, position)
            parts.append(re.escape(literal))
            continue
        if not (letter.isascii() and letter.isalpha()):
            parts.append(re.escape(letter))
            position += 1
            continue
        count = len(date_format) - position - len(date_format[position:].lstrip(letter))
        parts.append(_field(letter, count))
        position += count
    return "".join(parts)


def _field(letter: str, count: int) -> str:
    if letter in "ML":
        return NAME if count > 2 else rf"\d{{{count},2}}"
    if letter in NUMBERS:
        # As many digits as letters at least, but a year of two letters has two digits, of any other number all.
        return r"\d\d" if letter in "yY" and count == 2 else rf"\d{{{count},{max(count, 4)}}}"
    if letter in NAMES:
        return NAME
    if letter in OFFSETS:
        return OFFSETS[letter]
    raise ValueError(f"'{letter}' is no letter of a date format")


def _quoted(date_format: str, position: int) -> tuple[str, int]:
    """The text in quotes that begins at `position`, and where it ends; two quotes are one."""
    if date_format.startswith("''", position):
        return "'", position + 2
    text = []
    position += 1
    while position < len(date_format):
        if date_format.startswith("''", position):
            text.append("'")
            position += 2
        elif date_format[position] == "'":
            return "".join(text), position + 1
        else:
            text.append(date_format[position])
            position += 1
    raise ValueError("a quote is not closed")
