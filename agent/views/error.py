"""What went wrong, for scripts: under `--json` an error is a document on standard output too, and the exit code stays.

In:   an error of ours, or the words of the command line's parser. Out: `{"error": {"code", "what", "why", "do"}}`.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.errors import AgentError, ConfigError, Mistake

USAGE, ABORTED, INTERNAL = "usage", "aborted", "internal"  # what is no error of ours still has a word


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """One error: a stable word for its kind, what happened, why, what to do; "" where there is nothing to say."""

    code: str
    what: str
    why: str = ""
    do: str = ""


@dataclass(frozen=True, slots=True)
class ConfigErrorFacts:
    """Faults of a configuration or catalog file, all of them: `mistakes` says where each is and what would be right."""

    code: str
    what: str
    why: str
    do: str
    mistakes: tuple[Mistake, ...]


@dataclass(frozen=True, slots=True)
class ErrorView:
    """What any command prints under `--json` in place of its answer when it fails."""

    error: ErrorFacts | ConfigErrorFacts


def facts_of(error: AgentError) -> ErrorFacts | ConfigErrorFacts:
    """The facts of an error of ours."""
    if isinstance(error, ConfigError):
        return ConfigErrorFacts(error.code, error.what, error.why, error.do, tuple(error.mistakes))
    return ErrorFacts(error.code, error.what, error.why, error.do)


def error_text(facts: ErrorFacts | ConfigErrorFacts) -> str:
    """The same words that the command line prints for an error of ours."""
    mistakes = facts.mistakes if isinstance(facts, ConfigErrorFacts) else ()
    lines = [facts.what, *(f"- {mistake}" for mistake in mistakes)]
    lines += [f"Why: {facts.why}"] if facts.why else []
    lines += [f"Do: {facts.do}"] if facts.do else []
    return "\n  ".join(lines)
