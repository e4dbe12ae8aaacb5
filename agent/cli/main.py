"""The command line: registers each command, maps each error to its exit code, imports nothing heavy.

A command lives in `cli/commands/NAME.py`: parse, call one function, print. What it needs it imports inside, so that
`status` does not pay for `deliver`.
"""

from __future__ import annotations

import importlib
import pkgutil
import platform
import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import agent.cli.commands
from agent import __version__
from agent.cli.failure import run_for_people, run_for_scripts, wants_json

EXIT_CODES = (
    "Exit codes: 0 ok, 1 degraded or partial, 2 usage, 3 not delivering, 4 not linked, "
    "10 configuration, 11 key, 12 store, 13 another instance runs."
)

HELP = "Watches one Data Center product and reports its health as far as its owner consented."


def main() -> None:
    """Run one command; an error becomes words on standard error, under `--json` a document, and its exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments = sys.argv[1:]
    run = run_for_scripts if wants_json(arguments) else run_for_people
    try:
        sys.exit(run(command_line(asked_for(arguments))))
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing to report to.
        sys.stderr.close()
        sys.exit(0)


def _version(wanted: bool) -> None:
    """The version, and the Python it runs on: what one is asked for when a fault is reported."""
    if wanted:
        typer.echo(f"portfolio-agent {__version__} (Python {platform.python_version()})")
        raise typer.Exit


def command_line(only: str = "") -> typer.Typer:
    """The commands of `cli/commands/`, each module with `register(app)`; or only the one that is going to be run.

    Importing and describing the other twelve is a fifth of what `status` costs.
    """
    app = typer.Typer(
        name="portfolio-agent",
        help=HELP,
        epilog=EXIT_CODES,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},  # of every command below it too
        callback=_root,
    )
    for name in [only] if only else command_names():
        importlib.import_module(f"agent.cli.commands.{name}").register(app)
    return app


def command_names() -> list[str]:
    """The first words of all commands."""
    return sorted(module.name for module in pkgutil.iter_modules(agent.cli.commands.__path__))


def asked_for(arguments: Sequence[str]) -> str:
    """The command that these arguments name; "" for none that exists, for `--help` and the like."""
    first = arguments[0] if arguments else ""
    return first if first in command_names() else ""


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", help="Show the agent's version and exit.", is_eager=True, callback=_version),
    ] = False,
) -> None:
    """Makes a group of the command line even when one command alone is registered."""


if __name__ == "__main__":
    main()
