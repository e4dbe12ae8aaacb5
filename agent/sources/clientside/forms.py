"""The three forms in which Tomcat's valves write a line, as one kind of token list.

In:   a valve's `pattern`, and which form it is.
Out:  literal texts and codes in the order in which they stand in a line. A code that Tomcat does not know is the text
      that Tomcat writes in its place, so `%>s` (Apache's) is text and no status.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

ALIASES = {
    "common": '%h %l %u %t "%r" %s %b',
    "combined": '%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-Agent}i"',
}
ALONE = "aAbBDFhHlmpqrsStTuUvIX"
WITH_PARAMETER = "aciLoprstT"
TOKEN = re.compile(r"%\{([^}]*)\}(.)|%(.)|([^%]+|%$)", re.DOTALL)
# What JsonAccessLogValve calls each code; the second kind goes into objects behind the others, in this order.
JSON_NAMES = {
    "a": "remoteAddr",
    "A": "localAddr",
    "b": "size",
    "B": "byteSentNC",
    "D": "elapsedTime",
    "F": "firstByteTime",
    "h": "host",
    "H": "protocol",
    "I": "threadName",
    "l": "logicalUserName",
    "m": "method",
    "p": "port",
    "q": "query",
    "r": "request",
    "s": "statusCode",
    "S": "sessionId",
    "t": "time",
    "T": "elapsedTimeS",
    "u": "user",
    "U": "path",
    "v": "localServerName",
    "X": "connectionStatus",
}
JSON_OBJECTS = {
    "r": "requestAttributes",
    "c": "cookies",
    "s": "sessionAttributes",
    "i": "requestHeaders",
    "L": "identifier",
    "o": "responseHeaders",
}
# A value that the W3C form puts into quotes, doubling those in it; the letter is none of Tomcat's.
WRAPPED = "W"
EXTENDED = {
    "date": ("t", "yyyy-MM-dd"),
    "time": ("t", "HH:mm:ss"),
    "bytes": ("b", ""),
    "cached": ("l", ""),
    "c-ip": ("a", ""),
    "c-dns": ("h", ""),
    "s-ip": ("A", ""),
    "s-dns": ("v", ""),
    "cs-method": ("m", ""),
    "cs-uri": ("U", ""),
    "cs-uri-stem": ("U", ""),
    "cs-uri-query": ("q", ""),
    "sc-status": ("s", ""),
    "sc-comment": ("l", ""),
    "time-taken": ("T", ""),
    "time-taken-ns": ("T", "ns"),
    "time-taken-us": ("T", "us"),
    "time-taken-ms": ("T", "ms"),
    "time-taken-fracsec": ("T", "fracsec"),
    "time-taken-s": ("T", "s"),
    "time-taken-secs": ("T", "s"),
    "x-threadname": ("I", ""),
}
EXTENDED_WRAPPED = re.compile(r"(?:cs|sc|x-[ACHOPRS])\([^)]*\)")
EXTENDED_PROXY = re.compile(r"(?:sr|rs)(?:-[^ ]*|\([^)]*\))")


class Form(StrEnum):
    """How a valve writes a line."""

    PLAIN = "pattern"
    JSON = "JSON"
    EXTENDED = "W3C extended"


@dataclass(frozen=True, slots=True)
class Code:
    """One %x or %{parameter}x of the pattern, or a field of the W3C form that says the same."""

    letter: str
    parameter: str | None = None


Token = Code | str


def tokens_of(pattern: str, form: Form = Form.PLAIN) -> list[Token]:
    """A line of `pattern` in pieces: literal texts and codes; no two texts side by side.

    Raises ValueError, with the words, for a field of the W3C form that is not known.
    """
    if form is Form.EXTENDED:
        return _joined(_extended(pattern))
    plain = list(_plain(ALIASES.get(pattern, pattern)))
    return _joined(_json(plain) if form is Form.JSON else plain)


def unknown_codes(pattern: str) -> list[str]:
    """The codes of a pattern that Tomcat does not know, as they are written there."""
    found = []
    for match in TOKEN.finditer(ALIASES.get(pattern, pattern)):
        _, letter, alone, _ = match.groups()
        if (letter and letter not in WITH_PARAMETER) or (alone and alone not in ALONE):
            # Apache's %>s is one code to whoever wrote it.
            found.append(match[0] + (match.string[match.end() :][:1] if match[0][-1] in "<>" else ""))
    return found


def _plain(pattern: str) -> Iterator[Token]:
    for parameter, letter, alone, literal in TOKEN.findall(pattern):
        if letter:
            yield Code(letter, parameter) if letter in WITH_PARAMETER else "???"
        elif alone:
            yield Code(alone) if alone in ALONE else f"???{alone}???"
        elif literal != "%":  # Tomcat drops one at the end
            yield literal


def _joined(tokens: Iterator[Token] | list[Token]) -> list[Token]:
    joined: list[Token] = []
    for token in tokens:
        if isinstance(token, str) and joined and isinstance(joined[-1], str):
            joined[-1] += token
        elif token != "":
            joined.append(token)
    return joined


def _json(plain: list[Token]) -> Iterator[Token]:
    """The codes as JSON: literal texts of the pattern are left out, what has a name of its own goes into objects."""
    codes = [token for token in plain if isinstance(token, Code)]
    inside = {letter: [code for code in codes if code.letter == letter and code.parameter] for letter in JSON_OBJECTS}
    before = "{"
    for code in codes:
        if code in inside.get(code.letter, ()):
            continue
        more = f"-{code.parameter}" if code.parameter else ""
        yield from (f'{before}"{JSON_NAMES[code.letter]}{more}":"', code, '"')
        before = ","
    for letter, found in inside.items():
        for number, code in enumerate(found):
            opened = f'{before}"{JSON_OBJECTS[letter]}": {{' if not number else ","
            yield from (f'{opened}"{code.parameter}":"', code, '"')
        if found:
            yield "}"
            before = ","
    yield "}"


def _extended(pattern: str) -> Iterator[Token]:
    for number, (space, name) in enumerate(re.findall(r"(\s*)((?:[^\s(]+\([^)]*\)|\S)+)", pattern)):
        if number:
            yield space
        if name in EXTENDED:
            letter, parameter = EXTENDED[name]
            yield Code(letter, parameter or None)
        elif EXTENDED_WRAPPED.fullmatch(name):
            yield Code(WRAPPED)
        elif EXTENDED_PROXY.fullmatch(name):
            yield Code("l")
        else:
            raise ValueError(f"the field {name} is not known")
