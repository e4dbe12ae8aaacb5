"""Log lines of commands and of the hourly child: the records of `agent.log`, rendered by structlog.

JSON lines are field for field those of the resident process, which does without structlog; a person at a terminal
gets structlog's columns and colours.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from agent.log import LIBRARIES, LONGEST_VALUE, facts_of, is_journal, printable, priority


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send every event to `stream` (standard error) at `level` and above; libraries stay at WARNING."""
    target = stream or sys.stderr
    renderer: structlog.typing.Processor = _json_for_journal if is_journal(target) else _JSON
    if target.isatty():
        # https://no-color.org, and terminals that say they have none.
        colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        renderer = structlog.dev.ConsoleRenderer(
            colors=colours, timestamp_key="at", exception_formatter=structlog.dev.plain_traceback
        )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", key="at"),
                structlog.stdlib.add_log_level,
                _add_facts,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("agent").setLevel(level.upper())
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


_JSON = structlog.processors.JSONRenderer(default=str)


def _json_for_journal(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    """The line behind its priority, as the resident process writes it."""
    level = logging.getLevelNamesMapping().get(str(event.get("level", "info")).upper(), logging.INFO)
    return priority(level) + str(_JSON(logger, method, event))


def _add_facts(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The record's facts, masked and escaped as the resident process does."""
    event["event"] = printable(str(event["event"]))[:LONGEST_VALUE]
    event.update(facts_of(event["_record"]))
    return event
