"""Commands log as the resident process does: the same fields, the same masking."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from agent import log as resident
from agent.cli import log as commands


@pytest.fixture(autouse=True)
def untouched_loggers() -> Iterator[None]:
    """Leave the root logger as it was."""
    root, own = logging.getLogger(), logging.getLogger("agent")
    before = root.handlers[:], root.level, own.level
    yield
    root.handlers[:], root.level = before[0], before[1]
    own.setLevel(before[2])


def written(configure: object) -> dict[str, object]:
    stream = io.StringIO()
    configure("info", stream)  # type: ignore[operator]  # either of two functions of one shape
    to = resident.logger("test")
    resident.log(to, logging.WARNING, "batch.refused\nforged", count=3, api_key="abc", said="a\x1b[31m\u202e", ok=None)
    logging.getLogger("urllib3").info("a request")
    return dict(json.loads(stream.getvalue()))


def test_both_write_the_same_line() -> None:
    """One event, two renderers, the same fields and values; libraries below WARNING are silent in both."""
    ours, structlogs = written(resident.configure), written(commands.configure)
    ours.pop("at")
    structlogs.pop("at")
    assert structlogs == ours
    assert ours == {
        "level": "warning",
        "event": "batch.refused\\nforged",
        "count": 3,
        "api_key": "[redacted]",
        "said": "a\\x1b[31m\\u202e",
        "ok": None,
    }
