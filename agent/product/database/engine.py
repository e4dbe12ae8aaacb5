"""Opens a read-only SQLAlchemy engine on the product's database; the only module here that imports SQLAlchemy.

A connection lives for one reading and is closed with it (no pool): a database restart, a changed password or a
firewall that forgets idle connections cost nothing, and between ticks nothing of ours is on the server. Statements are
limited on the server and on this side. No URL and no exception that leaves here holds the password.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.pool import NullPool

from agent.product.database.drivers import Driver, driver_for
from agent.product.database.errors import DeadlinePassed, driver_missing, map_database_error
from agent.product.database.pooled import guard_sessions
from agent.product.model import DatabaseAccess
from agent.system.clock import monotonic_s

NOT_THERE = frozenset({"refused", "unreachable", "unknown-host", "timeout", "connection-lost"})
WATCH = "statement-watch"  # the thread's name


def open_engine(
    login: DatabaseAccess, statement_timeout_s: float, renew: Callable[[], DatabaseAccess] | None = None
) -> Engine:
    """An engine whose sessions cannot write; nothing is connected yet.

    `renew` is asked for user and password each time a connection is made (so that a password changed by the product
    is picked up); without it those of `login` are used. Raises SourceError `driver-missing`. What its connections raise
    goes through `map_database_error`, with `raise ... from None`.
    """
    driver = driver_for(login, statement_timeout_s)
    options: dict[str, Any] = {"poolclass": NullPool, "hide_parameters": True, "connect_args": dict(driver.connect)}
    if driver.creator is not None:
        options |= {"creator": driver.creator, "connect_args": {}}
    if driver.name == "postgresql+psycopg":
        options["use_native_hstore"] = False  # saves a query on each new connection
    try:
        engine = sqlalchemy.create_engine(URL.create(driver.name), **options)
    except ModuleNotFoundError as error:
        raise driver_missing(login.address.dialect, error.name or "") from None
    _hand_over_login(engine, driver, login, renew)
    _prepare_sessions(engine, driver)
    _limit_statements(engine, driver)
    if driver.guards:
        guard_sessions(engine, driver.guards)
    return engine


def _hand_over_login(
    engine: Engine, driver: Driver, login: DatabaseAccess, renew: Callable[[], DatabaseAccess] | None
) -> None:
    def connect(dialect: Any, _record: object, args: Any, arguments: dict[str, Any]) -> Any:
        now = renew() if renew is not None else login
        if now.user:
            arguments["user"] = now.user
        if now.password is not None:
            arguments["password"] = now.password.reveal()
        if driver.creator is not None:
            return None  # SQLAlchemy then calls it
        with driver.opening() if driver.opening is not None else contextlib.nullcontext({}) as more:
            return _first_that_answers(
                [partial(dialect.connect, *args, **{**arguments, **more, **place}) for place in driver.places]
            )

    event.listen(engine, "do_connect", connect)


def _first_that_answers(connects: Sequence[Callable[[], Any]]) -> Any:
    """The first connection that can be made; a server that is there and refuses is an answer too, and ends the search.

    Raises what the driver raises for the last one asked.
    """
    for connect in connects[:-1]:
        try:
            return connect()
        except Exception as error:  # each driver has its own tree of errors, and some raise plain Python ones
            if map_database_error(error).reason not in NOT_THERE:
                raise
    return connects[-1]()


def _prepare_sessions(engine: Engine, driver: Driver) -> None:
    prepare = driver.prepare
    if prepare is not None:
        event.listen(engine, "connect", lambda connection, _record: prepare(connection), insert=True)
    if driver.on_begin:
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(driver.on_begin))


def _limit_statements(engine: Engine, driver: Driver) -> None:
    before = driver.before_statement
    if before is not None:
        event.listen(engine, "before_cursor_execute", lambda *_: before())
    if driver.cut_after_s is not None:
        _StatementWatchdog(driver.cut_after_s).attach(engine)


class _StatementWatchdog:
    """Cuts the socket under a statement that outlives the server's own limit: a server that hangs cannot end it.

    The driver then reports a lost connection; `DeadlinePassed` takes its place, because that is the reason.
    One thread watches all statements of a reading, since starting one for each costs more than many of them; it ends
    with the connection, or when it finds nothing to watch.
    """

    def __init__(self, cut_after_s: float) -> None:
        self.cut_after_s = cut_after_s
        self.running: dict[int, tuple[float, Any]] = {}  # connection -> when it is cut, its driver connection
        self.cut: set[int] = set()
        self.closed = threading.Condition()
        self.thread: threading.Thread | None = None

    def attach(self, engine: Engine) -> None:
        """Watch every statement of `engine`."""
        event.listen(engine, "before_cursor_execute", self._start)
        event.listen(engine, "after_cursor_execute", self._stop)
        event.listen(engine, "handle_error", self._explain)
        event.listen(engine, "close", self._close)

    def _start(self, connection: Connection, *_: object) -> None:
        ends_s = monotonic_s() + self.cut_after_s
        with self.closed:
            self.running[id(connection)] = ends_s, connection.connection.dbapi_connection
            if self.thread is None:
                self.thread = threading.Thread(target=self._watch, name=WATCH, daemon=True)
                self.thread.start()

    def _stop(self, connection: Connection, *_: object) -> None:
        with self.closed:
            self.running.pop(id(connection), None)

    def _close(self, *_: object) -> None:
        with self.closed:
            self.closed.notify()

    def _watch(self) -> None:
        with self.closed:
            while True:
                now_s = monotonic_s()
                for name, (ends_s, driver_connection) in list(self.running.items()):
                    if ends_s <= now_s:
                        del self.running[name]
                        self._cut(name, driver_connection)
                ends = [ends_s for ends_s, _ in self.running.values()]
                closed = self.closed.wait(min(ends, default=now_s + self.cut_after_s) - now_s)
                if not self.running and (closed or not ends):
                    self.thread = None
                    return

    def _cut(self, name: int, driver_connection: Any) -> None:
        self.cut.add(name)
        # OSError: the connection went away by itself at this very moment; the driver's own error then says so.
        with contextlib.suppress(OSError), socket.socket(fileno=_own_copy(driver_connection)) as line:
            line.shutdown(socket.SHUT_RDWR)

    def _explain(self, context: Any) -> DeadlinePassed | None:
        name = id(context.connection)
        if context.connection is not None:
            self._stop(context.connection)
        if name not in self.cut:
            return None
        self.cut.discard(name)
        context.is_disconnect = True
        return DeadlinePassed()


def _own_copy(driver_connection: Any) -> int:
    """A second handle of the driver's socket, so that closing ours leaves the driver's alone."""
    if driver_connection.closed:
        raise OSError("the connection is closed already")
    return os.dup(driver_connection.fileno())
