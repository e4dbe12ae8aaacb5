"""The command line inside this process: every command and its exit code without the half second of a process.

What a command leaves in its process (signal handlers, the log's handlers, the standard streams) is put back. Where
the process itself is tried (the daemon, a signal, a terminal, its command line in /proc) a real one is started;
tests/cli/test_processes.py has one for each command.
"""

from __future__ import annotations

import io
import json
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

from agent.cli.main import main
from agent.log import LIBRARIES

HANDLED = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Finished:
    """What one command left: exit code and everything it printed."""

    code: int
    out: str
    err: str = ""

    @property
    def text(self) -> str:
        """All of it."""
        return self.out + self.err

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def run_here(*arguments: object, given: str = "") -> Finished:
    """What one command line prints and returns, with `given` on its standard input, which is no terminal."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code: object = 0
    with _as_it_was(), redirect_stdout(out), redirect_stderr(err):
        sys.argv = ["portfolio-agent", *map(str, arguments)]
        sys.stdin = io.TextIOWrapper(io.BytesIO(given.encode()), encoding="utf-8")
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]  # a BytesIO
    assert isinstance(code, int)
    return Finished(code, *texts)


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Put back what a command changes in the process it runs in, in the belief that this ends with it."""
    arguments, stdin = sys.argv, sys.stdin
    signals = {number: signal.getsignal(number) for number in HANDLED}
    root = logging.getLogger()
    handlers, levels = root.handlers[:], {name: logging.getLogger(name).level for name in (None, "agent", *LIBRARIES)}
    try:
        yield
    finally:
        sys.argv, sys.stdin = arguments, stdin
        for number, handler in signals.items():
            signal.signal(number, handler)
        root.handlers[:] = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
