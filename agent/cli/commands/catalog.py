"""`catalog show` and `catalog check`: every MBean, SQL statement and field, with its consent class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.asking import parse_level
from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_view

app = typer.Typer(
    help="What is read and what may leave.", rich_markup_mode=None, no_args_is_help=True, add_completion=False
)
SHOW_EPILOG = "Exit codes: 0 shown, 2 usage, 10 configuration. Example: portfolio-agent catalog show --consent basic"
CHECK_EPILOG = "Exit codes: 0 every field is classified, 10 one is not. Example: portfolio-agent catalog check"


def register(parent: typer.Typer) -> None:
    """Add `catalog` to the command line."""
    parent.add_typer(app, name="catalog")


@app.command(epilog=SHOW_EPILOG, short_help="Every metric: where it is read, what may leave.")
def show(
    product: Annotated[
        str, typer.Option("--product", metavar="NAME", help="A product; without it the configured one, or jira.")
    ] = "",
    consent: Annotated[
        str, typer.Option("--consent", metavar="LEVEL", help="Only what may leave under it: basic or extended.")
    ] = "",
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL statements as well.")] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Print every metric that is read, from which MBean or statement, and under which consent it may leave."""
    from agent.views.catalog import read_catalog
    from agent.views.catalog_text import render_catalog

    view = read_catalog(product or _configured(config), parse_level(consent) if consent else None, sql=sql)
    print_view(view, render_catalog, as_json=as_json)


@app.command(epilog=CHECK_EPILOG, short_help="Whether every field is classified.")
def check(as_json: AsJson = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Check that every field of every product is classified, as the build does."""
    from agent.views.catalog import check_catalog
    from agent.views.catalog_text import render_catalog_check

    print_view(check_catalog(), render_catalog_check, as_json=as_json)


def _configured(config: Path) -> str:
    """The product of the configuration; jira where there is none yet, since one may look before installing."""
    if config == DEFAULT_CONFIG and not config.exists():
        return "jira"
    from agent.settings import load_settings

    return str(load_settings(config).instance.product)
