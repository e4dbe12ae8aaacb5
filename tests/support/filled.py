"""A filled database of each product on each database that runs here: one for all tests that only read."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support import jira_database, product_databases, roles
from tests.support.listings import jira_postgres, jira_sqlite
from tests.support.mariadb import MariaDbServer
from tests.support.postgres import PostgresServer
from tests.support.sources import mariadb_engine, postgres_engine, sqlite_engine

DATABASES = ("sqlite", "postgresql", "mariadb")
# What the rows say, counted by hand: every guardrail of the catalog but the database's own kind and version.
COUNTS: dict[str, dict[str, int | str]] = {
    "jira": {
        **jira_database.COUNTS,
        "product.version": "9.12.4",
        "product.build": "9120004",
        "instance.base_url": "https://jira.example.com",
        "instance.server_id": "BDEM-0000-TEST-0000",
        "instance.time_zone": "Etc/UTC",
    },
    **product_databases.COUNTS,
}
PRODUCTS = tuple(COUNTS)


@dataclass(frozen=True)
class Filled:
    """One database with a product's tables; `name` is the file of one on SQLite."""

    product: str
    database: str
    name: str
    server: PostgresServer | MariaDbServer | None = None

    def engine(self, timeout_s: float = 10.0) -> Engine:
        """A read-only engine on it."""
        if isinstance(self.server, PostgresServer):
            return postgres_engine(self.server, self.name, timeout_s)
        if isinstance(self.server, MariaDbServer):
            return mariadb_engine(self.server, self.name, timeout_s)
        return sqlite_engine(Path(self.name), timeout_s)

    def execute(self, *statements: str) -> None:
        """Change it, in words that all three know (names in double quotes, texts joined by ||)."""
        if isinstance(self.server, PostgresServer):
            self.server.execute(self.name, *statements)
        elif isinstance(self.server, MariaDbServer):
            mode = "set session sql_mode = concat(@@sql_mode, ',ANSI_QUOTES,PIPES_AS_CONCAT')"
            self.server.execute(f"use {self.name}", mode, *statements)
        else:
            with closing(sqlite3.connect(self.name)) as connection, connection:
                for statement in statements:
                    connection.execute(statement)


_SHARED: pytest.StashKey[dict[tuple[str, str], Filled]] = pytest.StashKey()


def shared(request: pytest.FixtureRequest, product: str, database: str) -> Filled:
    """The database of all tests that change nothing in it; the module has the fixtures of the servers."""
    known = request.config.stash.setdefault(_SHARED, {})
    if (product, database) not in known:
        folder = request.getfixturevalue("tmp_path_factory").mktemp("filled")
        known[product, database] = filled(request, product, database, folder)
    return known[product, database]


def filled(request: pytest.FixtureRequest, product: str, database: str, folder: Path) -> Filled:
    """A database of a test's own, apps, flags and links of Jira in it too."""
    if database == "sqlite":
        path = folder / f"{product}.db"
        path = jira_sqlite(path) if product == "jira" else product_databases.fill_sqlite(product, path)
        return Filled(product, database, str(path))
    if database == "mariadb":
        server: MariaDbServer = request.getfixturevalue("mariadb")
        return Filled(product, database, roles.filled_mariadb(product, server), server)
    other: PostgresServer = request.getfixturevalue("postgres")
    name = jira_postgres(other) if product == "jira" else product_databases.fill_postgres(product, other)
    return Filled(product, database, name, other)


def empty(request: pytest.FixtureRequest, product: str, database: str, folder: Path) -> Filled:
    """The tables without a row; not on MariaDB, where they would say no more than on PostgreSQL."""
    if database == "sqlite":
        path = folder / f"{product}.db"
        if product == "jira":
            return Filled(product, database, str(jira_database.fill_sqlite(path, rows=False)))
        return Filled(product, database, str(product_databases.fill_sqlite(product, path, rows=False)))
    server: PostgresServer = request.getfixturevalue("postgres")
    if product == "jira":
        return Filled(product, database, jira_database.fill_postgres(server, rows=False), server)
    return Filled(product, database, product_databases.fill_postgres(product, server, rows=False), server)


def tables_made(product: str) -> tuple[str, ...]:
    """The tables of a product's test schema, as it spells them on PostgreSQL."""
    if product == "jira":
        return tuple(re.findall(r'(?m)^create table "?(\w+)', jira_database.SCHEMA.read_text()))
    return product_databases.tables(product)


def tables(path: Path) -> tuple[str, ...]:
    """The tables of a SQLite database."""
    with closing(sqlite3.connect(path)) as connection:
        return tuple(row[0] for row in connection.execute("select name from sqlite_master where type = 'table'"))
