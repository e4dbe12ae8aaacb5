"""Three small databases with the same rows, to ask one question of each in its own words."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.support.mariadb import MariaDbServer
from tests.support.postgres import PostgresServer

USERS = ((1, "ada", 1, 0), (2, "bob", 1, 1), (3, None, 0, 0), (4, "", 0, 1), (5, "abe", 1, 0), (5, "ada", 0, 0))
WORDS = ((1, "first"), (2, "second"), (3, "first"))
KINDS = ((1, "x"), (2, "y"), (7, "x"))


@dataclass(frozen=True, slots=True)
class Filled:
    """`ask` gives the rows of a statement: numbers as numbers, in an order that is the same everywhere."""

    rows: Callable[[str], list[tuple[Any, ...]]]

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        return sorted((tuple(_plain(item) for item in row) for row in self.rows(statement)), key=repr)


def _plain(value: object) -> object:
    return int(value) if isinstance(value, bool | Decimal) else value


def _statements(boolean: str, text: str, quote: str) -> list[str]:
    yes_no = ("false", "true") if boolean == "boolean" else ("0", "1")
    users = [
        f"({number}, {'null' if name is None else repr(name)}, {yes_no[flag]}, {yes_no[other]})"
        for number, name, flag, other in USERS
    ]
    kinds = f"{quote}AO_1_X{quote} ({quote}ID{quote} integer, {quote}KIND{quote} varchar(20))"
    return [
        f"create table cwd_user (id integer, name varchar(50), flag {boolean}, other {boolean})",
        f"insert into cwd_user values {', '.join(users)}",
        f"create table words (words_id integer, body {text})",
        f"insert into words values {', '.join(map(repr, WORDS))}",
        f"create table {kinds}",
        f"insert into {quote}AO_1_X{quote} values {', '.join(map(repr, KINDS))}",
    ]


def filled_postgres(server: PostgresServer) -> Filled:
    """A new database of `server`."""
    name = server.create_database("forms")
    server.execute(name, *_statements("boolean", "text", '"'))
    return Filled(lambda statement: server.execute(name, statement))


def filled_mariadb(server: MariaDbServer) -> Filled:
    """A new database of `server`, booleans as the products store them there."""
    import pymysql

    name = f"forms_{uuid.uuid4().hex[:8]}"
    made = [f"create database {name}", f"use {name}", *_statements("tinyint(1)", "longtext", "`")]
    server.execute(*made)

    def rows(statement: str) -> list[tuple[Any, ...]]:
        with pymysql.connect(unix_socket=str(server.folder / "socket"), user="root", database=name) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())

    return Filled(rows)


def filled_sqlite() -> Filled:
    """A database in memory."""
    connection = sqlite3.connect(":memory:")
    for statement in _statements("boolean", "text", '"'):
        connection.execute(statement)
    return Filled(lambda statement: connection.execute(statement).fetchall())
