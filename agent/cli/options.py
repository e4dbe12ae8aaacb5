"""The options every command shares, and how a command's answer is printed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from agent.errors import ConfigError

if TYPE_CHECKING:
    from agent.product.instance.way import ClosedWay
    from agent.settings import Settings

DEFAULT_CONFIG = Path("/etc/portfolio-agent/agent.toml")

# readable=False: what keeps the file from being read is said by whoever reads it, with what mends it.
ConfigPath = Annotated[
    Path, typer.Option("--config", help="The agent's configuration file.", metavar="FILE", readable=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of text.")]

View = TypeVar("View")


def settings_of_service(config: Path) -> Settings:
    """The configuration; from here on root acts as the service account, whose state folder it names.

    Raises ConfigError when that account may not read the file itself: the service would not start, so nothing that
    root finds to be well says anything; and when it may not reach the link in the shared home.
    """
    settings, way = service_and_way(config)
    if way is not None and not os.access(settings.link_dir, os.X_OK):
        raise ConfigError(way.what, why=way.why, do=way.do)
    return settings


def service_and_way(config: Path) -> tuple[Settings, ClosedWay | None]:
    """The same, and what keeps the service account from the product's files; only root can know all of it."""
    from agent.settings.load import explain_unreadable, load_settings
    from agent.system.account import act_as_owner, owner_of

    settings = load_settings(config)
    way, owner = None, owner_of(settings.agent.state_dir)
    if owner is not None and owner.uid != 0:
        from agent.product.instance.way import closed_way

        way = closed_way(settings)
    act_as_owner(settings.agent.state_dir)
    try:
        with open(config, "rb"):
            return settings, way
    except OSError as error:
        raise explain_unreadable(config, error) from None


def print_view(view: View, as_text: Callable[[View], str], *, as_json: bool) -> None:
    """Write the answer to standard output: the view as one JSON document, or as text."""
    if as_json:
        print_json(view)
    else:
        typer.echo(as_text(view))


def print_json(view: object) -> None:
    """Write a view to standard output as one JSON document."""
    from agent.views.render_json import render_json

    typer.echo(render_json(view))
