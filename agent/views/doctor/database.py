"""The product's database: address, login, read-only, rights, statement timeout; reads the catalogue and no table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from agent.catalog import Catalog, load_catalog
from agent.errors import SourceError
from agent.settings import DatabaseLogin, DatabaseSettings, Dialect, Settings
from agent.system.clock import monotonic_s
from agent.views.doctor.checks import Area, Check, State, failed_by

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from agent.product.database.proof import WriteProof

NAMES = ("address", "login", "read-only", "rights", "timeout", "tables")
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
    from agent.product.database.credentials import read_database_access

    try:
        login = read_database_access(settings)
    except SourceError as error:
        yield failed_by(Area.DATABASE, "address", error)
        yield from _skipped(NAMES[1:])
        return
    origin = f"from {'the product' if settings.database.login == 'product' else 'agent.toml'}"
    user = f" as {login.user}" if login.user else ""
    yield Check(Area.DATABASE, "address", State.OK, f"{login.address.dialect} {login.address}{user}, {origin}.")
    for note in login.address.notes:
        yield Check(Area.DATABASE, "address-note", State.OK, note)
    yield from _session(settings, login.address.dialect)


def _session(settings: Settings, dialect: Dialect) -> Iterator[Check]:
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    from agent.product.database.credentials import read_database_access
    from agent.product.database.engine import open_engine
    from agent.product.database.errors import map_database_error
    from agent.product.database.pooled import is_pooled
    from agent.product.database.proof import prove

    limit_s = settings.database.statement_timeout_s
    began = monotonic_s()
    stage = "login"
    try:
        engine = open_engine(read_database_access(settings), limit_s, lambda: read_database_access(settings))
        try:
            with engine.connect() as connection:
                connection.execute(text(CONSTANT.get(dialect, "SELECT 1")))
                took_ms = (monotonic_s() - began) * 1000
                pooler = " A pooler stands between." if is_pooled(connection) else ""
                accepted = f"Login accepted, first answer after {took_ms:.0f} ms.{pooler}"
                yield Check(Area.DATABASE, stage, State.OK, accepted)
                stage = "read-only"
                question, wanted = READ_ONLY.get(dialect, ("", ()))
                said = str(connection.execute(text(question)).scalar()) if question else ""
                yield _read_only(said, wanted)
                stage = "rights"
                yield rights_check(prove(connection), settings.database)
                stage = "timeout"
                asked = TIMEOUT.get(dialect)
                server = f", on the server {connection.execute(text(asked)).scalar()}" if asked else ""
                yield Check(Area.DATABASE, stage, State.OK, f"A statement is ended after {limit_s:g} s{server}.")
                stage = "tables"
                yield tables_check(load_catalog(settings.instance.product), connection)
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


def rights_check(proof: WriteProof, database: DatabaseSettings) -> Check:
    """What the login itself may do: refused, or used although it may write, or more than it needs to read."""
    mends = f'Make a read-only account with {proof.script}, and set [database] login = "own"' if proof.script else ""
    if proof.can_write and database.refuses_writable_login:
        return Check(
            Area.DATABASE,
            "rights",
            State.FAILED,
            "The login may write, so the agent does not use it: no guardrail is counted.",
            "; ".join(proof.findings),
            f"Run {proof.script} again, which takes away what is too much. "
            "To use the login as it is: [database] allow_writable_login = true; sessions stay read-only.",
            "login-can-write",
        )
    wide = f" It may also read {', '.join(proof.too_wide)}." if proof.too_wide else ""
    if proof.can_write:
        whose = "The product's own login" if database.login is DatabaseLogin.PRODUCT else "The login"
        text = f"{whose} may write; the agent's sessions are read-only all the same.{wide}"
        return Check(
            Area.DATABASE, "rights", State.OK, text, do=f"Better: {mends[0].lower()}{mends[1:]}", code="writable"
        )
    text = f"The login cannot write: the database says so.{wide}"
    if proof.too_wide:
        do = f"Better: run {proof.script} again, which takes away what is too much."
        return Check(Area.DATABASE, "rights", State.OK, text, do=do, code="too-wide")
    return Check(Area.DATABASE, "rights", State.OK, f"{text} {proof.left_open_text}".rstrip(), do=proof.left_open_cure)


def tables_check(catalog: Catalog, connection: Connection) -> Check:
    """Whether this version has the tables that are read: what it lacks costs its own figures and is no failure."""
    from agent.sources.inventory import Inventory

    connection.rollback()  # what was asked before began a transaction, and the inventory has one of its own
    inventory = Inventory(catalog)
    inventory.look(connection)
    if inventory.sentence is None:
        return Check(Area.DATABASE, "tables", State.SKIPPED, "The database does not tell which tables it has.")
    if not inventory.sentence:
        return Check(Area.DATABASE, "tables", State.OK, "This version has every table and column that is read.")
    do = f"After an upgrade of the product run {script_of(connection)} again." if script_of(connection) else ""
    return Check(Area.DATABASE, "tables", State.OK, inventory.sentence, do=do, code="lacks")


def script_of(connection: Connection) -> str:
    """The script that made the account, where there is one for this database."""
    from agent.product.database.proof import SCRIPTS, script_for

    dialect = connection.dialect.name
    return script_for(dialect) if dialect in SCRIPTS else ""


def _skipped(names: tuple[str, ...]) -> Iterator[Check]:
    for name in names:
        yield Check(Area.DATABASE, name, State.SKIPPED)
