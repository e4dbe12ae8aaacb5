"""The product's database: address, login, read-only, statement timeout; asks one constant and no table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

from agent.errors import SourceError
from agent.runtime.doctor.checks import Area, Check, State, failed_by
from agent.settings import Dialect, Settings

NAMES = ("address", "login", "read-only", "timeout")
# What a session says of itself: nothing is tried that could write where a setting is wrong.
READ_ONLY = {
    Dialect.POSTGRESQL: ("SHOW transaction_read_only", ("on",)),
    Dialect.SQLITE: ("PRAGMA query_only", ("1",)),
}
CONSTANT = {Dialect.ORACLE: "SELECT 1 FROM dual"}
TIMEOUT = {Dialect.POSTGRESQL: "SHOW statement_timeout"}


def examine_database(settings: Settings, _now: datetime, _limit_s: float) -> Iterator[Check]:
    """Each stage of the connection, in the order in which it can fail."""
    if not settings.database.enabled:
        yield Check(Area.DATABASE, "database", State.SKIPPED, "Switched off: [database] enabled = false.")
        return
    from agent.product.database import read_login

    try:
        login = read_login(settings)
    except SourceError as error:
        yield failed_by(Area.DATABASE, "address", error)
        yield from _skipped(NAMES[1:])
        return
    origin = f"from {'the product' if settings.database.login == 'product' else 'agent.toml'}"
    user = f" as {login.user}" if login.user else ""
    yield Check(Area.DATABASE, "address", State.OK, f"{login.address.dialect} {login.address}{user}, {origin}.")
    yield from _session(settings, login.address.dialect)


def _session(settings: Settings, dialect: Dialect) -> Iterator[Check]:
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    from agent.product.database import read_login
    from agent.product.database_errors import map_database_error
    from agent.product.engine import open_engine

    limit_s = settings.database.statement_timeout_s
    began = time.monotonic()
    stage = "login"
    try:
        engine = open_engine(read_login(settings), limit_s, lambda: read_login(settings))
        try:
            with engine.connect() as connection:
                connection.execute(text(CONSTANT.get(dialect, "SELECT 1")))
                took_ms = (time.monotonic() - began) * 1000
                yield Check(Area.DATABASE, stage, State.OK, f"Login accepted, first answer after {took_ms:.0f} ms.")
                stage = "read-only"
                question, wanted = READ_ONLY.get(dialect, ("", ()))
                said = str(connection.execute(text(question)).scalar()) if question else ""
                yield _read_only(said, wanted)
                stage = "timeout"
                asked = TIMEOUT.get(dialect)
                server = f", on the server {connection.execute(text(asked)).scalar()}" if asked else ""
                yield Check(Area.DATABASE, stage, State.OK, f"A statement is ended after {limit_s:g} s{server}.")
        finally:
            engine.dispose()
    except SourceError as error:
        yield failed_by(Area.DATABASE, stage, error)
    except (SQLAlchemyError, OSError) as error:
        yield failed_by(Area.DATABASE, stage, map_database_error(error))
    else:
        return
    yield from _skipped(NAMES[NAMES.index(stage) + 1 :])


def _read_only(said: str, wanted: tuple[str, ...]) -> Check:
    if wanted and said not in wanted:
        text = "The session could write."
        do = "Please report it: the agent opens every session read-only."
        return Check(Area.DATABASE, "read-only", State.FAILED, text, do=do, code="read-only")
    proof = "the server says so" if wanted else "set by the agent when it connects"
    return Check(Area.DATABASE, "read-only", State.OK, f"The session cannot write ({proof}).")


def _skipped(names: tuple[str, ...]) -> Iterator[Check]:
    for name in names:
        yield Check(Area.DATABASE, name, State.SKIPPED)
