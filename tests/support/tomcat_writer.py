"""Tomcat's own way of writing a line, as a model: what stands in a log for a request, escapes included.

Two generations: `modern` is what Debian's Tomcat 10.1.60 was seen to write (a query that is not there is "-", quotes in
request and query are escaped); before it a query that is not there is nothing, and its quotes stand as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.sources.clientside.forms import WRAPPED, Code, Form, tokens_of

TIMES = {"yyyy-MM-dd": "2026-11-22", "HH:mm:ss": "10:00:00", "yyyy-MM-dd HH:mm:ss": "2026-11-22 10:00:00"}
SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", '"': '\\"', "\\": "\\\\"}


@dataclass(frozen=True)
class Request:
    """One request and its answer; `texts` are the values a user can type: user, headers, attributes."""

    method: str = "GET"
    path: str = "/browse/A-1"
    query: str | None = None
    protocol: str = "HTTP/1.1"
    status: int = 200
    took_us: int = 41_000
    texts: dict[str, str] = field(default_factory=dict)


def escaped(text: str) -> str:
    """As Tomcat escapes what comes from a user."""
    if not text:
        return "-"
    return "".join(SHORT.get(char) or (char if 32 <= ord(char) < 127 else f"\\u{ord(char):04x}") for char in text)


def line_of(
    pattern: str, request: Request, form: Form = Form.PLAIN, version: int = 10, *, modern: bool = True
) -> bytes:
    """The line for `request`, with its end."""
    pieces = [
        token if isinstance(token, str) else _value(token, request, form, version, modern=modern)
        for token in tokens_of(pattern, form)
    ]
    return ("".join(pieces) + "\n").encode()


def _value(code: Code, request: Request, form: Form, version: int, *, modern: bool) -> str:
    raw = escaped if modern else str
    query = request.query
    target = request.path + (f"?{query}" if query is not None else "")
    nothing = "-" if modern or form is Form.EXTENDED else ""
    asked = (f"?{query}" if form is not Form.EXTENDED else query) if query is not None else None
    fixed = {
        "r": f"{request.method} {raw(target)} {request.protocol}",
        "U": raw(request.path),
        "q": raw(asked) if asked is not None else nothing,
        "s": str(request.status),
        "m": request.method,
        "H": request.protocol,
        "t": TIMES.get(code.parameter or "", "[22/Nov/2026:10:00:00 +0000]"),
        "D": str(request.took_us if version >= 10 else request.took_us // 1000),
        "T": _seconds(code.parameter if code.letter == "T" else None, request.took_us, version),
        "b": "77",
        "B": "77",
        "h": "192.0.2.7",
        "a": "192.0.2.7",
        "l": "-",
        "I": "http-nio-8090-exec-7",
        "S": "-",
    }
    if code.letter == WRAPPED:
        text = request.texts.get("any", "")
        return '"' + escaped(text).replace('\\"', '""') + '"' if text else "-"
    if code.parameter is None or code.letter in "tT":
        return fixed.get(code.letter) or escaped(request.texts.get(code.letter, ""))
    return escaped(request.texts.get(code.parameter, ""))


def _seconds(parameter: str | None, took_us: int, version: int) -> str:
    if parameter is None:
        return str(took_us // 1_000_000) if version >= 10 else f"{took_us // 1000 / 1000:.3f}"
    units = {"us": took_us, "ms": took_us // 1000, "ns": took_us * 1000 + 7, "s": took_us // 1_000_000}
    return f"{took_us // 1000 / 1000:.3f}" if parameter == "fracsec" else str(units[parameter])
