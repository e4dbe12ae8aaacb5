"""The command line: registers each command, maps each error to its exit code, imports nothing heavy.

A command lives in `cli/commands/NAME.py`: parse, call one function, print. What it needs it imports inside, so that
`status` does not pay for `deliver`.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import typer

import agent.cli.commands
from agent.cli.failure import run_for_people, run_for_scripts, wants_json

EXIT_CODES = (
    "Exit codes: 0 ok, 1 degraded or partial, 2 usage, 3 not delivering, 4 not linked, "
    "10 configuration, 11 key, 12 store, 13 another instance runs."
)

app = typer.Typer(
    name="portfolio-agent",
    help="Watches one Data Center product and reports its health as far as its owner consented.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def register() -> None:
    """Add every command of `cli/commands/`; each module has `register(app)`."""
    if app.registered_commands:
        return
    for module in sorted(pkgutil.iter_modules(agent.cli.commands.__path__), key=lambda item: item.name):
        importlib.import_module(f"agent.cli.commands.{module.name}").register(app)


def main() -> None:
    """Run one command; an error becomes words on standard error, under `--json` a document, and its exit code."""
    register()
    run = run_for_scripts if wants_json(sys.argv[1:]) else run_for_people
    try:
        sys.exit(run(app))
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing to report to.
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
