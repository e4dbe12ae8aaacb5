"""Tomcat's patterns become line readers; what they find is checked on real lines of each form."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SourceError
from agent.sources.clientside.pattern import LineReader, compile_pattern
from tests.support.access_logs import CONFLUENCE, CONTAINER, JIRA, jira_line


def found(reader: LineReader, lines: bytes) -> list[tuple[bytes, ...]]:
    """(path beginning, status, duration) of each line read."""
    return [tuple(row[position] for position in reader.order) for row in reader.rows(lines)]


CASES = [
    (JIRA, jira_line(7), (b"/rest", b"200", b"12")),
    (JIRA, jira_line(7).replace(b"erika.mustermann", b"-"), (b"/rest", b"200", b"12")),
    (JIRA, jira_line(7).replace(b"erika.mustermann", b"erika m [x]"), (b"/rest", b"200", b"12")),
    (JIRA, jira_line(7, "/rest/analytics/1.0/publish/bulk"), (b"/rest/analytics", b"200", b"12")),
    (JIRA, jira_line(7, "/rest/analytics2/x"), (b"/rest", b"200", b"12")),
    (JIRA, jira_line(7, "/"), (b"/", b"200", b"12")),
    (JIRA, jira_line(7, "/browse;jsessionid=AA"), (b"/browse", b"200", b"12")),
    (
        CONFLUENCE,
        b"[22/Nov/2026:10:00:00 +0000] erika http-nio-8090-exec-7 192.0.2.7 GET /display/DS/Home?a=b HTTP/1.1 200 41ms "
        b"77 https://wiki.example.com/x Mozilla/5.0 (X11)\n",
        (b"/display", b"200", b"41"),
    ),
    (
        CONFLUENCE,
        b"[22/Nov/2026:10:00:00 +0000] - http-nio-8090-exec-7 url: /x; user: erika 192.0.2.7 POST /rest/api HTTP/1.1 "
        b"503 9ms - - curl\n",
        (b"/rest", b"503", b"9"),
    ),
    (
        CONTAINER,
        b'192.0.2.7 - [22/Nov/2026:10:00:00 +0000] "GET /status HTTP/1.1" 200 20 350 /status http-nio-1 "kube-probe"\n',
        (b"/status", b"200", b"350"),
    ),
    (CONTAINER, b'192.0.2.7 - [22/Nov/2026:10:00:00 +0000] "-" 400 - 0 - http-nio-1 "-"\n', (b"", b"400", b"0")),
    ("common", b'192.0.2.7 - erika [22/Nov/2026:10:00:00 +0000] "GET /a/b HTTP/1.1" 404 -\n', (b"/a", b"404", b"")),
    ('%T %s "%{Referer}i" %U', b'0.123 200 "http://x/\\" 1" /browse/A-1\n', (b"/browse", b"200", b"0.123")),
]


@pytest.mark.parametrize(("pattern", "line", "fields"), CASES)
def test_fields_of_a_line(pattern: str, line: bytes, fields: tuple[bytes, ...]) -> None:
    """The beginning of the path, status and duration are found, whatever stands in the fields between."""
    assert found(compile_pattern(pattern, "", 9), line * 2) == [fields] * 2


def test_context_path_is_stepped_over() -> None:
    """Below a context path classes are found as without one; a path that only begins like it is left alone."""
    reader = compile_pattern(JIRA, "/jira", 9)
    lines = jira_line(1, "/jira/rest/x") + jira_line(2, "/jirafoo/rest") + jira_line(3, "/rest/x")
    assert [row[0] for row in found(reader, lines)] == [b"/rest", b"/jirafoo", b"/rest"]


@pytest.mark.parametrize(
    ("pattern", "version", "unit_us", "why"),
    [
        (JIRA, 9, 1000, ""),
        (JIRA, 8, 1000, ""),
        (JIRA, 10, 1, ""),
        (JIRA, 11, 1, ""),
        (CONFLUENCE, 10, 1, ""),  # "%Dms" still says ms there; it is wrong
        (JIRA, 0, None, "unit-unknown"),
        ("%s %T %U", 0, 1_000_000, ""),
        ("%s %{ms}T %U", 10, 1000, ""),
        ("%s %{us}T %U", 10, 1, ""),
        ("common", 9, None, "not-supported"),
    ],
)
def test_unit_of_durations(pattern: str, version: int, unit_us: int | None, why: str) -> None:
    """%D is milliseconds before Tomcat 10 and microseconds from it on; without the version it is nothing."""
    reader = compile_pattern(pattern, "", version)
    assert (reader.unit_us, reader.why_no_duration) == (unit_us, why)


def test_pattern_without_path_and_status_is_refused() -> None:
    """A log that tells neither is said to be unreadable, with what to do."""
    with pytest.raises(SourceError) as caught:
        compile_pattern("%t %D")
    assert (caught.value.reason, bool(caught.value.do)) == ("not-supported", True)


def test_other_lines_are_left_out_and_do_no_harm() -> None:
    """A broken line between two good ones costs itself only."""
    lines = jira_line(1) + b'torn line without an end quote "GET /x\n' + b"\n\xff\xfe\n" + jira_line(2)
    assert len(found(compile_pattern(JIRA, "", 9), lines)) == 2


@given(st.binary(max_size=400).map(lambda text: text.replace(b"\n", b"")))
def test_no_line_reads_into_the_next(text: bytes) -> None:
    """Whatever stands in one line, the line after it is read as it is."""
    reader = compile_pattern(JIRA, "", 9)
    assert found(reader, text + b"\n" + jira_line(5))[-1] == (b"/rest", b"200", b"12")


@pytest.mark.parametrize("pattern", [JIRA, CONFLUENCE, CONTAINER, "combined"])
@pytest.mark.parametrize("piece", [b"a ", b"[", b'"', b"\\", b"GET / ", b'] "GET /x ', b"/", b" 200 "])
def test_made_up_lines_cost_no_more_than_their_length(pattern: str, piece: bytes) -> None:
    """A line made to confuse, 64 KiB long, is done with in well under a second: nobody can stop the agent with one."""
    reader = compile_pattern(pattern, "", 9)
    began = time.process_time()
    reader.rows(piece * (65536 // len(piece)) + b"\n")
    assert time.process_time() - began < 1
