"""Tomcat's access log pattern becomes one compiled expression over bytes, run on many lines at once.

In:   the valve's `pattern` and form, the context path, Tomcat's major version.
Out:  a `LineReader` that finds, in each line, the beginning of the path, the status and the duration, and nothing else:
      user, address, referrer, query and agent are stepped over, never taken out. What cannot be read is no guess:
      without Tomcat's version a %D has no unit, so no durations come out.
      What a person can type (user, referrer, agent, path) decides nothing: each field is found from the beginning of
      the line, from its end, or from a quote that Tomcat would have escaped in a value. Where none of these holds, the
      fields must fit at one place of the line only; a line where they fit at two is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.errors import SourceError
from agent.reasons import AMBIGUOUS, NOT_SUPPORTED, TOO_COARSE, UNIT_UNKNOWN
from agent.sources.clientside.classes import BEGINNINGS
from agent.sources.clientside.dates import expression_of
from agent.sources.clientside.forms import WRAPPED, Code, Form, Token, tokens_of, unknown_codes

MICROSECONDS_FROM = 10  # Tomcat 10 aligned %D with Apache httpd, and %T with it: whole seconds
SECOND_US = 1_000_000
# Values that Tomcat escapes: they may hold anything, but no quote without a backslash before it.
ESCAPED = "uiocrs"
METHOD = rb"[!#$%&'*+.^_`~0-9A-Za-z-]*+"  # as HTTP has it, without the bar, which may stand between fields
PROTOCOL = rb"[A-Za-z0-9/.-]*+"
QUOTED = rb'[^"\\\n]*+(?:\\.[^"\\\n]*+)*+'
# A value in quotes of the W3C form; nothing at all for a session that does not exist.
IN_DOUBLED_QUOTES = rb'(?:-|"(?:[^"\n]|"")*+")?+'
NUMBER = rb"(?:-?\d++|-)"
STATUS = rb"(?:(?P<s>\d{3})(?!\d)|\d++|-)"
OTHER_DURATION = rb"(?:-?[\d.]++|-|\?\?\?)"
NAMED_GROUP = re.compile(rb"\(\?P<[psd]>")
DURATION = rb"(?P<d>\d{1,15}+)"
FRACTION = rb"(?P<d>\d{1,12}+\.\d{1,9}+)"


@dataclass(frozen=True, slots=True)
class LineReader:
    """Finds (path beginning, status, duration) in lines; `unit_us` is a duration's unit, None when it is not known.

    `why_no_duration` is the reason code when no durations come out. A field the pattern lacks is empty in each line.
    `passed_over` are lines that are no requests and are not missed; `unknown` are codes that Tomcat does not know.
    """

    expression: re.Pattern[bytes]
    order: tuple[int, int, int]
    unit_us: int | None
    why_no_duration: str
    has_status: bool
    has_path: bool = True
    passed_over: re.Pattern[bytes] | None = None
    unknown: tuple[str, ...] = ()

    def rows(self, lines: bytes) -> list[tuple[bytes, bytes, bytes]]:
        """The three fields, in the order of the expression (see `order`), of each line that fits."""
        return self.expression.findall(lines)

    def unread(self, lines: bytes, read: int) -> int:
        """How many of `lines` are requests that did not fit, when `read` did."""
        left = lines.count(b"\n") - read
        return left - len(self.passed_over.findall(lines)) if left and self.passed_over is not None else left


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the line as an expression. A `free` one may hold anything; `bare` says that it may hold a quote
    that is not escaped; `fields` are the letters p, s and d of what is taken out of it."""

    expression: bytes
    text: str = ""
    free: bool = False
    bare: bool = False
    fields: str = ""


@dataclass(frozen=True, slots=True)
class Duration:
    """How a duration is written: which token it is, its expression and its unit; or why there is none."""

    token: Code | None
    expression: bytes = b""
    unit_us: int | None = None
    why: str = NOT_SUPPORTED


