"""How a command ends that failed: words on standard error, under `--json` one document on standard output.

Standard output, since whoever asked for JSON reads that and finds one document there whatever happens. The exit code
is the same either way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import typer
from typer.exceptions import TyperException

from agent.errors import AgentError

if TYPE_CHECKING:
    from agent.views.error import ConfigErrorFacts, ErrorFacts

INTERRUPTED = 130  # as a shell tells of a command that Ctrl-C ended


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether `--json` is among the options; asked of the words themselves, as they may be what cannot be parsed."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def run_for_people(command: Callable[..., Any]) -> int:
    """Run the command line; typer tells usage errors and ends the process by itself."""
    try:
        command()
    except AgentError as error:
        return _told(error)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _told(_words_of(error))
    except KeyboardInterrupt:
        print("portfolio-agent: Interrupted; what was not finished is as before.", file=sys.stderr)
        return INTERRUPTED
    return 0


def _words_of(error: OSError) -> AgentError:
    from agent.settings.unreachable import out_of_reach

    if not isinstance(error.filename, str):
        raise error
    return out_of_reach(error)


def _told(error: AgentError) -> int:
    print(f"portfolio-agent: {error}", file=sys.stderr)
    return error.exit_code


def run_for_scripts(command: Callable[..., Any]) -> int:
    """Run the command line under `--json`: every error is a document, those of typer and faults of the agent too."""
    from agent.views.error import ABORTED, INTERNAL, USAGE, ErrorFacts, facts_of

    try:
        return int(command(prog_name="portfolio-agent", standalone_mode=False) or 0)
    except AgentError as error:
        return _said(facts_of(error), error.exit_code)
    except TyperException as error:
        return _said(ErrorFacts(USAGE, error.format_message(), do=_help_of(error)), error.exit_code)
    except typer.Abort:
        return _said(ErrorFacts(ABORTED, "Nothing was answered, so nothing was done."), 1)
    except BrokenPipeError:
        raise
    except OSError as error:
        told = _words_of(error)
        return _said(facts_of(told), told.exit_code)
    except KeyboardInterrupt:
        return _said(ErrorFacts(ABORTED, "Interrupted; what was not finished is as before."), INTERRUPTED)
    except Exception as error:  # a fault of ours: whoever reads JSON must get JSON, whoever mends it the traceback
        import traceback

        traceback.print_exc()
        what = f"A fault in the agent: {type(error).__name__}."
        return _said(ErrorFacts(INTERNAL, what, do="Please report it with what stands on standard error."), 1)


def _said(facts: ErrorFacts | ConfigErrorFacts, exit_code: int) -> int:
    from agent.views.error import ErrorView
    from agent.views.render_json import render_json

    typer.echo(render_json(ErrorView(facts)))
    return exit_code


def _help_of(error: TyperException) -> str:
    context = getattr(error, "ctx", None)  # only a UsageError has one
    return "" if context is None else f"See: {context.command_path} --help"
