"""`config check` and `config show`: is the configuration right, and what is in force."""

from __future__ import annotations

import typer

from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_view, service_and_way
from agent.errors import ConfigError

CHECK_EPILOG = """\
Exit codes: 0 all is right, 10 there are mistakes.

\b
Example:
  portfolio-agent config check --config /etc/portfolio-agent/agent.toml
"""
SHOW_EPILOG = """\
Exit codes: 0 shown, 10 the configuration has mistakes.

\b
Example:
  portfolio-agent config show --json
"""


def register(app: typer.Typer) -> None:
    """Add `config` with its two commands."""
    group = typer.Typer(
        help="Check the configuration file, or show what is in force.",
        epilog="Exit codes: 0 ok, 10 configuration.  Example: portfolio-agent config check",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("check", epilog=CHECK_EPILOG, short_help="Every mistake at once; whether the login can write.")(check)
    group.command("show", epilog=SHOW_EPILOG, short_help="Every setting, and where it comes from.")(show)
    app.add_typer(group, name="config")


def check(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Report every mistake of the configuration at once, and whether the database login can write."""
    from agent.views.config import check_config, render_config_check

    _, way = service_and_way(config)
    if way is not None:
        raise ConfigError(way.what, why=way.why, do=way.do)
    print_view(check_config(config), render_config_check, as_json=as_json)


def show(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show every setting with its value and where it comes from: the file or the default. No secret is opened."""
    from agent.views.config import read_config, render_config

    print_view(read_config(config), render_config, as_json=as_json)
