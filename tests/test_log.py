"""One event is one line; secrets are masked; nothing from outside steers a terminal."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from agent.log import LONGEST_VALUE, configure, log, logger, printable

HOSTILE = {
    "line feed": "a\nb",
    "carriage return": "a\rb",
    "line separator": "a\u2028b",
    "escape": "a\x1b[2Jb",
    "C1": "a\x9b31mb",
    "bidi": "a\u202eb",
    "bell": "a\x07b",
    "null": "a\x00b",
}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Give the process its logging back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    agent_level = logging.getLogger("agent").level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("agent").setLevel(agent_level)


@pytest.mark.fault(104)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_hostile_text_stays_one_harmless_line(stream: type[io.StringIO], text: str) -> None:
    """Whatever a name holds, the event is one line of printable characters."""
    to = stream()
    configure("info", to)
    log(logger("test"), logging.WARNING, "name.read", name=text)
    written = to.getvalue()
    assert written.count("\n") == 1
    assert written.rstrip("\n").isprintable()


@pytest.mark.fault(105)
def test_printable_escapes_and_keeps_letters() -> None:
    """Letters of any language stay; what steers a terminal is shown as its escape."""
    assert printable("Grüße 日本") == "Grüße 日本"
    assert printable("a\x1b[2J\u202e") == "a\\x1b[2J\\u202e"


@pytest.mark.parametrize("name", ["password", "security_key", "api_token", "Authorization", "client_secret"])
def test_secrets_are_masked_by_name(name: str) -> None:
    """A fact whose name says that it is secret is never written."""
    to = io.StringIO()
    configure("info", to)
    log(logger("test"), logging.INFO, "thing.done", **{name: "canary-value"})
    assert "canary" not in to.getvalue()
    assert json.loads(to.getvalue())[name] == "[redacted]"


def test_long_values_are_cut_and_libraries_are_quiet() -> None:
    """A fact is cut at its limit; what libraries say below WARNING is not written."""
    to = io.StringIO()
    configure("debug", to)
    log(logger("test"), logging.DEBUG, "thing.read", text="x" * 10_000, number=3)
    logging.getLogger("urllib3").info("GET https://canary")
    line = json.loads(to.getvalue())
    assert len(line["text"]) == LONGEST_VALUE
    assert line["number"] == 3
    assert line["level"] == "debug"
