"""The account that the role scripts make beside every product, on every server: all that the owner reads, no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import pymysql
import pytest
from sqlalchemy import Engine

from agent.catalog import cluster_sources, load_catalog, products
from agent.model import ConsentLevel, Failure, Reading, Sample
from agent.product.database.connect import refuse_writable
from agent.product.database.engine import open_engine
from agent.product.database.proof import prove
from agent.product.model import DatabaseAccess
from agent.sources.governor import CostGovernor
from agent.sources.guardrails.source import Guardrails
from agent.sources.listings.source import REST_ONLY, Listing
from tests.support.filled import COUNTS
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres
from tests.support.private_tables import COLUMNS, EVERYWHERE, FILTERED, SECRET
from tests.support.product_databases import UPPER_ON_MYSQL
from tests.support.roles import (
    PASSWORD,
    drop_postgres_role,
    fill_mariadb,
    fill_postgres,
    make_mariadb_role,
    make_postgres_role,
    postgres_login,
)
from tests.support.sources import mariadb_engine, postgres_engine

__all__ = ["mariadb", "postgres"]  # the fixtures

NOW = datetime(2026, 11, 22, 19, 0, 30, tzinfo=UTC)
PRODUCTS = tuple(products())
SERVERS = ("postgresql", "mariadb")
# 1044 1142 1143 1227: no right; 1054 1146: what is not shown is not there; 1370: no right to a routine.
REFUSED_BY_MARIADB = (1044, 1054, 1142, 1143, 1146, 1227, 1370)
REFUSED_BY_POSTGRES = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)
OVERWRITTEN = {"instance.base_url"}  # Confluence's stands in a row that `private_tables.plant` replaces
Refuse = Callable[[str], None]


@dataclass(frozen=True)
class Beside:
    """One product's database on one server, and the account that the script made there, run twice."""

    product: str
    server: PostgresServer | MariaDbServer
    database: str
    login: DatabaseAccess

    def owner(self) -> Engine:
        """An engine of whom the product's tables belong to."""
        if isinstance(self.server, PostgresServer):
            return postgres_engine(self.server, self.database, user=self.database, password="owner-1")
        return mariadb_engine(self.server, self.database)

    def account(self) -> Engine:
        """An engine of the account, as a source opens it: refused when it may write."""
        return refuse_writable(open_engine(self.login, 10))

    def spelt(self, table: str) -> str:
        """A table's name as the product spells it on this server."""
        if isinstance(self.server, PostgresServer) or table.startswith(("cwd_", "AO_")):
            return table
        return table.upper() if self.product in UPPER_ON_MYSQL else table

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """What the account reads."""
        with open_engine(self.login, 10).connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]


@contextmanager
def refusing(beside: Beside) -> Iterator[Refuse]:
    """A function that has a statement refused for lack of a right, in one session that may write."""
    if isinstance(beside.server, PostgresServer):
        with psycopg.connect(dsn(beside, "portfolio_agent", PASSWORD), autocommit=True) as session:
            session.execute("set default_transaction_read_only = off")

            def by_postgres(sql: str) -> None:
                with pytest.raises(REFUSED_BY_POSTGRES):
                    session.execute(sql.encode())

            yield by_postgres
        return
    address = beside.login.address
    with (
        pymysql.connect(
            host=address.host, port=address.port, user=beside.login.user, password=PASSWORD, database=address.name
        ) as connection,
        connection.cursor() as cursor,
    ):

        def by_mariadb(sql: str) -> None:
            with pytest.raises(pymysql.MySQLError) as caught:
                cursor.execute(sql)
            assert caught.value.args[0] in REFUSED_BY_MARIADB, sql

        yield by_mariadb


def dsn(beside: Beside, user: str, password: str) -> str:
    server = beside.server
    return f"host={server.host} port={server.port} dbname={beside.database} user={user} password={password}"


@pytest.fixture(scope="module")
def on_postgres(postgres: PostgresServer) -> Iterator[dict[str, Beside]]:
    """One database a product that belongs to an account of its own, the role made in each, strict."""
    names = {product: fill_postgres(product, postgres) for product in PRODUCTS}
    for name in names.values():
        make_postgres_role(postgres, name)
    yield {product: Beside(product, postgres, name, postgres_login(postgres, name)) for product, name in names.items()}
    drop_postgres_role(postgres, *names.values())  # the script's own words for removal leave nothing behind


