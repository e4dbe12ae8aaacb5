"""What a database driver raises becomes a SourceError: a reason code, what happened, what to do.

Drivers put hosts, users, whole connection strings and even passwords into their texts. Nothing of such a text is
repeated: it is only searched for what tells the reason, and server codes are shown when they are plain codes.
SQLAlchemy is not imported here: its exceptions are told by their `orig`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from agent.errors import AgentError, SourceError
from agent.product.database.causes import CAUSES, NUMBERS, ORACLE, SQLSTATES, TEXTS
from agent.settings import Dialect

EXTRAS = {
    Dialect.POSTGRESQL: "postgresql",
    Dialect.MYSQL: "mysql",
    Dialect.ORACLE: "oracle",
    Dialect.SQLSERVER: "sqlserver",
}


# A code that stands for several things: which of them, the text tells.
FINER = {
    "connection-lost": frozenset({"pooler", "pooler-login", "other-protocol"}),
    "login-refused": frozenset(
        {"pg-hba", "role-nologin", "ident", "auth-method", "client-certificate", "mysql-locked"}
    ),
    "starting": frozenset({"not-served"}),
    "too-many-connections": frozenset({"account-connections"}),
    "permission-denied": frozenset({"connect-denied"}),
    "tls": frozenset({"tls-not-offered", "ca-unknown", "name-differs", "certificate-ended", "tls-old"}),
}


class DeadlinePassed(Exception):
    """This side gave up on a statement that the server did not end in time."""


def map_database_error(error: BaseException) -> SourceError:
    """The SourceError for whatever an engine of ours raised; raise it `from None`, the original may hold a password."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, DeadlinePassed):
        return _explained("timeout", "This side cut the connection: the server did not end the statement.")
    origin = getattr(error, "orig", None) or error
    cause, code = _by_code(origin)
    if cause in FINER:
        told = _by_text(origin)
        cause = told if told in FINER[cause] else cause
    return _explained(cause or _by_text(origin), f"{_driver(origin)} reports {code or type(origin).__name__}.")


@contextmanager
def database_errors() -> Iterator[None]:
    """Around every use of an engine of ours: what it raises leaves as a SourceError without its origin."""
    try:
        yield
    except AgentError:
        raise
    except Exception as error:
        # Every driver has its own tree of errors, and some raise plain Python ones while connecting.
        raise map_database_error(error) from None


def driver_missing(dialect: Dialect, module: str) -> SourceError:
    """The SourceError for a database driver that is not installed."""
    extra = EXTRAS.get(dialect, str(dialect))
    return SourceError(
        "driver-missing",
        f"The driver for {dialect} is not installed.",
        why=f"The Python package {module or extra} is missing.",
        do=f'Install the agent with it: pip install "portfolio-agent[{extra}]"',
    )


def _explained(cause: str, why: str) -> SourceError:
    words = CAUSES[cause]
    return SourceError(words.reason, words.what, why=why, do=words.do)


def _driver(origin: BaseException) -> str:
    return type(origin).__module__.partition(".")[0]


def _by_code(origin: BaseException) -> tuple[str, str]:
    """The cause that a server's or driver's code tells ("" when it tells none), and the code as plain characters."""
    first = origin.args[0] if origin.args else None
    # pymssql wraps its number once more for errors while connecting.
    while isinstance(first, tuple) and first:
        first = first[0]
    if isinstance(first, int) and not isinstance(first, bool):
        # Numbers before SQLSTATE: MySQL's states are coarse (42000 is a syntax error and a missing right alike).
        if first in (2003, 2013) and "timed out" in _text(origin):
            return "timeout" if first == 2013 else "not-reached", str(first)
        return NUMBERS.get(first, ""), str(first)
    oracle = getattr(first, "full_code", None)
    if isinstance(oracle, str) and re.fullmatch(r"[A-Z]{2,4}-[0-9]{4,5}", oracle):
        # What the listener said stands behind the driver's own code.
        inner = next((code for code in re.findall(r"ORA-[0-9]{5}", _text(origin).upper()) if code in ORACLE), "")
        return ORACLE.get(oracle) or ORACLE.get(inner, ""), oracle
    state = getattr(origin, "sqlstate", None)
    if isinstance(state, str) and re.fullmatch(r"[0-9A-Z]{5}", state):
        return SQLSTATES.get(state) or SQLSTATES.get(state[:2], ""), state
    return "", ""


def _by_text(origin: BaseException) -> str:
    text = _text(origin)
    return next((reason for piece, reason in TEXTS if piece in text), "database-error")


def _text(origin: BaseException) -> str:
    """Everything the driver says but what stands in quotes (names), in lower case, for searching only."""
    try:
        # The context too: some drivers put the operating system's error there and say only "cannot connect" themselves.
        parts = (origin, *origin.args, origin.__context__)
        return re.sub(r'"[^"]*"', '""', " ".join(str(part) for part in parts).lower()[:4000])
    except (UnicodeError, TypeError, ValueError):
        return ""  # server texts in an unknown encoding
