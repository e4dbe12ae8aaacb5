"""`consent show` and `consent set`: what the owner allows to leave."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.asking import agree_to_level, parse_level
from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_view
from agent.model import ConsentLevel
from agent.system.clock import SystemClock

commands = typer.Typer(
    name="consent", help="Show or change what may leave this host.", no_args_is_help=True, rich_markup_mode=None
)


@commands.command("show")
def show(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show the consent in force, since when, and for which field list.

    Exit codes: 0 ok, 4 not linked, 10 configuration, 11 the link cannot be read.

    Example: portfolio-agent consent show --json
    """
    from agent.settings.load import load_settings
    from agent.views.consent import read_consent, render_consent

    print_view(read_consent(load_settings(config)), render_consent, as_json=as_json)


@commands.command("set")
def set_level(
    level: Annotated[str, typer.Argument(help="none, basic or extended.", metavar="LEVEL")],
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    yes: Annotated[bool, typer.Option("--yes", help="Agree without being asked.")] = False,
) -> None:
    """Change what may leave. Needs a link; the change itself is told to nobody.

    Exit codes: 0 changed, 2 no such level or not agreed, 4 not linked, 10 configuration, 11 the link cannot be read,
    12 store.

    Example: portfolio-agent consent set basic
    """
    from agent.runtime import linking
    from agent.settings.load import load_settings
    from agent.views.consent import consent_set_view, render_consent_set

    wanted = parse_level(level, tuple(ConsentLevel))
    change = linking.change_consent(
        load_settings(config), wanted, lambda screen: agree_to_level(screen, wanted, yes=yes), SystemClock()
    )
    print_view(consent_set_view(change), render_consent_set, as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(commands)
