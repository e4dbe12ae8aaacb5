"""The role scripts on real servers: what stands in them, and what the account beside a Jira can and cannot do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pymysql
import pytest

from agent.catalog import load_catalog, products
from agent.product.database.connect import refuse_writable
from agent.product.database.engine import open_engine
from agent.product.database.proof import prove
from agent.product.model import DatabaseAccess
from agent.sources.guardrails.source import Guardrails
from scripts.database_roles import DIALECTS, FOLDER, load_readable, render
from tests.support.jira_database import COUNTS
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres
from tests.support.private_tables import SECRET
from tests.support.roles import (
    PASSWORD,
    drop_postgres_role,
    fill_mariadb,
    fill_postgres,
    make_mariadb_role,
    make_postgres_role,
    postgres_login,
)

__all__ = ["mariadb", "postgres"]  # the fixtures

# ------------------------------------------------------------------------------------------------- the list itself


@pytest.mark.parametrize("dialect", DIALECTS)
def test_scripts_are_current(dialect: str) -> None:
    """config/database/*.sql is what `python3 -m scripts.database_roles` writes."""
    assert (FOLDER / f"{dialect}.sql").read_text() == render(dialect, load_readable())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_page_gives_the_commands_of_the_script(dialect: str) -> None:
    """docs/database-account.md: each command for a database stands in the header of its script, word for word."""
    page = (FOLDER.parents[1] / "docs" / "database-account.md").read_text()
    title = {"postgresql": "PostgreSQL", "mysql": "MySQL", "sqlserver": "SQL Server", "oracle": "Oracle"}[dialect]
    section = page.split(f"## {title}")[1].split("\n## ")[0]
    commands = [line.strip() for line in section.splitlines() if line.startswith("    ")]
    script = (FOLDER / f"{dialect}.sql").read_text()
    header = [line.removeprefix("--").strip() for line in script.splitlines() if line.startswith("--")]
    assert len(commands) >= 2
    assert [command for command in commands if command not in header] == []
    unrun = "NOT YET RUN" in script
    assert unrun == (dialect in ("sqlserver", "oracle"))


SQL_WORDS = (
    "select from where and or not in is null as group by order having distinct union all join left inner on case when "
    "then else end between like escape desc asc limit with over partition rows fetch first only top outer cross using "
    "false true numeric bigint integer decimal char varchar nvarchar interval current_timestamp"
)
WORDS = frozenset(SQL_WORDS.split())
# What every login of a server may read; none of them holds a row of a product.
SERVER_TABLES = frozenset({"dual", "product_component_version", "information_schema", "pg_class"})
FUNCTION = re.compile(r"\b([a-z_]\w*)\s*\(", re.IGNORECASE)
TABLE = re.compile(
    r"""\b(?:from|join)\s+(["`\[]?)(\w+)["`\]]?(?:\s+(?!(?:where|on|join|left|group|order)\b)(\w+))?""", re.I
)


def identifiers(sql: str) -> tuple[set[str], set[str]]:
    """(tables, columns) that one statement names, in lower case; functions, parameters and aliases are neither."""
    bare = re.sub(r"'[^']*'", "''", sql)
    bare = re.sub(r"\bsubstring\s*\((.*?)\bfrom\b", r"substring(\1,", bare, flags=re.I)  # FROM inside of a function
    bare = re.sub(r":\w+", "", bare)
    tables = {name.lower() for _, name, _ in TABLE.findall(bare)}
    aliases = {alias.lower() for _, _, alias in TABLE.findall(bare) if alias}
    aliases |= {name.lower() for name in re.findall(r'\bas\s+"?(\w+)', bare, re.I)}
    aliases |= {name.lower() for name in re.findall(r"\)\s+(\w+)", bare)}
    functions = {name.lower() for name in FUNCTION.findall(bare)} - tables
    names = {name.lower() for name in re.findall(r"[A-Za-z_]\w*", bare)}
    return tables, names - WORDS - aliases - functions - tables


@pytest.mark.parametrize("product", products())
def test_every_statement_is_covered(product: str) -> None:
    """Each table and column that a statement of the catalog names stands in tables.toml, or in its restricted text."""
    readable = load_readable().columns()
    lacking = {}
    for query in load_catalog(product).queries.values():
        for dialect, text in (query.restricted or query.texts).items():
            tables, names = identifiers(text)
            if tables & SERVER_TABLES or not tables:
                continue
            allowed = {column for table in tables for column in readable.get(table, ())}
            if unknown := (tables - readable.keys()) | (names - allowed):
                lacking[f"{query.name} {dialect}"] = sorted(unknown)
    assert lacking == {}, "add them to config/database/tables.toml and run: python3 -m scripts.database_roles"


@pytest.mark.parametrize(
    ("sql", "tables", "names"),
    [
        ("select count(*) as n from project p where p.x = 'from y' and abs(z) > 1", {"project"}, {"x", "z"}),
        ('select max("ID") as n from (select a from "AO_1_X" group by b) q', {"ao_1_x"}, {"id", "a", "b"}),
        ("select substring(v from '<a>') as n from t where k in :wanted", {"t"}, {"v", "k"}),
        ("select count(*) as n from `A` left join [b] on A.c = b.d", {"a", "b"}, {"c", "d"}),
    ],
)
def test_names_of_a_statement(sql: str, tables: set[str], names: set[str]) -> None:
    """Tables and columns are told from functions, strings, aliases and parameters."""
    assert identifiers(sql) == (tables, names)


def test_nothing_is_granted_that_no_statement_reads() -> None:
    """A table that no statement of any product names any more is taken out of tables.toml, but for the ones kept."""
    read: set[str] = set()
    for product in products():
        for query in load_catalog(product).queries.values():
            for text in (*query.texts.values(), *query.restricted.values()):
                read |= identifiers(text)[0]
    assert sorted(load_readable().columns().keys() - read) == []


# ----------------------------------------------------------------------------------------------------- PostgreSQL


@pytest.fixture(scope="module")
def postgres_database(postgres: PostgresServer) -> Iterator[str]:
    """A Jira database that belongs to an account of its own, after the script ran twice, strict."""
    name = fill_postgres("jira", postgres)
    make_postgres_role(postgres, name)
    yield name
    drop_postgres_role(postgres, name)  # the script's own words for removal leave nothing behind


@pytest.mark.parametrize("schema", ["public", ""])
def test_postgres_role_reads_every_guardrail(postgres: PostgresServer, postgres_database: str, schema: str) -> None:
    """All of the catalog through the account, right to the last count, and the source does not refuse it."""
    login = postgres_login(postgres, postgres_database, schema)
    reading = Guardrails(load_catalog("jira"), lambda: refuse_writable(open_engine(login, 10))).read(30)
    found = {sample.series.metric: sample.value for sample in reading.samples}
    assert reading.failures == ()
    assert {metric: found.get(metric) for metric in COUNTS} == COUNTS
    assert found["product.version"] == "9.12.4"


def test_postgres_role_is_proven_harmless(postgres: PostgresServer, postgres_database: str) -> None:
    """The proof finds nothing to write and nothing private to read."""
    with open_engine(postgres_login(postgres, postgres_database), 10).connect() as connection:
        proof = prove(connection)
    assert (proof.can_write, proof.findings, proof.too_wide) == (False, (), ())


@pytest.mark.parametrize(
    "sql",
    [
        "insert into project (id) values (1)",
        "update project set id = id",
        "delete from project",
        "truncate project",
        "select id from project for update",
        "create table mine (n int)",
        "create temporary table mine (n int)",
        "create schema mine",
        "create table portfolio_agent.mine (n int)",
        "insert into portfolio_agent.propertystring values (1, 'x')",
        "select lo_create(0)",
        "select lo_from_bytea(0, 'x')",
        "do $$ begin lock table project in exclusive mode; end $$",
        "copy project (id) to '/tmp/w_never'",
        "select rolpassword from pg_authid",
        "select propertyvalue from public.propertystring",
        "select property_key from public.propertyentry",
    ],
)
def test_postgres_role_is_denied(postgres: PostgresServer, postgres_database: str, sql: str) -> None:
    """Refused for lack of a right, with the session's own read-only setting switched off."""
    dsn = (
        f"host={postgres.host} port={postgres.port} dbname={postgres_database} user=portfolio_agent password={PASSWORD}"
    )
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
            connection.execute(sql.encode())


def test_postgres_role_sees_harmless_rows_only(postgres: PostgresServer, postgres_database: str) -> None:
    """Of the property tables, which hold passwords too, the named rows are seen and no other."""
    with open_engine(postgres_login(postgres, postgres_database), 10).connect() as connection:
        rows = [row[0] for row in connection.exec_driver_sql("select propertyvalue from propertystring")]
    assert SECRET not in rows
    assert "9.12.4" in rows
    assert "Demo" not in rows


def test_postgres_product_goes_on(postgres: PostgresServer, postgres_database: str) -> None:
    """The product's account still writes, makes temporary tables, and changes the type of a column we read."""
    name = postgres_database
    dsn = f"host={postgres.host} port={postgres.port} dbname={name} user={name} password=owner-1"
    with psycopg.connect(dsn) as connection:
        connection.execute("create temporary table t (n int)")
        connection.execute("create table of_an_app (n int)")
        connection.execute("select lo_create(0)")
        connection.execute("alter table propertystring alter column propertyvalue type varchar(4000)")
        connection.execute("alter table jiraissue alter column archived type varchar(20)")
        connection.rollback()


# -------------------------------------------------------------------------------------------------------- MariaDB


@pytest.fixture(scope="module")
def mariadb_login(mariadb: MariaDbServer) -> DatabaseAccess:
    """The account that mysql.sql makes beside a Jira database, after it ran twice."""
    return make_mariadb_role(mariadb, fill_mariadb("jira", mariadb))


def test_mariadb_role_reads_every_guardrail(mariadb_login: DatabaseAccess) -> None:
    """All of the catalog through the account, and the source does not refuse it."""
    engine = refuse_writable(open_engine(mariadb_login, 10))
    reading = Guardrails(load_catalog("jira"), lambda: engine).read(30)
    found = {sample.series.metric: sample.value for sample in reading.samples}
    assert reading.failures == ()
    assert {metric: found.get(metric) for metric in COUNTS} == COUNTS
    assert found["product.version"] == "9.12.4"


def test_mariadb_role_is_proven_harmless(mariadb_login: DatabaseAccess) -> None:
    """The proof finds nothing to write and nothing private to read."""
    with open_engine(mariadb_login, 10).connect() as connection:
        proof = prove(connection)
    assert (proof.can_write, proof.findings, proof.too_wide) == (False, (), ())


@pytest.mark.parametrize(
    "sql",
    [
        "insert into project (id) values (1)",
        "update project set id = id",
        "delete from project",
        "truncate project",
        "create table mine (n int)",
        "create temporary table mine (n int)",
        "create database mine",
        "drop view project",
        "lock tables project write",
        "insert into propertystring values (1, 'x')",
        "select id from {product}.project",
        "select propertyvalue from {product}.propertystring",
    ],
)
def test_mariadb_role_is_denied(mariadb_login: DatabaseAccess, sql: str) -> None:
    """Refused for lack of a right, in a session that may write."""
    address, password = mariadb_login.address, mariadb_login.password
    assert password is not None
    with (
        pymysql.connect(
            host=address.host,
            port=address.port,
            user=mariadb_login.user,
            password=password.reveal(),
            database=address.name,
        ) as connection,
        pytest.raises(pymysql.MySQLError) as caught,
        connection.cursor() as cursor,
    ):
        cursor.execute(sql.format(product=address.name.removeprefix("portfolio_agent_")))
    # 1044 1142 1143 1227: no right; 1054 1146: what is not shown is not there; 1356 and 1471: a view that gives none.
    assert caught.value.args[0] in (1044, 1054, 1142, 1143, 1146, 1227, 1370)


def test_mariadb_star_shows_the_granted_columns_only(mariadb_login: DatabaseAccess) -> None:
    """`select *` through a view of the account gives what the list names and nothing more."""
    with open_engine(mariadb_login, 10).connect() as connection:
        columns = set(connection.exec_driver_sql("select * from cwd_user").keys())
    assert columns == {"id", "directory_id", "active"}


def test_mariadb_role_sees_harmless_rows_only(mariadb_login: DatabaseAccess) -> None:
    """Of the property tables the named rows are seen and no other."""
    with open_engine(mariadb_login, 10).connect() as connection:
        rows = [row[0] for row in connection.exec_driver_sql("select propertyvalue from propertystring")]
    assert "9.12.4" in rows
    assert not {SECRET, "Demo"} & set(rows)
