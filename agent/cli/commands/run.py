"""`run`: becomes the resident process."""

from __future__ import annotations

import os
import sys

import typer

from agent.cli.options import DEFAULT_CONFIG, ConfigPath


def run(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Sample, aggregate and deliver until stopped; what the service runs.

    Logs to standard error: JSON lines for the journal, text on a terminal.

    Exit codes: 0 stopped, 10 configuration, 12 store, 13 another instance runs.

    Example: portfolio-agent run --config /etc/portfolio-agent/agent.toml
    """
    # The resident process replaces this one (same process id), so that the command line's libraries do not stay in
    # memory; without docstrings (-OO), which only help texts need.
    command = [sys.executable, "-OO", "-I", "-m", "agent.runtime", "--config", str(config)]
    os.execv(sys.executable, command)  # noqa: S606  # our own interpreter, a fixed list; no shell is wanted


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Sample and deliver until stopped (the service).")(run)
