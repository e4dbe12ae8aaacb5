"""`status`: is it well, and if not, what to do."""

from __future__ import annotations

import typer

from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_view, service_and_way
from agent.system.clock import SystemClock


def status(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show in plain words whether all is well: link, last tick, last confirmed push, what waits, what to do.

    Exit codes: 0 all is well, 1 something fails, 3 not delivering, 4 not linked, 10 configuration, 12 store.

    Example: portfolio-agent status --json
    """
    from agent.views.status import read_status, render_status

    settings, way = service_and_way(config)
    view = read_status(settings, SystemClock().now(), way)
    print_view(view, render_status, as_json=as_json)
    raise typer.Exit(view.exit_code)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Is all well, and if not, what to do.")(status)
