"""`sample`: one tick, shown instead of stored."""

from __future__ import annotations

import typer

from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_json


def sample(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Take one tick now and print each value with source, consent class and whether it would be sent; stores nothing.

    Exit codes: 0 all sources answered, 1 a source failed, 10 configuration.

    Example: portfolio-agent sample --json
    """
    from agent.settings.load import load_settings
    from agent.system.account import act_as_owner
    from agent.views.sample import read_once, render_once

    settings = load_settings(config)
    act_as_owner(settings.agent.state_dir)
    taken = read_once(settings)
    if as_json:
        print_json(taken.to_json())
    else:
        typer.echo(render_once(taken))
    raise typer.Exit(taken.exit_code)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Take one tick now; stores and sends nothing.")(sample)
