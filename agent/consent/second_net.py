"""The second net: what must never leave is looked for in every text that the first rules would let out.

In:   a text that people or programs chose (an app's name, a pool, a context, a version) and what its field holds.
Out:  None when nothing is found, else what was found and the text with a fixed mark in its place.
Found are: e-mail addresses (also spelled out: "erika at example dot com"), credentials by their key word or command
line, tokens by their shape or by their look, addresses with a login, any link, private keys, IP and hardware
addresses, private hosts and home folders, telephone, card and account numbers. Each also percent-encoded, HTML-escaped,
backslash-escaped, in full-width signs, or several of these over each other.

What stands behind a key word is cut to the end of the text: where a password ends cannot be known. In doubt it is cut:
a title such as "Password: the plugin" loses its end. What no look gives away (a bare "hunter2", a person's name) is not
found here; the catalog's shapes and the consent level are what keeps that.

Whoever changes what is found raises `RULES_EDITION` (a test asks for it).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from agent.catalog import DataType
from agent.consent.patterns import ADDRESS, FOLDER, HOST, LINK, TOKEN, base64_text, harmless, patterns

REMOVED = "[removed]"
# A tick brings the same few hundred texts again and again; ten million different ones must not stay in memory.
REMEMBERED_TEXTS = 4096
ROUNDS = 6  # of escapes within escapes; what is wrapped deeper is no name

# An address of the product is what such a field is for; it has no login, query or fragment (the rule for it says so).
MAY_HOLD: dict[DataType, frozenset[str]] = {DataType.URL: frozenset({LINK, ADDRESS, HOST, FOLDER})}

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """What stands in a text that must not leave, in words, and the text with `REMOVED` in its place."""

    what: str
    without: str


@lru_cache(maxsize=REMEMBERED_TEXTS)
def search(text: str, data_type: DataType) -> Found | None:
    """What of `text` must not leave in a field of `data_type`; None when nothing is found."""
    # Most names end here, in a tenth of the time.
    if harmless().fullmatch(text):
        return None
    spans: list[tuple[Span, str]] = []
    # Each layer is looked at, not the last alone: taking "=12" in "pin=123456" for an escape would hide the rest.
    for signs in _layers(text):
        if signs is None:
            return Found("a text that is escaped many times over", REMOVED)
        plain = "".join(sign for sign, _ in signs)
        for (first, behind), kind in _finds(plain, data_type):
            spans.append(((signs[first][1][0], signs[behind - 1][1][1]), kind))
    if not spans:
        return None
    kinds = dict.fromkeys(kind for _, kind in spans)
    return Found(" and ".join(kinds), _cut(text, sorted(span for span, _ in spans)))


def _cut(text: str, spans: list[Span]) -> str:
    """`text` with one mark for each stretch of `spans`, which are sorted and may overlap."""
    kept, at = "", 0
    for first, behind in spans:
        if first > at or not kept:
            kept += text[at:first] + REMOVED
        at = max(at, behind)
    return kept + text[at:]


def _finds(plain: str, data_type: DataType, depth: int = 0) -> Iterator[tuple[Span, str]]:
    skipped = MAY_HOLD.get(data_type, frozenset())
    for pattern in patterns():
        if pattern.kind in skipped:
            continue
        for hit in pattern.look.finditer(plain):
            if hit[0] and pattern.is_one(hit[0], data_type):
                yield hit.span(), pattern.kind
    # Base64 once: what is packed twice is caught as a token by its look.
    if depth == 0:
        for hit in _run().finditer(plain):
            inner = base64_text(hit[0])
            if inner and (":" in inner or any(_finds(inner, DataType.NAME, depth + 1))):
                yield hit.span(), TOKEN


# --- the text below its escapes


@cache
def _run() -> re.Pattern[str]:
    return re.compile(r"(?<![a-z0-9+/_-])[a-z0-9+/_-]{12,}={0,2}", re.IGNORECASE)


@cache
def _escape() -> re.Pattern[str]:
    return re.compile(
        r"(?:%[0-9a-f]{2})+|%u[0-9a-f]{4}|&(?:#\d{1,12}|#x[0-9a-f]{1,12}|[a-z][a-z0-9]{1,31});?"
        r"|\\u\{[0-9a-f]{1,6}\}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|(?:=[0-9a-f]{2})+",
        re.IGNORECASE,
    )


def _layers(text: str) -> Iterator[list[tuple[str, Span]] | None]:
    """The text, and what stands below one escape after the other, each sign with the stretch of `text` it comes from.

    The last is None when there is no end to it.
    """
    signs = _folded([(sign, (at, at + 1)) for at, sign in enumerate(text)])
    for _ in range(ROUNDS):
        yield signs
        plain = "".join(sign for sign, _ in signs)
        below: list[tuple[str, Span]] = []
        at = 0
        for hit in _escape().finditer(plain):
            below += signs[at : hit.start()]
            span = signs[hit.start()][1][0], signs[hit.end() - 1][1][1]
            below += [(sign, span) for sign in _meant(hit[0])]
            at = hit.end()
        signs = _folded(below + signs[at:])
        if "".join(sign for sign, _ in signs) == plain:
            return
    yield None


def _meant(escape: str) -> str:
    """What one escape stands for; itself when it stands for nothing."""
    if escape[0] == "&":
        from html import unescape  # a table of two thousand names: only where a text has such a sign

        return unescape(escape)
    if escape[0] == "=" or (escape[0] == "%" and escape[1] not in "uU"):
        return bytes.fromhex(escape.replace(escape[0], "")).decode("utf-8", "replace")
    try:
        return chr(int(escape[2:].strip("{}"), 16))
    except (ValueError, OverflowError):
        return escape


def _folded(signs: list[tuple[str, Span]]) -> list[tuple[str, Span]]:
    """Full-width and other forms as plain signs; what cannot be seen is gone, so that it parts nothing."""
    return [
        (one, span)
        for sign, span in signs
        for one in (sign if sign.isascii() else unicodedata.normalize("NFKC", sign))
        if one.isascii() or unicodedata.category(one)[0] != "C"
    ]