def compile_pattern(pattern: str, context_path: str = "", version: int = 0, form: Form = Form.PLAIN) -> LineReader:
    """The reader for lines of `pattern`; raises SourceError when neither path nor status can be read in it."""
    try:
        tokens = tokens_of(pattern, form)
    except ValueError as error:
        raise _unreadable(f"Its pattern is not understood: {error}.") from None
    unknown = unknown_codes(pattern) if form is not Form.EXTENDED else []
    duration = _duration(tokens, version)
    parts = _Pieces(tokens, context_path, duration).all()
    if not any(field in part.fields for part in parts for field in "ps"):
        named = f"; Tomcat does not know {', '.join(unknown)}" if unknown else ""
        raise _unreadable(f"Its pattern has neither the request (%r, %U) nor the status (%s){named}.")
    body, found = _arranged(parts, whole=form is Form.JSON)
    if not found & {"p", "s"}:
        raise _unreadable("What a user can type stands on both sides of its fields, so no line is certain.")
    missing = b"".join(f"(?P<{name}>)".encode() for name in "psd" if name not in found)
    expression = re.compile(b"^" + missing + body + rb"\n", re.MULTILINE)
    index = expression.groupindex
    timed = "d" in found
    return LineReader(
        expression,
        (index["p"] - 1, index["s"] - 1, index["d"] - 1),
        duration.unit_us if timed else None,
        "" if timed else AMBIGUOUS if duration.token is not None else duration.why,
        has_status="s" in found,
        has_path="p" in found,
        passed_over=re.compile(rb"^#[^\n]*\n", re.MULTILINE) if form is Form.EXTENDED else None,
        unknown=tuple(unknown),
    )


def _unreadable(why: str) -> SourceError:
    return SourceError(
        NOT_SUPPORTED,
        "The access log cannot be read.",
        why=why,
        do="Use the pattern of the product's manual, or set [clientside] enabled = false.",
    )


def _duration(tokens: Sequence[Token], version: int) -> Duration:
    """The finest duration whose unit is known, else the reason of the first there is."""
    found = [_timed(token, version) for token in tokens if isinstance(token, Code) and token.letter in "DT"]
    known = [duration for duration in found if duration.unit_us is not None]
    if known:
        return min(known, key=lambda duration: duration.unit_us or 0)
    return found[0] if found else Duration(None)


def _timed(token: Code, version: int) -> Duration:
    """Whole seconds are no durations: nine of ten requests would have taken none."""
    if token.letter == "D":
        if not version:
            return Duration(None, why=UNIT_UNKNOWN)
        return Duration(token, DURATION, 1 if version >= MICROSECONDS_FROM else 1000)
    if token.parameter == "ns":
        # Without its last three digits it is microseconds.
        return Duration(token, rb"(?:(?P<d>\d{1,15})\d{3}(?!\d)|\d{1,3}(?!\d)|\?\?\?)", 1)
    if token.parameter in ("us", "ms"):
        # Before Tomcat 10 there is no %{...}T, and three question marks stand in its place.
        return Duration(token, rb"(?:" + DURATION + rb"|\?\?\?)", 1 if token.parameter == "us" else 1000)
    if token.parameter == "fracsec" or (token.parameter in (None, "") and version < MICROSECONDS_FROM):
        # Whose version is not known may write whole seconds.
        return Duration(token, rb"(?:" + FRACTION + rb"|\d++|\?\?\?)", SECOND_US)
    return Duration(None, why=TOO_COARSE)


