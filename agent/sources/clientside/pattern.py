"""Tomcat's access log pattern becomes one compiled expression over bytes, run on many lines at once.

In:   the valve's `pattern` ("common" and "combined" included), the context path, Tomcat's major version.
Out:  a `LineReader` that finds, in each line, the beginning of the path, the status and the duration, and nothing else:
      user, address, referrer, query and agent are stepped over, never taken out. What cannot be read is no guess:
      without Tomcat's version a %D has no unit, so no durations come out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agent.errors import SourceError
from agent.reasons import NOT_SUPPORTED, UNIT_UNKNOWN
from agent.sources.clientside.classes import BEGINNINGS
from agent.sources.clientside.tomcat import MICROSECONDS_FROM

ALIASES = {
    "common": '%h %l %u %t "%r" %s %b',
    "combined": '%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-Agent}i"',
}
TOKEN = re.compile(r"%(?:\{([^}]*)\})?([A-Za-z])|([^%]+|%)")
# Microseconds in one unit of %{...}T; the plain %T is seconds, with a fraction before Tomcat 10.
STYLES = {"us": 1, "ms": 1000, "s": 1_000_000, "fracsec": 1_000_000}
# Codes whose text may hold spaces: names that users or threads have, headers, and times in a format of one's own.
FREE = "uIiorcst"


@dataclass(frozen=True, slots=True)
class Code:
    """One %x or %{parameter}x of the pattern."""

    letter: str
    parameter: str = ""


Token = Code | str


@dataclass(frozen=True, slots=True)
class LineReader:
    """Finds (path beginning, status, duration) in lines; `unit_us` is a duration's unit, None when it is not known.

    `why_no_duration` is the reason code when no durations come out. A field the pattern lacks is empty in each line.
    """

    expression: re.Pattern[bytes]
    order: tuple[int, int, int]
    unit_us: int | None
    why_no_duration: str
    has_status: bool

    def rows(self, lines: bytes) -> list[tuple[bytes, bytes, bytes]]:
        """The three fields, in the order of the expression (see `order`), of each line that fits."""
        return self.expression.findall(lines)


def tokens_of(pattern: str) -> list[Token]:
    """The pattern in pieces: literal texts and codes."""
    text = ALIASES.get(pattern, pattern)
    return [literal or Code(letter, parameter) for parameter, letter, literal in TOKEN.findall(text)]


def compile_pattern(pattern: str, context_path: str = "", version: int = 0) -> LineReader:
    """The reader for lines of `pattern`; raises SourceError when neither path nor status stands in it."""
    tokens = tokens_of(pattern)
    path = _first(tokens, lambda code: code.letter in "rU" and not code.parameter)
    status = _first(tokens, lambda code: code.letter == "s" and not code.parameter)
    duration = _first(tokens, lambda code: code.letter == "D" and not code.parameter)
    if duration is None:
        duration = _first(tokens, lambda code: code.letter == "T" and (not code.parameter or code.parameter in STYLES))
    if path is None and status is None:
        raise SourceError(
            NOT_SUPPORTED,
            "The access log cannot be read.",
            why="Its pattern has neither the request (%r, %U) nor the status (%s).",
            do="Use the pattern of the product's manual, or set [clientside] enabled = false.",
        )
    wanted = {
        position: name for name, position in (("p", path), ("s", status), ("d", duration)) if position is not None
    }
    parts = [rb"^", *_parts(tokens[: max(wanted) + 1], wanted, context_path)]
    parts += [f"(?P<{name}>)".encode() for name in "psd" if name not in wanted.values()]
    expression = re.compile(b"".join(parts) + rb".*+\n", re.MULTILINE)
    index = expression.groupindex
    unit_us, why = _unit(tokens[duration] if duration is not None else None, version)
    return LineReader(expression, (index["p"] - 1, index["s"] - 1, index["d"] - 1), unit_us, why, status is not None)


def _first(tokens: Sequence[Token], fits: Callable[[Code], bool]) -> int | None:
    return next((n for n, token in enumerate(tokens) if isinstance(token, Code) and fits(token)), None)


def _unit(token: Token | None, version: int) -> tuple[int | None, str]:
    """Microseconds in one unit of the duration, or None and the reason."""
    if not isinstance(token, Code):
        return None, NOT_SUPPORTED
    if token.letter == "T":
        return STYLES[token.parameter or "s"], ""
    if version == 0:
        return None, UNIT_UNKNOWN
    return (1 if version >= MICROSECONDS_FROM else 1000), ""


def _parts(tokens: Sequence[Token], wanted: dict[int, str], context_path: str) -> Iterator[bytes]:
    """The expression piece by piece; pieces that may hold spaces and nothing wanted melt into one, so that no line,
    however it is made, costs more than one walk along it."""
    position = 0
    while position < len(tokens):
        token = tokens[position]
        after = tokens[position + 1] if position + 1 < len(tokens) else ""
        ends = after[0] if isinstance(after, str) and after else ""
        before = tokens[position - 1] if position else ""
        quoted = isinstance(before, str) and before.endswith('"') and ends == '"'
        if isinstance(token, str):
            yield re.escape(token.encode())
        elif position in wanted:
            yield _wanted(wanted[position], token, context_path, quoted=quoted)
        elif quoted:
            yield rb'(?:[^"\\\n]++|\\.)*+'
        elif token.letter == "t" and not token.parameter:
            yield rb"\[[^\]\n]*+\]"
        elif token.letter in FREE or not ends:
            position = _last_free(tokens, position, wanted)
            yield rb".*?"
        else:
            yield b"[^" + re.escape(ends.encode()) + rb"\n]*+"
        position += 1


def _last_free(tokens: Sequence[Token], position: int, wanted: dict[int, str]) -> int:
    """The last of the pieces from `position` on that are free text with nothing but a space between them."""
    while position + 2 < len(tokens):
        between, following = tokens[position + 1], tokens[position + 2]
        if between != " " or not isinstance(following, Code) or position + 2 in wanted:
            break
        if following.letter not in FREE or (following.letter == "t" and not following.parameter):
            break
        position += 2
    return position


def _wanted(name: str, token: Code, context_path: str, *, quoted: bool) -> bytes:
    if name == "s":
        return rb"(?P<s>\d\d\d)"
    if name == "d":
        return rb"(?P<d>\d{1,15}+(?:\.\d{1,6}+)?)"
    prefix = b"(?:" + re.escape(context_path.encode()) + rb"(?=[/ ?;\"\n]))?" if context_path else b""
    path = prefix + b"(?P<p>" + BEGINNINGS + rb')[^ ?"\n]*+'
    if token.letter == "U":
        return b"(?:" + path + b"|null|-)"
    # The whole first line; a request that Tomcat could not parse is logged as "-" or in pieces.
    rest = rb'[^"\n]*+' if quoted else rb"[^ \n]*+(?: HTTP/[0-9.]++)?+"
    method = rb"[A-Z]{1,20}+ "
    return b"(?:" + method + path + rest + rb"|-|null(?: null)*+)"
