"""What a database driver raises becomes a SourceError: a reason code, what happened, what to do.

Drivers put hosts, users, whole connection strings and even passwords into their texts. Nothing of such a text is
repeated: it is only searched for what tells the reason, and server codes are shown when they are plain codes.
SQLAlchemy is not imported here: its exceptions are told by their `orig`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agent.errors import AgentError, SourceError
from agent.settings import Dialect

EXTRAS = {
    Dialect.POSTGRESQL: "postgresql",
    Dialect.MYSQL: "mysql",
    Dialect.ORACLE: "oracle",
    Dialect.SQLSERVER: "sqlserver",
}


class DeadlinePassed(Exception):
    """This side gave up on a statement that the server did not end in time."""


@dataclass(frozen=True, slots=True)
class _Reason:
    what: str
    do: str


_CHECK_LOGIN = 'Check user and password; with login = "product" compare with the product\'s own configuration.'
_REASONS = {
    "refused": _Reason(
        "The database does not accept connections.",
        "Check that the database runs and that host, port and firewall are right.",
    ),
    "unknown-host": _Reason(
        "The database host's name cannot be resolved.", "Check the name in the configuration and this machine's DNS."
    ),
    "timeout": _Reason(
        "The database did not answer in time.",
        "Look for locks or load on the database; a longer time is [database] statement_timeout.",
    ),
    "login-refused": _Reason("The database refuses the login.", _CHECK_LOGIN),
    "permission-denied": _Reason(
        "The database account may not read this.", "Grant the account SELECT on the table, or use another account."
    ),
    "not-present": _Reason(
        "The database, table or column does not exist.",
        "Check database name and schema; a table another version has is left out.",
    ),
    "read-only": _Reason("The read-only session refused a write.", "Report this: the agent only reads."),
    "tls": _Reason(
        "No TLS connection to the database could be made.",
        "Check the server's certificate and the TLS options of the product's database URL.",
    ),
    "too-many-connections": _Reason(
        "The database has no connection free.", "Raise the connection limit of the server or of the account."
    ),
    "connection-lost": _Reason(
        "The connection to the database broke.", "Check that the database runs; the next tick connects again."
    ),
    "pooler": _Reason(
        "The pooler before the database does not allow what the agent needs.",
        "Give the agent's user pool_mode = session (or transaction) there, or let it reach the database directly.",
    ),
    "damaged": _Reason("The database file cannot be read.", "Check the file: it is no database, or it is damaged."),
    "not-supported": _Reason(
        "The driver cannot speak with this server.",
        "Oracle before 12.1 and native network encryption are not supported; check the listener's settings.",
    ),
    "database-error": _Reason("The database reported an error.", "See the database server's own log at this time."),
}

# PostgreSQL: SQLSTATE or its class of two characters.
_SQLSTATES = {
    "57014": "timeout",
    "55P03": "timeout",
    "25P03": "timeout",
    "25006": "read-only",
    "42501": "permission-denied",
    "42P01": "not-present",
    "42703": "not-present",
    "3F000": "not-present",
    "3D000": "not-present",
    "53300": "too-many-connections",
    "57P03": "refused",
    "57P01": "connection-lost",
    "57P02": "connection-lost",
    "08": "connection-lost",
    "28": "login-refused",
}
# MySQL and MariaDB, SQL Server: the server's or driver's number.
_NUMBERS = {
    1045: "login-refused",
    1044: "permission-denied",
    1698: "login-refused",
    1049: "not-present",
    1142: "permission-denied",
    1143: "permission-denied",
    1227: "permission-denied",
    1146: "not-present",
    1054: "not-present",
    3024: "timeout",
    1969: "timeout",
    1205: "timeout",
    1040: "too-many-connections",
    1203: "too-many-connections",
    1226: "too-many-connections",
    1792: "read-only",
    2006: "connection-lost",
    2013: "connection-lost",
    2026: "tls",
    18456: "login-refused",
    4060: "not-present",
    208: "not-present",
    207: "not-present",
    229: "permission-denied",
    230: "permission-denied",
    1222: "timeout",
    20003: "timeout",
    20004: "connection-lost",
    20006: "connection-lost",
    20047: "connection-lost",
}
_ORACLE = {
    "ORA-01017": "login-refused",
    "ORA-28000": "login-refused",
    "ORA-28001": "login-refused",
    "ORA-01045": "login-refused",
    "ORA-00942": "not-present",
    "ORA-00904": "not-present",
    "ORA-12514": "not-present",
    "ORA-12505": "not-present",
    "DPY-6001": "not-present",
    "DPY-6003": "not-present",
    "ORA-01031": "permission-denied",
    "ORA-01456": "read-only",
    "ORA-00018": "too-many-connections",
    "ORA-00020": "too-many-connections",
    "ORA-12541": "refused",
    "ORA-01013": "timeout",
    "DPY-4024": "timeout",
    "DPY-3001": "not-supported",
    "DPY-3010": "not-supported",
    "DPY-4011": "connection-lost",
    "ORA-03113": "connection-lost",
    "ORA-03114": "connection-lost",
}
# The first that is found in the text decides; needed where a driver gives no code: libpq while connecting, SQLite.
# In this order: "too many connections for role ..." names a role, and is no refused login.
_TEXTS = (
    ("too many", "too-many-connections"),
    ("remaining connection slots", "too-many-connections"),
    ("password authentication failed", "login-refused"),
    ("no password supplied", "login-refused"),
    ("no pg_hba.conf entry", "login-refused"),
    ("authentication failed", "login-refused"),
    ('role "', "login-refused"),
    ("is not permitted to log in", "login-refused"),
    ("starting up", "refused"),
    ("shutting down", "refused"),
    ("permission denied for database", "permission-denied"),
    ("certificate", "tls"),
    ("ssl", "tls"),
    ("name or service not known", "unknown-host"),
    ("could not translate host name", "unknown-host"),
    ("failed to resolve host", "unknown-host"),
    ("temporary failure in name resolution", "unknown-host"),
    ("no address associated", "unknown-host"),
    ("getaddrinfo", "unknown-host"),
    ("name lookup", "unknown-host"),
    ("timed out", "timeout"),
    ("timeout", "timeout"),
    ("connection refused", "refused"),
    ("no route to host", "refused"),
    ("network is unreachable", "refused"),
    ("server closed the connection", "connection-lost"),
    ("terminating connection", "connection-lost"),
    ("connection reset", "connection-lost"),
    ("lost", "connection-lost"),
    ("does not exist", "not-present"),
    ("interrupted", "timeout"),
    ("no such", "not-present"),
    ("readonly", "read-only"),
    ("is locked", "timeout"),
    ("not a database", "damaged"),
    ("malformed", "damaged"),
    ("unable to open", "permission-denied"),
    ("adaptive server is unavailable", "refused"),
    ("unable to connect", "refused"),
    ("can't connect", "refused"),
    ("cannot connect", "refused"),
    ("connection is bad", "refused"),
)


def map_database_error(error: BaseException) -> SourceError:
    """The SourceError for whatever an engine of ours raised; raise it `from None`, the original may hold a password."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, DeadlinePassed):
        return _explained("timeout", "This side cut the connection: the server did not end the statement.")
    origin = getattr(error, "orig", None) or error
    reason, code = _by_code(origin)
    # A pooler's own refusal comes under a code of PostgreSQL's that says something else.
    if "statement pooling" in _text(origin):
        reason = "pooler"
    return _explained(reason or _by_text(origin), f"{_driver(origin)} reports {code or type(origin).__name__}.")


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


