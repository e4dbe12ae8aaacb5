"""`unlink`: end the link in the cloud and remove it here."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.linking import agree, link_folder_for, note, open_audit, open_cloud
from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_json


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
    from agent.link.flow import BY_HAND, revoke
    from agent.link.record import remove_link
    from agent.settings.load import load_settings

    settings = load_settings(config)
    folder = link_folder_for(settings)
    with open_audit(settings) as store:
        agree("End the link? A new key from the cloud is needed to link again.", yes=yes)
        known: bool | None = None
        if not local:
            with open_cloud(settings) as client:
                known = revoke(folder, client)
        removed = remove_link(settings.link_dir)
        note(store, "link.removed", way="local" if local else "cloud and local", known_to_cloud=known)
    if as_json:
        print_json({"revokedInCloud": known, "removed": [str(path) for path in removed]})
        return
    if local:
        typer.echo(f"The cloud was not told. {BY_HAND}")
    else:
        typer.echo("Revoked in the cloud." if known else "The cloud did not know this link any more.")
    for path in removed:
        typer.echo(f"Removed {path}")
    if not removed:
        typer.echo("There was nothing to remove here.")
    typer.echo(
        "What waits to be sent is kept here and is not sent without a new link. Sampling goes on; "
        "bundles by hand hold Basic data: portfolio-agent bundle"
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="End the link and remove the key.")(unlink)
