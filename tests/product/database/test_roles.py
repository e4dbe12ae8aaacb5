"""The role scripts on real servers: what stands in them, and what the account beside a Jira can and cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pymysql
import pytest

from agent.catalog import load_catalog
from agent.product.database.connect import refuse_writable
from agent.product.database.engine import open_engine
from agent.product.database.proof import prove
from agent.product.model import DatabaseAccess
from agent.sources.guardrails.source import Guardrails
from scripts.database_roles import DIALECTS, FOLDER, Hidden, load_readable, render, write_all
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


def test_a_statement_grants_itself_what_it_reads() -> None:
    """Of each table the columns that the statements name; of one whose rows are counted a key, never all."""
    tables = load_readable().tables
    assert tables["AO_60DB71_SPRINT"] == ("CLOSED",)
    assert tables["fileattachment"] == ("filesize",)
    assert tables["customfieldvalue"] == ("id",)
    assert tables["sta_normal_project"] == ("project_id",)
    assert {"pluginkey", "pluginname", "pluginversion"} == set(tables["pluginversion"])


def test_what_has_a_view_is_granted_through_it_only() -> None:
    """A table with secrets is in the list of views and not in that of tables, and so is a column that is counted."""
    readable = load_readable()
    assert not readable.tables.keys() & {view.name for view in readable.views}
    assert "author" not in readable.tables["jiraaction"]
    assert "groupname" not in readable.tables["content_perm"]
    assert "credential" not in readable.tables["cwd_user"]


def test_a_column_that_no_view_shows_is_told(tmp_path: Path) -> None:
    """A statement that reads more of such a table than its view shows is named, and nothing is written."""
    views = (FOLDER / "views.toml").read_text()
    assert 'columns = "id number, propertyvalue text"' in views
    (tmp_path / "views.toml").write_text(views.replace("id number, propertyvalue text", "id number"))
    with pytest.raises(Hidden, match="reads propertyvalue of propertystring"):
        write_all(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["views.toml"]


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
    assert columns == {"active"}


def test_mariadb_role_sees_harmless_rows_only(mariadb_login: DatabaseAccess) -> None:
    """Of the property tables the named rows are seen and no other."""
    with open_engine(mariadb_login, 10).connect() as connection:
        rows = [row[0] for row in connection.exec_driver_sql("select propertyvalue from propertystring")]
    assert "9.12.4" in rows
    assert not {SECRET, "Demo"} & set(rows)