def _explained(reason: str, why: str) -> SourceError:
    words = _REASONS[reason]
    return SourceError(reason, words.what, why=why, do=words.do)


def _driver(origin: BaseException) -> str:
    return type(origin).__module__.partition(".")[0]


def _by_code(origin: BaseException) -> tuple[str, str]:
    """The reason that a server's or driver's code tells ("" when it tells none), and the code as plain characters."""
    first = origin.args[0] if origin.args else None
    # pymssql wraps its number once more for errors while connecting.
    while isinstance(first, tuple) and first:
        first = first[0]
    if isinstance(first, int) and not isinstance(first, bool):
        # Numbers before SQLSTATE: MySQL's states are coarse (42000 is a syntax error and a missing right alike).
        if first == 2013 and "timed out" in _text(origin):
            return "timeout", "2013"
        return _NUMBERS.get(first, ""), str(first)
    oracle = getattr(first, "full_code", None)
    if isinstance(oracle, str) and re.fullmatch(r"[A-Z]{2,4}-[0-9]{4,5}", oracle):
        return _ORACLE.get(oracle, ""), oracle
    state = getattr(origin, "sqlstate", None)
    if isinstance(state, str) and re.fullmatch(r"[0-9A-Z]{5}", state):
        return _SQLSTATES.get(state) or _SQLSTATES.get(state[:2], ""), state
    return "", ""


def _by_text(origin: BaseException) -> str:
    text = _text(origin)
    return next((reason for piece, reason in _TEXTS if piece in text), "database-error")


def _text(origin: BaseException) -> str:
    """Everything the driver says but what stands in quotes (names), in lower case, for searching only."""
    try:
        # The context too: some drivers put the operating system's error there and say only "cannot connect" themselves.
        parts = (origin, *origin.args, origin.__context__)
        return re.sub(r'"[^"]*"', '""', " ".join(str(part) for part in parts).lower()[:4000])
    except (UnicodeError, TypeError, ValueError):
        return ""  # server texts in an unknown encoding
