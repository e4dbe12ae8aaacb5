"""Databases in other encodings than UTF-8, on real servers: text is read as text, and what is none is told as such."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy.exc import DBAPIError

from agent.product.database.engine import open_engine
from agent.product.database.errors import map_database_error
from agent.product.database.jdbc import DatabaseAddress
from agent.product.database.proof import prove
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, Secret
from tests.support.between import pgbouncer
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres

__all__ = ["mariadb", "postgres"]  # the fixtures

WORDS = {
    "UTF8": ("Größe 日本 €", "utf-8"),
    "LATIN1": ("Größe", "latin-1"),
    "LATIN9": ("Größe €", "iso8859-15"),
    "WIN1252": ("Größe €", "cp1252"),
    "WIN1251": ("размер", "cp1251"),
    "KOI8R": ("размер", "koi8-r"),
    "EUC_JP": ("日本", "euc_jp"),
    "EUC_KR": ("한국", "euc_kr"),
    "EUC_CN": ("中国", "gb2312"),
    "SQL_ASCII": ("Größe 日本", "utf-8"),
}


def in_encoding(server: PostgresServer, encoding: str) -> DatabaseAccess:
    """A new database in one encoding."""
    name = f"encoded_{uuid.uuid4().hex[:8]}"
    collation = "LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    server.execute("postgres", f"CREATE DATABASE {name} ENCODING '{encoding}' {collation}")
    address = DatabaseAddress(Dialect.POSTGRESQL, ((server.host, server.port),), name)
    return DatabaseAccess(address, server.superuser, Secret(server.password))


def values(login: DatabaseAccess, *queries: str) -> list[object]:
    """One value for each statement, each in a transaction of its own."""
    engine = open_engine(login, 5.0)
    try:
        with engine.connect() as connection:
            found = []
            for query in queries:
                with connection.begin():
                    found.append(connection.exec_driver_sql(query).scalar())
            return found
    finally:
        engine.dispose()


@pytest.mark.parametrize("encoding", WORDS)
@pytest.mark.parametrize("kind", ["text", "varchar(200)", "char(20)"])
def test_text_is_text_in_every_encoding(postgres: PostgresServer, encoding: str, kind: str) -> None:
    """The server's own bytes come out as the characters that they are."""
    words, codec = WORDS[encoding]
    login = in_encoding(postgres, encoding)
    octets = words.encode(codec).hex()
    decode = f"convert_from(decode('{octets}', 'hex'), '{encoding}')"
    postgres.execute(login.address.name, f"CREATE TABLE t AS SELECT {decode}::{kind} AS words, 7 AS n")
    assert values(login, "select trim(words) from t", "select n from t") == [words, 7]


def test_bytes_that_are_no_text_cost_nothing_else(postgres: PostgresServer) -> None:
    """In SQL_ASCII a value that is no UTF-8 comes as bytes; its neighbours in the same row are read."""
    login = in_encoding(postgres, "SQL_ASCII")
    odd = "convert_from(decode('4772f6df65', 'hex'), 'SQL_ASCII')"
    postgres.execute(login.address.name, f"CREATE TABLE t AS SELECT {odd} AS odd, 'Größe' AS words")
    assert values(login, "select odd from t", "select words from t") == [b"Gr\xf6\xdfe", "Größe"]


def test_the_proof_of_read_only_works_without_an_encoding(postgres: PostgresServer) -> None:
    """`doctor` and the gate go through in SQL_ASCII."""
    engine = open_engine(in_encoding(postgres, "SQL_ASCII"), 5.0)
    with engine.connect() as connection:
        assert prove(connection).can_write, "a superuser"
    engine.dispose()


def test_a_character_without_an_equal_in_utf8_is_no_fault(postgres: PostgresServer) -> None:
    """The server refuses to turn it over: the statement fails with a reason of its own, the next one goes on."""
    login = in_encoding(postgres, "WIN1252")
    # 0x81 stands for nothing in this encoding, and old servers took it.
    engine = open_engine(login, 5.0)
    with engine.connect() as connection:
        with pytest.raises(DBAPIError) as caught, connection.begin():
            connection.exec_driver_sql("select convert_from('\\x81', 'WIN1252')")
        assert map_database_error(caught.value).reason == "unexpected-text"
        assert connection.exec_driver_sql("select 1").scalar() == 1
    engine.dispose()


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_pooler_before_sql_ascii(postgres: PostgresServer, mode: str) -> None:
    """The same behind a pooler."""
    login = in_encoding(postgres, "SQL_ASCII")
    postgres.execute(login.address.name, "CREATE TABLE t AS SELECT 'Größe'::text AS words")
    with pgbouncer(postgres.port, mode, login.user, postgres.password, "ignore_startup_parameters = options") as port:
        address = DatabaseAddress(Dialect.POSTGRESQL, (("127.0.0.1", port),), login.address.name)
        assert values(DatabaseAccess(address, login.user, login.password), "select words from t") == ["Größe"]


@pytest.mark.parametrize("charset", ["latin1", "utf8mb3", "utf8mb4", "utf16", "utf32", "ucs2", "cp1250"])
def test_mariadb_character_sets(mariadb: MariaDbServer, charset: str) -> None:
    """MariaDB turns every character set into the connection's."""
    name = f"encoded_{uuid.uuid4().hex[:8]}"
    who = f"'{name}'@'127.0.0.1'"
    mariadb.execute(
        f"CREATE DATABASE {name} CHARACTER SET {charset}",
        f"CREATE TABLE {name}.t (words varchar(50))",
        f"INSERT INTO {name}.t VALUES (_utf8mb4 0x4772C3B6C39F65)",
        f"CREATE USER {who} IDENTIFIED BY 'word-1'",
        f"GRANT SELECT ON {name}.* TO {who}",
    )
    address = DatabaseAddress(Dialect.MYSQL, ((mariadb.host, mariadb.port),), name)
    assert values(DatabaseAccess(address, name, Secret("word-1")), "select words from t") == ["Größe"]
