"""The command line inside this process: every command and its exit code without the half second of a process.

For commands that read. What changes the process itself (`run`, `deliver` with its signals and log, `link` with its
standard input) is run as a real one: `tests.support.site.Agent.run`.
"""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout

from agent.cli.main import main
from tests.support.linking import Finished


def run_here(*arguments: str) -> Finished:
    """What one command line prints and returns."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    before, sys.argv = sys.argv, ["portfolio-agent", *arguments]
    code: object = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.argv = before
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]  # a BytesIO
    assert isinstance(code, int)
    return Finished(code, *texts)
