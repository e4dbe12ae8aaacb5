"""PostgreSQL sessions behind a pooler: the guards hold all the same, and whether sessions are shared is found out.

In:   an engine, and the settings each session of ours must have. Out: connections on which they are in force.
A direct session gets them as start-up options, which costs nothing. A pooler may refuse those, or drop them without a
word. What is said with `SET` in a session that a pooler shares would hold for the product's own statements as well, a
read-only product among them: so there they are said inside each transaction, and end with it.
Between is a pooler when the session's process is not the one that was named at login (PgBouncer, Odyssey, RDS Proxy),
or the options are not in force. HAProxy and other forwarders of bytes are none.
"""

from __future__ import annotations

import re
import uuid
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, event

from agent.errors import SourceError
from agent.product.database.server_text import CLIENT, take_text_as_it_is

# PgBouncer; RDS Proxy.
_OPTIONS_REFUSED = re.compile(r"unsupported startup parameter|command-line options", re.IGNORECASE)
_ASK = "select pg_backend_pid(), current_setting('lock_timeout'), current_setting('search_path')"
# Kept by a session and seen by whoever gets it next; a name with a dot is nobody's setting.
_MARK = "select set_config('portfolio_agent.mark', %s, false)"
_MARKED = "select pg_backend_pid(), current_setting('portfolio_agent.mark', true)"
_UNMARK = "select set_config('portfolio_agent.mark', '', false)"
ROUNDS = 3  # in one the product may have come between
SHARED = SourceError(
    "pooler",
    "A pooler shares database sessions, so nobody can tell which node counts for the cluster.",
    why="The pooler between here and the database gives one session to several clients (pool_mode = transaction or "
    "statement); a lock held in it is no one node's.",
    do="Let the agent reach the database without the pooler, or give its user pool_mode = session there.",
)

_POOLED: weakref.WeakSet[Any] = weakref.WeakSet()  # the driver's connections that go through a pooler


def guard_sessions(engine: Engine, guards: Mapping[str, str]) -> None:
    """Put `guards` in force on each connection of a PostgreSQL engine, whose arguments carry them as `options`."""
    plain = engine.dialect.connect

    def connect(*args: Any, **arguments: Any) -> Any:
        connection, refused = _connect(plain, args, {**arguments, "client_encoding": CLIENT})
        try:
            take_text_as_it_is(connection)
            if refused or not _in_force(connection, guards):
                _POOLED.add(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    engine.dialect.connect = connect  # type: ignore[method-assign]  # the one place before the session's first statement
    local = "select " + ", ".join(f"set_config('{name}', '{_quoted(value)}', true)" for name, value in guards.items())

    def begin(connection: Connection) -> None:
        if connection.connection.dbapi_connection in _POOLED:
            connection.exec_driver_sql(local)

    event.listen(engine, "begin", begin)


def is_pooled(connection: Connection) -> bool:
    """Whether a pooler stands between here and the database."""
    return connection.connection.dbapi_connection in _POOLED


def refuse_shared(connection: Connection, open_another: Callable[[], Connection]) -> None:
    """Raise SourceError `pooler` when the pooler gives the session of `connection` to others between two statements.

    Both connections are in no transaction. A mark left in the one session is found by the other where it is shared.
    Nothing stays behind.
    """
    other = open_another()
    try:
        first = _asked(connection, _MARKED)
        for _ in range(ROUNDS):
            mark = uuid.uuid4().hex
            _asked(connection, _MARK.replace("%s", f"'{mark}'"))
            try:
                theirs = _asked(other, _MARKED)
                mine = _asked(connection, _MARKED)
            finally:
                _asked(connection, _UNMARK)
            # Another process, or the mark is not where it was put: between two questions the session was given away.
            if theirs[0] == mine[0] or theirs[1] == mark or mine != (first[0], mark):
                raise SourceError(SHARED.reason, SHARED.what, why=SHARED.why, do=SHARED.do)
    finally:
        other.close()


def _asked(connection: Connection, sql: str) -> tuple[Any, ...]:
    row = tuple(connection.exec_driver_sql(sql).one())
    connection.rollback()
    return row


def _connect(plain: Callable[..., Any], args: tuple[Any, ...], arguments: dict[str, Any]) -> tuple[Any, bool]:
    """The driver's connection, and whether the options had to be left out."""
    try:
        return plain(*args, **arguments), False
    except Exception as error:
        if "options" not in arguments or not _OPTIONS_REFUSED.search(str(error)):
            raise
    bare = {name: value for name, value in arguments.items() if name != "options"}
    return plain(*args, **bare), True


def _in_force(connection: Any, guards: Mapping[str, str]) -> bool:
    """Whether the options hold in this session, and it is the very one that was logged in to."""
    before, connection.autocommit = connection.autocommit, True
    try:
        process, lock_timeout, path = connection.execute(_ASK).fetchone()
    finally:
        connection.autocommit = before
    as_asked = _milliseconds(lock_timeout) == int(guards["lock_timeout"])
    wanted = guards.get("search_path")
    named = wanted is None or _names(path) == _names(wanted)
    return bool(process == connection.info.backend_pid and as_asked and named)


def _names(path: str) -> list[str]:
    return [name.strip().strip('"') for name in path.split(",")]


def _milliseconds(shown: str) -> int:
    """A time as PostgreSQL shows it: a whole number and the largest unit that fits."""
    number, unit = re.fullmatch(r"(\d+)\s*([a-z]*)", shown.strip()).groups()  # type: ignore[union-attr]  # its own form
    return int(number) * {"": 1, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}[unit]


def _quoted(value: str) -> str:
    return value.replace("'", "''")
