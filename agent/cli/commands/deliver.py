"""`deliver`: what the daemon does each hour, by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_view, settings_of_service
from agent.system.clock import SystemClock


def deliver(
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    scheduled: Annotated[
        bool, typer.Option("--scheduled", help="As the daemon starts it: log lines instead of a report.")
    ] = False,
    no_push: Annotated[bool, typer.Option("--no-push", help="Close hours and seal batches, but send nothing.")] = False,
) -> None:
    """Close the hours that are over, seal what consent allows, and push what waits; offline, write a bundle when due.

    Exit codes: 0 nothing waits any more, 3 something could not be delivered and is kept, 4 not linked,
    10 configuration, 11 key, 12 store, 13 another delivery run is at work.

    Example: portfolio-agent deliver --no-push
    """
    from agent.cli import log
    from agent.runtime.hourly.run import run_hourly, run_scheduled
    from agent.system.stopping import stop_on_signals
    from agent.views.deliver import deliver_view, render_deliver

    settings = settings_of_service(config)
    log.configure(settings.agent.log_level)
    if scheduled:
        raise typer.Exit(run_scheduled(settings, SystemClock(), stop_on_signals()))
    report = run_hourly(settings, SystemClock(), push=not no_push, stopping=stop_on_signals())
    print_view(deliver_view(report), render_deliver, as_json=as_json)
    raise typer.Exit(report.exit_code())


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Close hours and push what waits, now.")(deliver)
