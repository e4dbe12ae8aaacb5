"""`explain METRIC`: why is this number so, or why is there none."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_view, settings_of_service
from agent.system.clock import SystemClock


def explain(
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="A name as `catalog show` and `sample` have it.")],
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    now: Annotated[bool, typer.Option("--now", help="Read its source now; stores nothing.")] = False,
) -> None:
    """Show where a metric is read, its last values, what of it leaves, its last hours; if it is missing, why.

    Exit codes: 0 it has a value, 1 it has none now, 2 usage (no such metric), 10 configuration, 12 store.

    Example: portfolio-agent explain jvm.memory.heap.used
    """
    from agent.views.explain import read_explanation, render_explanation

    settings = settings_of_service(config)
    view = read_explanation(settings, metric, SystemClock().now(), live=now)
    print_view(view, render_explanation, as_json=as_json)
    raise typer.Exit(view.exit_code)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Why a number is so, or why there is none.")(explain)
