"""What a user can type changes no status and no time: lines of a model of Tomcat's writer, read back."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.sources.clientside.forms import Form
from agent.sources.clientside.pattern import LineReader, compile_pattern
from tests.support.access_logs import CONFLUENCE, CONTAINER, JIRA
from tests.support.tomcat_writer import Request, line_of

W3C = "date time cs-method cs-uri-stem cs-uri-query sc-status time-taken-ms cs(Referer) cs(User-Agent)"
# Everything stands between quotes or at an end of the line: each line is read, whatever is in it.
CERTAIN = [
    (JIRA, Form.PLAIN),
    (CONTAINER, Form.PLAIN),
    ("combined", Form.PLAIN),
    ('%h %l %u %t "%r" %s %b %D "%{Referer}i" "%{User-Agent}i"', Form.PLAIN),
    ('"%{Referer}i" %u "%r" %s %D', Form.PLAIN),
    ("%s %D %U %{User-Agent}i", Form.PLAIN),
    ("%u %{Referer}i %s %D", Form.PLAIN),
    ("%t|%m|%s|%D|%U|%{User-Agent}i", Form.PLAIN),
    ("%{yyyy-MM-dd HH:mm:ss}t %u %r %s %D", Form.PLAIN),
    ('%h %u %s %D "%r"', Form.PLAIN),
    ("common", Form.JSON),
    ("%h %u %t %m %U %q %H %s %D %{Referer}i %{User-Agent}i %{X-AUSERNAME}o", Form.JSON),
    (W3C, Form.EXTENDED),
]
# A user's text stands open on both sides: a line may be left out, and is never read otherwise than it was meant.
OPEN = [
    (CONFLUENCE, Form.PLAIN),
    ("%t %u %r %s %Dms %b %{Referer}i", Form.PLAIN),
    ("%u %s %D %{Referer}i", Form.PLAIN),
    ("%u|%r|%s|%D|%{User-Agent}i", Form.PLAIN),
    ("%U|%s|%D", Form.PLAIN),
    ("%u %r %s %{User-Agent}i %D", Form.PLAIN),
    ("%q %s %D", Form.JSON),
]
HOSTILE = (
    "z q GET /rest/y HTTP/1.1 500 99999ms w",
    "z http-nio-8090-exec-7 192.0.2.7 GET /rest/y HTTP/1.1 500 99999ms 5 x",
    "GET /rest/y HTTP/1.1 500 99999ms 5",
    "192.0.2.7 GET /rest/y HTTP/1.1 500 99999ms",
    "500 99999",
    "x 500 99999 y",
    '"GET /rest/y HTTP/1.1" 500 5 99999 "',
    '\\" [22/Nov/2026:10:00:00 +0000] "GET /x HTTP/1.1" 500 5 99999 "',
    '[22/Nov/2026:10:00:00 +0000] \\"GET /x HTTP/1.1\\" 500 5 99999 \\',
    '","statusCode":"500","elapsedTime":"99999',
    "\n500 99999",
    "|GET /x HTTP/1.1|500|99999|",
    "- 500 99999ms 5 -",
    "ü\\",
    "-",
    "",
)
USER = ("u", "X-AUSERNAME", "jira.request.username", "any")
PATHS = ("/browse/A-1", "/", "/rest/500", "/x|500|99999", "/p[x]", '/a"b', "/a\\b", "/status")
QUERIES = (None, "", "a=1", 'a="b"', '","statusCode":"500","elapsedTime":"99999', "a=|500|99999|", "500", '"')
PIECES = ("a ", "[", '"', "\\", "GET / ", '] "GET /x ', "/", " 200 ", " GET /x HTTP/1.1 200 1ms 5", "|")
texts = st.sampled_from(HOSTILE) | st.text(st.characters(max_codepoint=255), max_size=30)
requests = st.builds(
    lambda path, query, status, took_ms, one, two, three: Request(
        path=path,
        query=query,
        status=status,
        took_us=took_ms * 1000,
        texts={
            "u": one,
            "X-AUSERNAME": one,
            "jira.request.username": one,
            "any": one,
            "Referer": two,
            "User-Agent": three,
        },
    ),
    st.sampled_from(PATHS),
    st.sampled_from(QUERIES),
    st.sampled_from((200, 302, 404, 503)),
    st.integers(0, 9_999),
    texts,
    texts,
    texts,
)


def fields(reader: LineReader, line: bytes) -> list[tuple[bytes, float | None]]:
    """Status and milliseconds of each line read."""
    found = []
    for row in reader.rows(line):
        _, status, took = (row[position] for position in reader.order)
        unit = reader.unit_us
        found.append((status, float(took) * unit / 1000 if unit is not None and took else None))
    return found


def meant(reader: LineReader, request: Request) -> tuple[bytes, float | None]:
    """What must come out of the request's line."""
    status = str(request.status).encode() if reader.has_status else b""
    return status, None if reader.unit_us is None else request.took_us / 1000


