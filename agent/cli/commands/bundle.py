"""`bundle`: the same figures as a file, for upload by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_view, settings_of_service
from agent.system.clock import SystemClock


def bundle(
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", help="The folder to write to (default: the configured one).", metavar="DIR", readable=False
        ),
    ] = None,
) -> None:
    """Write a bundle of the last days: the sealed batches, a manifest, and what product and host are like.

    Basic without a link, the consent in force with one. No connection is made.

    Exit codes: 0 written, 1 nothing to bundle yet, 2 the path cannot be used, 10 configuration, 12 store or no room,
    13 a delivery run is at work and did not end within ten seconds.

    Example: portfolio-agent bundle --output /tmp/for-upload
    """
    from agent.runtime.hourly.bundle import write_bundle_by_hand
    from agent.views.bundle import read_bundle, render_bundle

    settings = settings_of_service(config)
    path = write_bundle_by_hand(settings, output or settings.bundle_folder, SystemClock())
    print_view(read_bundle(path), render_bundle, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Write a bundle for upload by hand.")(bundle)
