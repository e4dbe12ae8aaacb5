"""`sample`: one tick, shown instead of stored."""

from __future__ import annotations

import typer

from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_view, settings_of_service


def sample(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Take one tick now and print each value with source, consent class and whether it would be sent; stores nothing.

    Exit codes: 0 all sources answered, 1 a source failed, 10 configuration.

    Example: portfolio-agent sample --json
    """
    from agent.views.sample import read_sample, render_sample

    settings = settings_of_service(config)
    view = read_sample(settings)
    print_view(view, render_sample, as_json=as_json)
    raise typer.Exit(view.exit_code)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Take one tick now; stores and sends nothing.")(sample)
