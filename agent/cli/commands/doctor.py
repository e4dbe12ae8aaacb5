"""`doctor`: which stage fails, why, and what mends it."""

from __future__ import annotations

import typer

from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_view, service_and_way
from agent.system.clock import utc_now


def doctor(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Go through JMX, database, host, store, link and cloud stage by stage; name what fails, why, and what mends it.

    Changes nothing and sends no key; with mode = "offline" nothing is asked of the cloud. Ends within a minute.

    Exit codes: 0 all is well, 1 something failed, 10 configuration.

    Example: portfolio-agent doctor --json
    """
    from agent.views.doctor import examine, render_doctor

    settings, way = service_and_way(config)
    view = examine(settings, utc_now(), way=way)
    print_view(view, render_doctor, as_json=as_json)
    raise typer.Exit(view.exit_code)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Try JMX, database, host, store, link, cloud.")(doctor)
