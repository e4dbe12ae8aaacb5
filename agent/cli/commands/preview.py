"""`preview`: the exact bytes that leave, before they do."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.asking import parse_level
from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_json, print_view, settings_of_service
from agent.errors import UsageError
from agent.system.clock import utc_now


def preview(
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    level: Annotated[
        str | None,
        typer.Option("--level", metavar="LEVEL", help="As it would be under this consent: basic or extended."),
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what extended adds to basic, as far as stored.")] = False,
    now: Annotated[bool, typer.Option("--now", help="The hour that is not closed yet, as if it ended now.")] = False,
) -> None:
    """Show the newest closed hour exactly as it is or would be sent, without sending anything.

    Works unlinked and offline, and with --now before the first hour is closed. The document goes to standard output
    byte for byte, a summary to standard error.

    Exit codes: 0 shown, 1 there is no such hour yet, 2 usage, 10 configuration, 12 store.

    Example: portfolio-agent preview --level extended
    """
    from agent.views.preview import read_difference, read_preview, render_difference, summary

    wanted = None if level is None else parse_level(level)
    if diff and now:
        raise UsageError(
            "--diff and --now do not go together.", why="The difference is of a closed hour.", do="Leave one out"
        )
    settings, at = settings_of_service(config), utc_now()
    if diff:
        print_view(read_difference(settings, at), render_difference, as_json=as_json)
        return
    view = read_preview(settings, at, wanted, so_far=now)
    if as_json:
        print_json(view)
        return
    for batch in view.batches:
        typer.echo(bytes(batch.document), nl=False)
    for line in summary(view):
        typer.echo(line, err=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Show the exact bytes that would be sent.")(preview)
