"""A database on the tests' MariaDB, filled and opened as a source opens it."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine

from agent.product.database.engine import open_engine
from agent.product.database.jdbc import DatabaseAddress
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, Secret
from tests.support.mariadb import MariaDbServer

PASSWORD = "word-of-tests"


def mariadb_engine(server: MariaDbServer, name: str, *statements: str) -> Callable[[], Engine]:
    """A function that opens read-only engines on a new database after `statements` were run in it."""
    server.execute(
        f"CREATE DATABASE {name}",
        f"CREATE USER '{name}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
        f"GRANT SELECT ON {name}.* TO '{name}'@'127.0.0.1'",
        f"USE {name}",
        *statements,
    )
    address = DatabaseAddress(Dialect.MYSQL, ((server.host, server.port),), name)
    login = DatabaseAccess(address, name, Secret(PASSWORD))
    return lambda: open_engine(login, 10.0)
