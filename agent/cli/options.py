"""The options every command shares, and how a command's answer is printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

DEFAULT_CONFIG = Path("/etc/portfolio-agent/agent.toml")

ConfigPath = Annotated[Path, typer.Option("--config", help="The agent's configuration file.", metavar="FILE")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of text.")]

View = TypeVar("View")


def print_view(view: View, as_text: Callable[[View], str], *, as_json: bool) -> None:
    """Write the answer to standard output: the view as one JSON document, or as text."""
    if as_json:
        print_json(view)
    else:
        typer.echo(as_text(view))


def print_json(view: object) -> None:
    """Write a view to standard output as one JSON document."""
    from agent.views.render_json import render_json

    typer.echo(render_json(view))
