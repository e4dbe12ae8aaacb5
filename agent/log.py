"""Log lines of the whole agent: an event name and its facts, JSON for the journal, plain text on a terminal.

Standard library only, for the resident process; the command line renders the same records through structlog
(`cli/log.py`). Events read `noun.past_verb`; facts are keys. Bodies and call arguments are never logged.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Any, TextIO

MASKED_KEYS = ("key", "password", "secret", "token", "authorization", "credential")
LONGEST_VALUE = 500
LIBRARIES = ("urllib3", "sqlalchemy", "jmxquery")


def logger(name: str) -> logging.Logger:
    """The logger of one part of the agent, `agent.<name>`."""
    return logging.getLogger(f"agent.{name}")


def log(to: logging.Logger, level: int, event: str, **facts: Any) -> None:
    """Write one event with its facts."""
    to.log(level, event, extra={"facts": facts})


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send every event to `stream` (standard error) at `level` and above; libraries stay at WARNING."""
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    handler.setFormatter(TextFormatter() if target.isatty() else JsonFormatter(priorities=is_journal(target)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries at debug print requests and headers.
    root.setLevel(logging.WARNING)
    logging.getLogger("agent").setLevel(level.upper())
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


def facts_of(record: logging.LogRecord) -> dict[str, Any]:
    """The facts of a record with secrets masked and control characters escaped."""
    facts: dict[str, Any] = getattr(record, "facts", {})
    return {name: clean(name, value) for name, value in facts.items()}


def clean(name: str, value: Any) -> Any:
    """A fact as it may be printed: masked by its name, escaped, cut."""
    # By the name of the fact, a second net: secrets travel as `Secret` and print as nothing anyway.
    if any(word in name.lower() for word in MASKED_KEYS):
        return "[redacted]"
    if isinstance(value, bool | int | float) or value is None:
        return value
    return printable(str(value))[:LONGEST_VALUE]


def printable(text: str) -> str:
    """Text with everything escaped that could forge a line or steer a terminal (control, bidi, line separators)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def is_journal(stream: TextIO) -> bool:
    """Whether what is written there goes to systemd's journal: the service manager names device and inode of it."""
    try:
        facts = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{facts.st_dev}:{facts.st_ino}"


def priority(level: int) -> str:
    """The mark that the journal takes off a line and files it by, so that `journalctl -p warning` finds it."""
    return f"<{next((number for least, number in _PRIORITIES if level >= least), 7)}>"


# Python's levels as syslog's: critical, error, warning, info; below that debug.
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: at, level, event, facts; in front of it the journal's priority when `priorities`."""

    def __init__(self, *, priorities: bool = False) -> None:
        super().__init__()
        self._priorities = priorities

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        mark = priority(record.levelno) if self._priorities else ""
        line = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "event": printable(record.getMessage())[:LONGEST_VALUE],
            **facts_of(record),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self.formatException(record.exc_info)
        return mark + json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """For a person at a terminal: time, level, event, key=value."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        facts = " ".join(f"{name}={value}" for name, value in facts_of(record).items())
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        line = f"{at} {record.levelname.lower():<7} {printable(record.getMessage())} {facts}".rstrip()
        if record.exc_info and record.exc_info[0] is not None:
            line += "\n" + self.formatException(record.exc_info)
        return line
