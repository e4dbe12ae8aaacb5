"""`catalog show` and `catalog check`: every MBean, SQL statement and field, with its consent class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_json
from agent.model import ConsentLevel

app = typer.Typer(
    help="What is read and what may leave.", rich_markup_mode=None, no_args_is_help=True, add_completion=False
)
SHOW_EPILOG = "Exit codes: 0 shown, 2 usage, 10 configuration. Example: portfolio-agent catalog show --consent basic"
CHECK_EPILOG = "Exit codes: 0 every field is classified, 10 one is not. Example: portfolio-agent catalog check"


def register(parent: typer.Typer) -> None:
    """Add `catalog` to the command line."""
    parent.add_typer(app, name="catalog")


@app.command(epilog=SHOW_EPILOG)
def show(
    product: Annotated[str, typer.Option(help="A product; without it the configured one, or jira.")] = "",
    consent: Annotated[str, typer.Option(help="Only what may leave under this level: basic or extended.")] = "",
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL statements as well.")] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Print every metric that is read, from which MBean or statement, and under which consent it may leave."""
    from agent.catalog import load_catalog
    from agent.views.catalog import as_document, as_text

    catalog = load_catalog(product or _configured(config))
    document = as_document(catalog, _level(consent), sql=sql)
    if as_json:
        print_json(document)
    else:
        typer.echo(as_text(document))


@app.command(epilog=CHECK_EPILOG)
def check(as_json: AsJson = False, config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Check that every field of every product is classified, as the build does."""
    from agent.catalog import CatalogError
    from agent.catalog.check import check_all

    counts, faults = check_all()
    if faults:
        raise CatalogError(
            "The catalog is not complete.", faults, do="Install the agent again; its files were changed."
        )
    if as_json:
        print_json({"metrics": counts})
        return
    for name, count in counts.items():
        typer.echo(f"{name}: {count} metrics, every field classified")


def _configured(config: Path) -> str:
    """The product of the configuration; jira where there is none yet, since one may look before installing."""
    if config == DEFAULT_CONFIG and not config.exists():
        return "jira"
    from agent.settings import load_settings

    return str(load_settings(config).instance.product)


def _level(word: str) -> ConsentLevel | None:
    from agent.errors import UsageError

    if not word:
        return None
    if word not in (ConsentLevel.BASIC, ConsentLevel.EXTENDED):
        raise UsageError(f"'{word}' is no consent level.", do="Use: --consent basic or --consent extended")
    return ConsentLevel(word)
