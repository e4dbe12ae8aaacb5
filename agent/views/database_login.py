"""What `init` and `config check` tell of the login to the product's database: could it write, and what could it read.

In:   the settings; the database is asked once, read-only. Out: the proof, or why it was not asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from agent.errors import SourceError
from agent.settings import Settings
from agent.views.render_json import TEXT_ONLY

DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class LoginNotAsked:
    """Nothing is known of the login; `why` is a stable word."""

    asked: Literal[False] = field(default=False, kw_only=True)
    why: str
    words: tuple[str, ...] = field(metadata=TEXT_ONLY)


@dataclass(frozen=True, slots=True)
class LoginProven:
    """What the login may write (`may_write`), read beside what is needed, and what every login may do there."""

    asked: Literal[True] = field(default=True, kw_only=True)
    can_write: bool
    may_write: tuple[str, ...]
    may_read_too: tuple[str, ...]
    left_open: tuple[str, ...]
    words: tuple[str, ...] = field(metadata=TEXT_ONLY)


DatabaseLoginView = LoginNotAsked | LoginProven


def read_database_login(settings: Settings) -> DatabaseLoginView:
    """What is known of the login, `words` for a person with it; also when the database cannot be asked now."""
    if not settings.database.enabled:
        return LoginNotAsked(DISABLED, ("The database is not read.",))
    from agent.product.database.connect import prove_access  # imports SQLAlchemy

    try:
        proof = prove_access(settings)
    except SourceError as error:
        line = f"Whether the login can write was not asked: {error.what} {error.why}".rstrip()
        return LoginNotAsked(error.reason, (line,))
    words = tuple(proof.lines())
    if proof.can_write and settings.database.refuses_writable_login:
        words += ("The agent will not use it (allow_writable_login is false for an own account).",)
    return LoginProven(proof.can_write, proof.findings, proof.too_wide, proof.left_open, words)
