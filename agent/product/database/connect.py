"""What is done with the proof of `readonly`: the product's database is opened, refused or reported by it.

In:   the settings; the login is read anew for each connection. Out: an engine for every source, or the proof itself.
An account of the agent's own that may write is refused; the product's own login may write by nature and is used all
the same, in sessions that cannot (`[database] allow_writable_login` turns either round).
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, event

from agent.errors import SourceError
from agent.product.database.errors import database_errors
from agent.product.database.proof import WriteProof, prove
from agent.settings import Settings


def prove_access(settings: Settings, limit_s: float = 5.0) -> WriteProof:
    """The proof for the login of this configuration, over one short connection. Raises SourceError."""
    from agent.product.database.credentials import read_database_access
    from agent.product.database.engine import open_engine

    engine = open_engine(read_database_access(settings), min(limit_s, settings.database.statement_timeout_s))
    try:
        with database_errors(), engine.connect() as connection:
            return prove(connection)
    finally:
        engine.dispose()


def open_product_database(settings: Settings) -> Engine:
    """The engine that every source reads through; it refuses a login that may write where the configuration says so.

    Nothing is connected yet. Address, user and password are those of the moment of each connection.
    """
    from agent.product.database.credentials import read_database_access
    from agent.product.database.engine import open_engine

    database = settings.database
    engine = open_engine(
        read_database_access(settings), database.statement_timeout_s, lambda: read_database_access(settings)
    )
    return refuse_writable(engine) if database.refuses_writable_login else engine


def refuse_writable(engine: Engine) -> Engine:
    """The same engine, whose first connection proves that the login cannot write.

    Until it does, each connection raises SourceError `login-can-write`.
    """
    proven: list[bool] = []

    def check(connection: Connection) -> None:
        if proven:
            return
        try:
            proof = prove(connection)
            if proof.can_write:
                raise SourceError(
                    "login-can-write",
                    "The database login may write, so it is not used.",
                    why="; ".join(proof.findings),
                    do=f"Take these rights away (see {proof.script}), "
                    "or set [database] allow_writable_login = true: sessions stay read-only.",
                )
        except SourceError:
            connection.close()
            raise
        proven.append(True)

    event.listen(engine, "engine_connect", check)
    return engine
