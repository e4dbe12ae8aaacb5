"""`config check` and `config show`: is the configuration right, and what is in force."""

from __future__ import annotations

import typer

from agent.cli.options import DEFAULT_CONFIG, AsJson, ConfigPath, print_json
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
    group.command("check", epilog=CHECK_EPILOG)(check)
    group.command("show", epilog=SHOW_EPILOG)(show)
    app.add_typer(group, name="config")


def check(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Report every mistake of the configuration at once, and whether the database login can write."""
    from agent.settings import check_places, load_settings

    try:
        settings = load_settings(config)
        if mistakes := check_places(settings, str(config)):
            raise ConfigError("The configuration names files that cannot be used.", mistakes, do="Mend what is listed.")
    except ConfigError as error:
        if not as_json:
            raise
        print_json(_answer(error))
        raise typer.Exit(error.exit_code) from None
    from agent.product.database.connect import access_report

    lines, facts = access_report(settings)
    if as_json:
        print_json({"ok": True, "mistakes": [], "databaseLogin": facts})
        return
    typer.echo(
        f"{config} is right: {settings.instance.product} in {settings.instance.home}, {settings.agent.mode} mode."
    )
    for line in lines:
        typer.echo(line)


def _answer(error: ConfigError) -> dict[str, object]:
    mistakes = [
        {
            "file": mistake.file,
            "line": mistake.line,
            "key": mistake.key,
            "problem": mistake.problem,
            "nearest": mistake.nearest,
        }
        for mistake in error.mistakes
    ]
    return {"ok": False, "what": error.what, "why": error.why, "do": error.do, "mistakes": mistakes}


def show(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show every setting with its value and where it comes from: the file or the default. No secret is opened."""
    from agent.settings import entries, load_with_origin

    loaded = load_with_origin(config)
    rows = [
        (entry.path, entry.text, "file" if entry.path in loaded.given else "default")
        for entry in entries(loaded.settings)
    ]
    if as_json:
        print_json(
            {
                "file": str(config),
                "settings": {path: {"value": text or None, "origin": origin} for path, text, origin in rows},
            }
        )
        return
    width = max(len(path) for path, _, _ in rows)
    typer.echo(f"{config}:")
    for path, text, origin in rows:
        typer.echo(f"  {path.ljust(width)}  {origin.ljust(7)}  {text or '(not set)'}")
