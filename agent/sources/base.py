"""What every source is: something that is read once a tick and tells what it did not get."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import urlsplit

from agent.errors import SourceError
from agent.model import Failure
from agent.reasons import DEADLINE

TEXT_LIMIT = 200  # characters of a text value or tag; longer ones are cut, nothing the catalog names is that long
HOST = re.compile(r"[A-Za-z0-9._:\-]{1,253}", re.ASCII)
PATH = re.compile(r"[A-Za-z0-9._~/\-]*", re.ASCII)
# What `shapes.toml` lets through as a version; a test holds them together.
VERSION_TEXT = re.compile(r"\d[0-9A-Za-z.+_~:-]{0,79}", re.ASCII)
VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){0,5}", re.ASCII)


NO_TEXT = "the database has bytes there that are no text in UTF-8"


class Quoted(str):
    """A text that was read from outside."""

    __slots__ = ()


def clean_text(text: str, limit: int = TEXT_LIMIT) -> str:
    """`text` without control, format and surrogate characters, cut to `limit`."""
    return "".join(sign for sign in text[: limit * 4] if unicodedata.category(sign)[0] != "C")[:limit]


def text_of(value: object) -> str | None:
    """A database's value as text; None for bytes that are no UTF-8, which are no text to anybody here."""
    if not isinstance(value, bytes | bytearray | memoryview):
        return str(value)
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        return None


def quoting(*parts: str | Quoted, limit: int = TEXT_LIMIT) -> tuple[str, tuple[tuple[int, int], ...]]:
    """`detail` and `quoted` of a Failure: our words and, between them, what was read from outside, cut to `limit`."""
    text = ""
    spans = []
    for part in parts:
        piece = clean_text(part, max(limit - len(text), 0))
        if isinstance(part, Quoted) and piece:
            spans.append((len(text), len(text) + len(piece)))
        text += piece
    return text, tuple(spans)


def clean_url(text: str) -> str:
    """Scheme, host, port and path of a web address; "" when it is none. User, query and fragment may hold secrets."""
    try:
        parts = urlsplit(text.replace("\\/", "/"))  # as JSON may write a slash; no address has a backslash
        port = parts.port
    except ValueError:
        return ""
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(host):
        return ""
    shown = f"[{host}]" if ":" in host else host
    path = parts.path.split(";")[0].rstrip("/")
    return f"{parts.scheme}://{shown}{'' if port is None else f':{port}'}{path if PATH.fullmatch(path) else ''}"


def clean_version(text: str) -> str:
    """The leading numbers of a version, "" when it does not begin with one."""
    found = VERSION.match(text)
    return found.group(0) if found else ""


def once_each(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    """One failure for each metric and reason, the first of each, in order."""
    return tuple({(failure.metric, failure.reason): failure for failure in reversed(list(failures))}.values())[::-1]


def no_time(what: str) -> SourceError:
    """The error of a source whose turn comes when the tick's time is used up."""
    return SourceError(
        DEADLINE,
        what,
        why="No time was left in this tick.",
        do="Nothing, if it is rare. Else raise [sampling] deadline, or see what is slow: portfolio-agent doctor",
    )