@pytest.fixture(scope="module")
def on_mariadb(mariadb: MariaDbServer) -> dict[str, Beside]:
    """One database a product, an account of the script beside each."""
    names = {product: fill_mariadb(product, mariadb) for product in PRODUCTS}
    return {
        product: Beside(product, mariadb, name, make_mariadb_role(mariadb, name)) for product, name in names.items()
    }


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> dict[str, Beside]:
    """Each server, with every product."""
    made: dict[str, Beside] = request.getfixturevalue({"postgresql": "on_postgres"}.get(request.param, "on_mariadb"))
    return made


@pytest.fixture(params=PRODUCTS)
def beside(request: pytest.FixtureRequest, server: dict[str, Beside]) -> Beside:
    """Each product on each server."""
    return server[request.param]


def everything(product: str, engine: Callable[[], Engine]) -> tuple[list[Sample], list[Failure]]:
    """All that every source of the database gives under Extended, sorted."""
    catalog = load_catalog(product)
    readings: list[Reading] = [Guardrails(catalog, engine, governor=CostGovernor(tick_s=3600)).read(60)]
    # Not the licence: its text is for the product's own login.
    for source in sorted(cluster_sources() - {"guardrails", "licence"}):
        if catalog.of_source(source):
            readings.append(Listing(source, catalog, engine, lambda: ConsentLevel.EXTENDED, now=lambda: NOW).read(60))
    samples = [sample for reading in readings for sample in reading.samples]
    failures = [failure for reading in readings for failure in reading.failures if failure.detail != REST_ONLY]
    return sorted(samples, key=repr), sorted(failures, key=repr)


def test_account_reads_what_the_owner_reads(beside: Beside) -> None:
    """Every guardrail, instance statement and listing: the owner's samples, right to the last count, none missing."""
    ours, missed = everything(beside.product, beside.account)
    owners, _ = everything(beside.product, beside.owner)
    assert ours == owners
    assert missed == []
    found = {sample.series.metric: sample.value for sample in ours}
    counted = {metric: value for metric, value in COUNTS[beside.product].items() if metric not in OVERWRITTEN}
    assert {metric: found.get(metric) for metric in counted} == counted
    metrics = load_catalog(beside.product).metrics.values()
    assert len(found) == len([metric for metric in metrics if metric.sql is not None and metric.source != "licence"])


@pytest.mark.parametrize("product", ["jira", "bitbucket"])
def test_account_cannot_read_the_licence(server: dict[str, Beside], product: str) -> None:
    """The owner of the tables sees its text, the account of the agent's own gets no row of it."""
    beside = server[product]
    catalog = load_catalog(product)
    source = Listing("licence", catalog, beside.account, lambda: ConsentLevel.EXTENDED, now=lambda: NOW)
    reading = source.read(60)
    assert reading.samples == ()
    with beside.owner().connect() as connection:
        text = catalog.queries["licence"].text("postgresql") or ""
        assert [row for row in connection.exec_driver_sql(text) if row[0]]


def test_schema_may_be_left_out(on_postgres: dict[str, Beside]) -> None:
    """Without a schema in its login the account finds the tables all the same."""
    jira = on_postgres["jira"]
    assert isinstance(jira.server, PostgresServer)
    login = postgres_login(jira.server, jira.database, "")
    reading = Guardrails(load_catalog("jira"), lambda: refuse_writable(open_engine(login, 10))).read(30)
    assert reading.failures == ()
    assert {sample.series.metric for sample in reading.samples} >= COUNTS["jira"].keys()


def test_account_is_proven_harmless(beside: Beside) -> None:
    """The proof finds nothing to write, nothing private to read, and nothing left open by default."""
    with open_engine(beside.login, 10).connect() as connection:
        proof = prove(connection)
    assert (proof.can_write, proof.findings, proof.too_wide, proof.left_open) == (False, (), (), ())


def test_account_is_denied_what_is_private(beside: Beside) -> None:
    """Each column with a credential, licence, key or text, whole rows of their tables, and the tables under views.

    On MariaDB in the agent's database and in the product's.
    """
    private, filtered = [*EVERYWHERE.items(), *COLUMNS[beside.product]], FILTERED[beside.product]
    if isinstance(beside.server, PostgresServer):
        statements = [f'select "{column}" from "{table}"' for table, column in private]
        statements += [f'select * from "{table}"' for table, _ in private]
        statements += [f'select * from public."{table}"' for table in filtered]
    else:
        statements = [
            f"select `{column}` from {place}`{beside.spelt(table)}`"
            for table, column in [*private, *((table, "id") for table in filtered)]
            for place in ("", f"{beside.database}.")
            if place or table not in filtered  # the view of it, which is the account's to read
        ]
    with refusing(beside) as refused:
        for sql in statements:
            refused(sql)


