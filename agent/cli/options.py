"""The options every command shares, and how a command's answer is printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

DEFAULT_CONFIG = Path("/etc/portfolio-agent/agent.toml")

ConfigPath = Annotated[Path, typer.Option("--config", help="The agent's configuration file.", metavar="FILE")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of text.")]


def print_json(answer: Any) -> None:
    """Write one JSON document to standard output."""
    typer.echo(json.dumps(answer, indent=2, sort_keys=False, default=str, allow_nan=False))