class _Pieces:
    """The parts of a line, token by token: what each may hold depends on what stands before and behind it."""

    def __init__(self, tokens: Sequence[Token], context_path: str, duration: Duration) -> None:
        self._tokens, self._duration = tokens, duration
        self._context = re.escape(context_path.encode()) + rb"(?=[/ ?;\"\n])" if context_path else b""
        self._taken: set[str] = set()

    def all(self) -> list[Piece]:
        """Every part of the line."""
        parts: list[Piece] = []
        for position, token in enumerate(self._tokens):
            if isinstance(token, str):
                parts.append(Piece(re.escape(token.encode()), token))
            else:
                parts += self._of(position, token)
        return parts

    def _literal(self, position: int) -> str:
        token = self._tokens[position] if 0 <= position < len(self._tokens) else ""
        return token if isinstance(token, str) else ""

    def _is_last(self, position: int) -> bool:
        return position == len(self._tokens) - 1

    def _of(self, position: int, code: Code) -> Iterator[Piece]:
        letter, behind = code.letter, self._literal(position + 1)
        quoted = self._literal(position - 1).endswith('"') and behind.startswith('"')
        if code is self._duration.token and self._take("d"):
            yield Piece(self._duration.expression, fields="d")
        elif letter == "s" and code.parameter is None:
            taken = self._take("s")
            yield Piece(STATUS if taken else _unnamed(STATUS), fields="s" if taken else "")
        elif letter in "Uqr" and code.parameter is None:
            yield from self._target(position, letter, quoted=quoted)
        elif letter in PLAIN:
            yield Piece(PLAIN[letter])
        elif letter == "t":
            yield Piece(_time(code.parameter or ""))
        elif letter in "aAhvS":
            yield Piece(rb"[^ \t\"\n]*+" if behind[:1] in ('"', " ", "\t", "") else rb"[^ \t\"\n]*")
        elif quoted:
            yield Piece(QUOTED)
        else:
            yield Piece(b"", free=True)

    def _take(self, field: str) -> bool:
        """Whether this is the first of its kind: a pattern may have %r and %U, or a status twice."""
        new = field not in self._taken
        self._taken.add(field)
        return new

    def _target(self, position: int, letter: str, *, quoted: bool) -> Iterator[Piece]:
        """The request or what it asks for: no target holds a space, since that ends it in the request line."""
        behind = self._literal(position + 1)
        taken = letter != "q" and self._take("p")
        path = self._path(behind) if taken else b""
        fields = "p" if taken else ""
        if letter == "r":
            protocol, none = (PROTOCOL, rb"-?") if quoted else (rb"(?:HTTP/[\d.]*+|null|-|)", b"-")
            request = METHOD + b" " + path + rb"[^ \t\n]*+ " + protocol
            yield Piece(b"(?:" + request + b"|" + none + b")", bare=True, fields=fields)
            return
        following = self._tokens[position + 1] if not self._is_last(position) else ""
        if letter == "U" and isinstance(following, Code) and following.letter == "q":
            yield Piece(path, bare=True, fields=fields)
        elif self._is_last(position) or behind[:1] in (" ", "\t"):
            yield Piece(path + rb"[^ \t\n]*+", bare=True, fields=fields)
        elif " " in behind or "\t" in behind:
            yield Piece(path + rb"[^ \t\n]*", bare=True, fields=fields)
        elif behind.startswith('"'):
            yield Piece(path + rb'(?:[^"\\ \t\n]++|\\.)*+', fields=fields)
        else:
            # What ends it may stand in it too.
            yield Piece(path, fields=fields)
            yield Piece(b"", free=True, bare=True)

    def _path(self, behind: str) -> bytes:
        """The beginning of the path, taken out where there is one: * and host:port are none."""
        ends = behind[:1]
        more = b"" if ends in ("", " ", '"') else re.escape(ends.encode())
        beginnings = BEGINNINGS.replace(rb"\n]", more + rb"\n]")
        prefix = b"(?:" + self._context + b")?" if self._context else b""
        return b"(?:" + prefix + b"(?P<p>" + beginnings + b"))?+"


PLAIN = {
    **dict.fromkeys("FbBp", NUMBER),
    **dict.fromkeys("DT", OTHER_DURATION),
    "H": PROTOCOL,
    "L": rb"[0-9A-Za-z?-]*+",
    "X": rb"[X+?-]",
    "l": rb"[^ \t\"\n]*+",
    "m": METHOD,
    WRAPPED: IN_DOUBLED_QUOTES,
}


def _time(parameter: str) -> bytes:
    """A time in the log's own form, or in one that the pattern names."""
    named = re.fullmatch(r"(?:begin|end)(?::(.*))?", parameter, re.DOTALL)
    own = (named[1] or "") if named else parameter
    if not own:
        return rb"\[[^\]\n]*+\]"
    if own in ("sec", "msec", "msec_frac"):
        return rb"\d++"
    try:
        return expression_of(own).encode()
    except ValueError:
        return rb"[^\n]*?"


def _unnamed(expression: bytes) -> bytes:
    return NAMED_GROUP.sub(b"(?:", expression)