def test_filtered_tables_hold_no_secret(beside: Beside) -> None:
    """Every row that the account sees of a table with secrets: some, and none with a credential."""
    for table in FILTERED[beside.product]:
        rows = beside.rows(f"select * from {beside.spelt(table)}")
        assert rows, table
        shown = repr(rows).replace("planted.flag.of.quibble", "")  # a flag's name, which is no secret
        for word in (SECRET, ".auth.", "oauth", "license"):
            assert word not in shown, table


def test_harmless_rows_of_jiras_properties_are_seen(server: dict[str, Beside]) -> None:
    """Of the property tables, which hold passwords too, the named rows are seen and no other."""
    rows = [row[0] for row in server["jira"].rows("select propertyvalue from propertystring")]
    assert "9.12.4" in rows
    assert not {SECRET, "Demo"} & set(rows)


def test_star_shows_the_granted_columns_only(on_mariadb: dict[str, Beside]) -> None:
    """`select *` through a view of the account gives what the list names and nothing more."""
    with open_engine(on_mariadb["jira"].login, 10).connect() as connection:
        assert set(connection.exec_driver_sql("select * from cwd_user").keys()) == {"active", "directory_id", "id"}


def test_account_writes_into_no_table(beside: Beside) -> None:
    """Each table and view that the account reads: no insert, update or delete, with read-only switched off."""
    if isinstance(beside.server, PostgresServer):
        seen = beside.rows(
            "select c.oid::regclass::text from pg_class c where has_any_column_privilege(c.oid, 'select')"
            " and relkind in ('r', 'v') and relnamespace::regnamespace::text in ('public', 'portfolio_agent')"
        )
        nothing = "default values"
    else:
        seen, nothing = [(f"`{row[0]}`",) for row in beside.rows("show tables")], "values ()"
    assert len(seen) > 3
    with refusing(beside) as refused:
        for (table,) in seen:
            refused(f"delete from {table}")
            refused(f"insert into {table} {nothing}")


# What changes a database or shows more of it, refused by either server; `{product}` is the product's own place.
ANYWHERE = (
    "insert into project (id) values (1)",
    "update project set id = id",
    "delete from project",
    "truncate project",
    "create table mine (n int)",
    "create temporary table mine (n int)",
    "insert into propertystring values (1, 'x')",
    "select propertyvalue from {product}.propertystring",
)
DENIED = {
    "postgresql": (
        *ANYWHERE,
        "select id from project for update",
        "create schema mine",
        "create table portfolio_agent.mine (n int)",
        "insert into portfolio_agent.propertystring values (1, 'x')",
        "select lo_create(0)",
        "select lo_from_bytea(0, 'x')",
        "do $$ begin lock table project in exclusive mode; end $$",
        "copy project (id) to '/tmp/w_never'",
        "select rolpassword from pg_authid",
        "select property_key from public.propertyentry",
    ),
    "mariadb": (
        *ANYWHERE,
        "create database mine",
        "drop view project",
        "lock tables project write",
        "select id from {product}.project",
    ),
}


@pytest.mark.parametrize(("database", "sql"), [(name, sql) for name, texts in DENIED.items() for sql in texts])
def test_account_is_denied(request: pytest.FixtureRequest, database: str, sql: str) -> None:
    """Refused for lack of a right, with the session's own read-only setting switched off."""
    made = request.getfixturevalue("on_postgres" if database == "postgresql" else "on_mariadb")
    beside: Beside = made["jira"]
    with refusing(beside) as refused:
        refused(sql.replace("{product}", "public" if database == "postgresql" else beside.database))


def test_the_product_goes_on(on_postgres: dict[str, Beside]) -> None:
    """The product's account still writes, makes temporary tables, and changes the type of a column we read."""
    jira = on_postgres["jira"]
    with psycopg.connect(dsn(jira, jira.database, "owner-1")) as connection:
        connection.execute("create temporary table t (n int)")
        connection.execute("create table of_an_app (n int)")
        connection.execute("select lo_create(0)")
        connection.execute("alter table propertystring alter column propertyvalue type varchar(4000)")
        connection.execute("alter table jiraissue alter column archived type varchar(20)")
        connection.rollback()
