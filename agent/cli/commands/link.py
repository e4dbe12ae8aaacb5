"""`link`: a pasted security key becomes the link of this instance."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.asking import agree_to_level, at_terminal, parse_level, read_key
from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_view
from agent.model import ConsentLevel
from agent.system.clock import SystemClock


def link(
    context: typer.Context,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    consent: Annotated[
        str | None, typer.Option("--consent", help="What may leave: basic or extended.", metavar="LEVEL")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree without being asked.")] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Only show what the key is for (organisation, end); store nothing.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Try the key of the last run again, after the cloud could not be reached.")
    ] = False,
) -> None:
    """Link this instance to the cloud with a pasted security key.

    Shows what will leave, asks for consent, reads the key without showing it, and proves it with the cloud before an
    older key is dropped. The key comes by prompt or on standard input, never as an argument.

    Exit codes: 0 linked, 2 not a key or not agreed, 3 the cloud did not answer, 10 configuration, 11 key refused,
    12 store.

    Example: portfolio-agent link --consent basic < key.txt
    """
    from agent.link.paste import refuse_arguments
    from agent.runtime import linking
    from agent.settings.load import load_settings
    from agent.views.link import link_show_view, link_view, render_link, render_link_show

    refuse_arguments(context.args)
    settings = load_settings(config)
    if show:
        view = link_show_view(linking.look_at_key(settings, read_key))
        print_view(view, render_link_show, as_json=as_json)
        return

    def agree(screen: str) -> ConsentLevel:
        chosen = None if consent is None else parse_level(consent)
        # A script that pipes the key in and names the level has said what it agrees to.
        return agree_to_level(screen, chosen, yes=yes or (chosen is not None and not at_terminal()))

    record = (
        linking.resume_link(settings, SystemClock())
        if resume
        else linking.link(settings, agree, read_key, SystemClock())
    )
    print_view(link_view(record), render_link, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the command; unknown arguments are let in: our refusal does not repeat them, the parser's would."""
    app.command(
        short_help="Connect to the cloud with a pasted security key.",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(link)
