"""`unlink`: end the link in the cloud and remove it here."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.asking import agree
from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_view
from agent.system.clock import SystemClock


def unlink(
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    local: Annotated[
        bool, typer.Option("--local", help="Remove the link here only; the cloud is not told anything.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """End the link: revoke it in the cloud, then remove the stored key and its master key here.

    What waits to be sent stays on this host and is never sent without a new link. When the cloud cannot be reached
    nothing is removed; --local removes it here and says how to revoke by hand. To stop sending without telling
    anyone: portfolio-agent consent set none.

    Exit codes: 0 unlinked, 2 not agreed, 3 the cloud did not answer, 4 not linked, 10 configuration, 11 key, 12 store.

    Example: portfolio-agent unlink --local
    """
    from agent.runtime import linking
    from agent.settings.load import load_settings
    from agent.views.link import render_unlink, unlink_view

    def confirm() -> None:
        agree("End the link? A new key from the cloud is needed to link again.", yes=yes)

    done = linking.unlink(load_settings(config), confirm, SystemClock(), local=local)
    print_view(unlink_view(done, local=local), render_unlink, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="End the link and remove the key.")(unlink)