def is_quirk(request: Request, form: Form, *, modern: bool) -> bool:
    """An old JSON valve writes a query's quotes as they are, which is no JSON: such a line may be left out."""
    return form is Form.JSON and not modern and '"' in request.path + (request.query or "")


@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize(("pattern", "form"), CERTAIN)
@given(request_=requests)
def test_every_line_is_read_as_it_was_meant(pattern: str, form: Form, modern: bool, request_: Request) -> None:
    """Between quotes and from the ends: status and time are the answer's."""
    reader = compile_pattern(pattern, "", 10, form)
    found = fields(reader, line_of(pattern, request_, form, modern=modern))
    assert found == [meant(reader, request_)] or (not found and is_quirk(request_, form, modern=modern))


@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize(("pattern", "form"), OPEN)
@given(request_=requests)
@example(request_=Request(texts={"X-AUSERNAME": HOSTILE[0], "u": HOSTILE[0]}))
def test_a_line_is_read_as_it_was_meant_or_not_at_all(
    pattern: str, form: Form, modern: bool, request_: Request
) -> None:
    """Where a user's text stands open on both sides, a forged line costs itself only."""
    reader = compile_pattern(pattern, "", 10, form)
    found = fields(reader, line_of(pattern, request_, form, modern=modern))
    expected = meant(reader, request_)
    assert all(status in (b"", expected[0]) and took in (None, expected[1]) for status, took in found)


def test_forged_user_of_confluence_is_counted_as_answered() -> None:
    """Text that looks like a request and lacks one of its fields makes no doubt: 200 and 41 ms."""
    reader = compile_pattern(CONFLUENCE, "", 10)
    for text in HOSTILE[:1] + HOSTILE[5:]:
        line = line_of(CONFLUENCE, Request(texts={"X-AUSERNAME": text}))
        assert fields(reader, line) == [(b"200", 41.0)], text


def test_forged_from_end_to_end_is_left_out() -> None:
    """Two places of a line where all fields fit: neither is believed, and the line is among the unread."""
    reader = compile_pattern(CONFLUENCE, "", 10)
    lines = b"".join(
        line_of(CONFLUENCE, Request(texts={name: HOSTILE[1]})) for name in ("X-AUSERNAME", "Referer", "User-Agent")
    )
    assert fields(reader, lines) == []
    assert reader.unread(lines, 0) == 3


def test_places_that_overlap_are_seen_too() -> None:
    """A forged request that shares a space with the real one behind it is a second place all the same."""
    pattern = "%t %u %r %s %Dms %b %{Referer}i"
    line = line_of(pattern, Request(texts={"u": "x GET /x HTTP/1.1 500 9ms 5"}))
    assert fields(compile_pattern(pattern, "", 10), line) == []


@pytest.mark.parametrize(("pattern", "form"), CERTAIN + OPEN)
@pytest.mark.parametrize(
    "piece", ["a ", "[", '"', "\\", "GET / ", '] "GET /x ', "/", " 200 ", " GET /x HTTP/1.1 200 1ms 5", "|"]
)
def test_made_up_lines_cost_no_more_than_their_length(pattern: str, form: Form, piece: str) -> None:
    """A line made to confuse, 64 KiB long, is done with in well under a second: nobody can stop the agent with one."""
    reader = compile_pattern(pattern, "", 9, form)
    long = piece * (65536 // len(piece))
    began = time.process_time()
    reader.rows(long.encode() + b"\n")
    reader.rows(line_of(pattern, Request(texts=dict.fromkeys(("u", "X-AUSERNAME", "Referer", "any"), long)), form))
    assert time.process_time() - began < 1
