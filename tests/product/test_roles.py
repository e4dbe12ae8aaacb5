"""The role scripts on real servers: the account reads every guardrail, writes nothing, and sees nothing private."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator

import psycopg
import pymysql
import pytest

from agent.catalog import load_catalog, products
from agent.product.database import _own_schema
from agent.product.engine import open_engine
from agent.product.jdbc import DatabaseAddress
from agent.product.model import DatabaseAccess
from agent.product.readonly import prove, refuse_writable
from agent.settings import Dialect, Secret
from agent.sources.guardrails import Guardrails
from scripts.database_roles import DIALECTS, FOLDER, load_readable, render
from tests.support.jira_database import COUNTS, fill_mariadb, fill_postgres
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres

__all__ = ["mariadb", "postgres"]  # the fixtures

PASSWORD = "role-Word-1"
PRIVATE = (
    "select credential from cwd_user",
    "select email_address from cwd_user",
    "select * from cwd_user",
    "select display_name from cwd_user",
    "select license from productlicense",
    "select summary from jiraissue",
    "select actionbody from jiraaction",
    "select propertyvalue from propertytext",
    "select ip from clusternode",
    "select filename from fileattachment",
)


# ------------------------------------------------------------------------------------------------- the list itself


@pytest.mark.parametrize("dialect", DIALECTS)
def test_scripts_are_current(dialect: str) -> None:
    """config/database/*.sql is what `python3 -m scripts.database_roles` writes."""
    assert (FOLDER / f"{dialect}.sql").read_text() == render(dialect, load_readable())


SQL_WORDS = (
    "select from where and or not in is null as group by order having distinct union all join left inner "
    "on case when then else end coalesce count sum max min avg substr substring to_char cast exists "
    "between like escape desc asc limit dual with over partition numeric bigint integer decimal char "
    "varchar false true lower upper trim length nullif extract epoch interval current_timestamp rows "
    "fetch first only top outer cross using"
)
WORDS = frozenset(SQL_WORDS.split())


def identifiers(sql: str) -> tuple[set[str], set[str]]:
    """(tables, other names that are no alias) of one statement, in lower case."""
    bare = re.sub(r"'[^']*'", "''", sql)
    tables = {name.strip('"`[]').lower() for name in re.findall(r'(?:from|join)\s+(["`\[]?\w+["`\]]?)', bare, re.I)}
    aliases = {name.lower() for name in re.findall(r'\bas\s+"?(\w+)', bare, re.I)}
    aliases |= {name.lower() for name in re.findall(r'(?:from|join)\s+["`\[]?\w+["`\]]?\s+(\w+)', bare, re.I)}
    aliases |= {name.lower() for name in re.findall(r"\)\s+(\w+)", bare)}
    names = {name.lower() for name in re.findall(r"[A-Za-z_]\w*", bare)}
    return tables - {"dual"}, names - WORDS - aliases - tables


@pytest.mark.parametrize("product", products())
def test_every_guardrail_is_covered(product: str) -> None:
    """Each table and column that a statement of the catalog names stands in tables.toml."""
    readable = load_readable().columns()
    lacking = {}
    for query in load_catalog(product).queries.values():
        for dialect, text in query.texts.items():
            tables, names = identifiers(text)
            allowed = {column for table in tables for column in readable.get(table, ())}
            if unknown := (tables - readable.keys()) | (names - allowed):
                lacking[f"{query.name} {dialect}"] = sorted(unknown)
    assert lacking == {}, "add them to config/database/tables.toml and run: python3 -m scripts.database_roles"


# ----------------------------------------------------------------------------------------------------- PostgreSQL


@pytest.fixture(scope="module")
def postgres_database(postgres: PostgresServer) -> Iterator[str]:
    """A Jira database that belongs to an account of its own, after the script ran twice, strict."""
    psql = shutil.which("psql")
    if psql is None:
        pytest.fail("apt-get install postgresql-client") if os.environ.get("CI") == "true" else pytest.skip("no psql")
    name = fill_postgres(postgres)
    postgres.execute(
        "postgres", f"CREATE ROLE {name} LOGIN PASSWORD 'owner-1'", f'ALTER DATABASE "{name}" OWNER TO {name}'
    )
    postgres.execute(
        name,
        "DO $$ DECLARE t text; BEGIN FOR t IN SELECT quote_ident(tablename) FROM pg_tables "
        f"WHERE schemaname = 'public' LOOP EXECUTE 'ALTER TABLE ' || t || ' OWNER TO {name}'; END LOOP; END $$",
        "GRANT CREATE ON SCHEMA public TO public",  # as it was before version 15
        "INSERT INTO productlicense VALUES (1, 'AAAB-licence')",
        "INSERT INTO propertyentry VALUES (900, 'jira.properties', 1, 'mail.password', 5)",
        "INSERT INTO propertystring VALUES (900, 'hidden-word')",
    )
    for _ in range(2):
        command = [psql, "-X", "-q", "-d", postgres.dsn(name), "-v", "schema=public", "-v", "strict=on"]
        done = subprocess.run(
            [*command, "-f", str(FOLDER / "postgresql.sql")], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
    postgres.execute(name, f"ALTER ROLE portfolio_agent PASSWORD '{PASSWORD}'")
    yield name
    postgres.execute(name, "DROP SCHEMA portfolio_agent CASCADE", "DROP OWNED BY portfolio_agent")
    postgres.execute(name, "DROP ROLE portfolio_agent")  # the script's own words for removal leave nothing behind


def postgres_login(server: PostgresServer, name: str, schema: str = "public") -> DatabaseAccess:
    address = DatabaseAddress(Dialect.POSTGRESQL, ((server.host, server.port),), name)
    return DatabaseAccess(address, "portfolio_agent", Secret(PASSWORD), _own_schema(Dialect.POSTGRESQL, schema))


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
        *PRIVATE,
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
    assert "hidden-word" not in rows
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
    name, user = fill_mariadb(mariadb), f"agent_{uuid.uuid4().hex[:6]}"
    mariadb.execute(
        f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
        f"INSERT INTO {name}.productlicense VALUES (1, 'AAAB-licence')",
        f"INSERT INTO {name}.propertyentry VALUES (900, 'jira.properties', 1, 'mail.password', 5)",
        f"INSERT INTO {name}.propertystring VALUES (900, 'hidden-word')",
    )
    client = ["mariadb", "--no-defaults", "--protocol=socket", f"--socket={mariadb.folder}/socket", "--user=root"]
    for _ in range(2):
        wish = f"set @agent = '{user}@''127.0.0.1'''"
        printed = subprocess.run(
            [*client, "--skip-column-names", "--raw", f"--init-command={wish}", name],
            input=(FOLDER / "mysql.sql").read_text(),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        subprocess.run(client, input=printed.stdout, capture_output=True, text=True, check=True, timeout=60)
    address = DatabaseAddress(Dialect.MYSQL, ((mariadb.host, mariadb.port),), f"portfolio_agent_{name}")
    return DatabaseAccess(address, user, Secret(PASSWORD))


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
        *(sql for sql in PRIVATE if "*" not in sql),
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
    assert not {"hidden-word", "Demo"} & set(rows)