def _arranged(parts: Sequence[Piece], *, whole: bool) -> tuple[bytes, set[str]]:
    """The expression of a line from its parts, and which fields come out of it; see the module's docstring.

    `whole` holds the line to all of its parts, not only to the last one that is taken out.
    """
    out: list[bytes] = []
    found: set[str] = set()
    position = 0
    last = max(number for number, part in enumerate(parts) if part.fields)
    while position < len(parts) and (whole or position <= last):
        part = parts[position]
        if not part.free:
            out.append(part.expression)
            found |= set(part.fields)
            position += 1
            continue
        quote = _quote_behind(parts, position)
        if quote is None:
            more, fields = _loose(parts, position)
            return b"".join([*out, more]), found | fields
        more, fields = _up_to_quote(parts[position:quote], parts[quote].text)
        out.append(more)
        found |= fields
        position = quote + 1
    return b"".join([*out, b"" if whole or position == len(parts) else rb"[^\n]*+"]), found


def _quote_behind(parts: Sequence[Piece], position: int) -> int | None:
    """The next text with a quote, when nothing from `position` to it can hold one that is not escaped."""
    for number in range(position, len(parts)):
        if parts[number].bare:
            return None
        if '"' in parts[number].text:
            return number
    return None


def _up_to_quote(between: Sequence[Piece], text: str) -> tuple[bytes, set[str]]:
    """From a free part to the first quote that is not escaped; what stands right before it counts from there."""
    before, _, behind = text.partition('"')
    closed = between[_last_free(between) + 1 :]
    fields = {field for part in closed for field in part.fields}
    quote = b'"' + re.escape(behind.encode())
    if fields:
        inner = b"".join(part.expression for part in closed) + re.escape(before.encode())
        return rb'[^"\\\n]*(?:\\.[^"\\\n]*)*' + inner + quote, fields
    look_back = b"(?<=" + re.escape(before.encode()) + b")" if before else b""
    return QUOTED + look_back + quote, fields


def _last_free(parts: Sequence[Piece]) -> int:
    return max(number for number, part in enumerate(parts) if part.free)


def _loose(parts: Sequence[Piece], position: int) -> tuple[bytes, set[str]]:
    """From a free part on to the end of the line: what is behind the last free part is found from the end; what stands
    between two of them only where it fits once."""
    last = _last_free(parts)
    tail = parts[last + 1 :]
    of_tail = {field for part in tail for field in part.fields}
    ending = rb"[^\n]*" + b"".join(part.expression for part in tail) if of_tail else rb"[^\n]*+"
    core = _core(parts[position : last + 1])
    if not core:
        return ending, of_tail
    fields = {field for part in core for field in part.fields}
    to_core, first = _along(core)
    rest = re.escape(core[0].text[1:].encode()) + b"".join(part.expression for part in core[1:])
    # Its figures stand nowhere behind their own beginning; they alone are looked for, since most words are no numbers.
    figures = _figures(core)
    before = b"".join(_unnamed(part.expression) for part in core[: len(core) - len(figures)])
    again = b"".join(_unnamed(part.expression) for part in figures)
    once = b"(?=" + before + re.escape(figures[0].text[0].encode()) + rb"(?![^\n]*" + again + b"))"
    return to_core + once + first + rest + ending, fields | of_tail


def _along(run: Sequence[Piece]) -> tuple[bytes, bytes]:
    """Along the line to the first place where a run of parts fits, never back; and the character it begins with."""
    first = re.escape(run[0].text[0].encode())
    rest = re.escape(run[0].text[1:].encode()) + b"".join(_unnamed(part.expression) for part in run[1:])
    return b"(?:[^" + first + rb"\n]++|(?!" + first + rest + b")" + first + b")*+", first


def _figures(core: Sequence[Piece]) -> Sequence[Piece]:
    """The part of a run from its first figure on, with the text before it; all of it when that has none."""
    at = next((number for number, part in enumerate(core) if set(part.fields) & {"s", "d"}), 0)
    return core[at - 1 :] if at and core[at - 1].text else core


def _core(parts: Sequence[Piece]) -> Sequence[Piece]:
    """The run of parts between two free ones that tells most; empty when none tells anything or has a beginning."""
    runs: list[list[Piece]] = [[]]
    for part in parts:
        if part.free:
            runs.append([])
        else:
            runs[-1].append(part)
    telling = [run for run in runs if run and run[0].text and any(part.fields for part in run)]
    return max(telling, key=lambda run: sum(len(part.fields) + ("s" in part.fields) for part in run), default=[])
