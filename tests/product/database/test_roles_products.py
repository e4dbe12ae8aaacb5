"""The role scripts beside every product: the account reads all that the owner's does, and nothing private."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
PRODUCTS = tuple(product for product in products())
SECRETS = ("planted-", "planted.example.com", "Quibble", SECRET)
# What the two kinds of server call a lack of rights; on MariaDB what is not shown is not there.
REFUSED_BY_MARIADB = (1044, 1054, 1142, 1143, 1146, 1227, 1370)


@pytest.fixture(scope="module")
def on_postgres(postgres: PostgresServer) -> Iterator[dict[str, str]]:
    """One database a product, the role made in each."""
    names = {product: fill_postgres(product, postgres) for product in PRODUCTS}
    for name in names.values():
        make_postgres_role(postgres, name)
    yield names
    drop_postgres_role(postgres, *names.values())


@pytest.fixture(scope="module")
def on_mariadb(mariadb: MariaDbServer) -> dict[str, tuple[str, DatabaseAccess]]:
    """One database a product, an account of the script beside each."""
    names = {product: fill_mariadb(product, mariadb) for product in PRODUCTS}
    return {product: (name, make_mariadb_role(mariadb, name)) for product, name in names.items()}


def everything(product: str, engine: Callable[[], Engine]) -> tuple[list[Sample], list[Failure]]:
    """All that every source of the database gives under Extended, sorted."""
    catalog = load_catalog(product)
    readings: list[Reading] = [Guardrails(catalog, engine, governor=CostGovernor(tick_s=3600)).read(60)]
    for source in sorted(cluster_sources() - {"guardrails"}):
        if catalog.of_source(source):
            readings.append(Listing(source, catalog, engine, lambda: ConsentLevel.EXTENDED, now=lambda: NOW).read(60))
    samples = [sample for reading in readings for sample in reading.samples]
    failures = [failure for reading in readings for failure in reading.failures if failure.detail != REST_ONLY]
    return sorted(samples, key=repr), sorted(failures, key=repr)


@pytest.mark.parametrize("product", PRODUCTS)
def test_postgres_role_reads_what_the_owner_reads(
    postgres: PostgresServer, on_postgres: dict[str, str], product: str
) -> None:
    """Every guardrail, instance statement and listing: the same samples through the role, and none is missing."""
    name = on_postgres[product]
    login = postgres_login(postgres, name)
    ours, missed = everything(product, lambda: refuse_writable(open_engine(login, 10)))
    owners, _ = everything(product, lambda: postgres_engine(postgres, name, user=name, password="owner-1"))
    assert ours == owners
    assert missed == []
    assert len({sample.series.metric for sample in ours}) == len(
        [metric for metric in load_catalog(product).metrics.values() if metric.sql is not None]
    )


@pytest.mark.parametrize("product", PRODUCTS)
def test_mariadb_role_reads_what_the_owner_reads(
    mariadb: MariaDbServer, on_mariadb: dict[str, tuple[str, DatabaseAccess]], product: str
) -> None:
    """The same through the views that the script makes on MariaDB, upper-case tables included."""
    name, login = on_mariadb[product]
    ours, missed = everything(product, lambda: refuse_writable(open_engine(login, 10)))
    owners, _ = everything(product, lambda: mariadb_engine(mariadb, name))
    assert ours == owners
    assert missed == []


@pytest.mark.parametrize("product", PRODUCTS)
def test_both_accounts_are_proven_harmless(
    postgres: PostgresServer,
    on_postgres: dict[str, str],
    on_mariadb: dict[str, tuple[str, DatabaseAccess]],
    product: str,
) -> None:
    """The proof finds nothing to write, nothing private to read, and nothing left open by default."""
    for login in (postgres_login(postgres, on_postgres[product]), on_mariadb[product][1]):
        with open_engine(login, 10).connect() as connection:
            proof = prove(connection)
        assert (proof.can_write, proof.findings, proof.too_wide, proof.left_open) == (False, (), (), ())


def private(product: str) -> list[tuple[str, str]]:
    return [*EVERYWHERE.items(), *COLUMNS[product]]


@pytest.mark.parametrize("product", PRODUCTS)
def test_postgres_role_is_denied_what_is_private(
    postgres: PostgresServer, on_postgres: dict[str, str], product: str
) -> None:
    """Each column with a credential, licence, key or text, whole rows of their tables, and the tables under views."""
    statements = [f'select "{column}" from "{table}"' for table, column in private(product)]
    statements += [f'select * from "{table}"' for table, _ in private(product)]
    statements += [f'select * from public."{table}"' for table in FILTERED[product]]
    with psycopg.connect(_dsn(postgres, on_postgres[product]), autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        for sql in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.encode())


@pytest.mark.parametrize("product", PRODUCTS)
def test_mariadb_role_is_denied_what_is_private(
    on_mariadb: dict[str, tuple[str, DatabaseAccess]], product: str
) -> None:
    """The same on MariaDB, in the agent's database and in the product's."""
    name, login = on_mariadb[product]
    for table, column in [*private(product), *((table, "id") for table in FILTERED[product])]:
        spelt = table.upper() if product in UPPER_ON_MYSQL and not table.startswith(("cwd_", "AO_")) else table
        for place in ("", f"{name}."):
            if (table, place) in {(filtered, "") for filtered in FILTERED[product]}:
                continue
            refused_by_mariadb(login, f"select `{column}` from {place}`{spelt}`")


@pytest.mark.parametrize("product", PRODUCTS)
def test_filtered_tables_hold_no_secret(
    postgres: PostgresServer,
    on_postgres: dict[str, str],
    on_mariadb: dict[str, tuple[str, DatabaseAccess]],
    product: str,
) -> None:
    """Every row that either account sees of a table with secrets: some, and none with a credential."""
    for login in (postgres_login(postgres, on_postgres[product]), on_mariadb[product][1]):
        upper = login.address.dialect == "mysql" and product in UPPER_ON_MYSQL
        with open_engine(login, 10).connect() as connection:
            for table in FILTERED[product]:
                words = f"select * from {table.upper() if upper else table}"
                rows = [tuple(row) for row in connection.exec_driver_sql(words)]
                assert rows, table
                shown = repr(rows).replace("planted.flag.of.quibble", "")  # a flag's name, which is no secret
                assert SECRET not in shown
                assert ".auth." not in shown
                assert "oauth" not in shown
                assert "license" not in shown


@pytest.mark.parametrize("product", PRODUCTS)
def test_neither_account_writes(
    postgres: PostgresServer,
    on_postgres: dict[str, str],
    on_mariadb: dict[str, tuple[str, DatabaseAccess]],
    product: str,
) -> None:
    """Each table that the account reads: no insert, update or delete, with read-only switched off."""
    with psycopg.connect(_dsn(postgres, on_postgres[product]), autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        seen = connection.execute(
            "select c.oid::regclass::text from pg_class c where has_any_column_privilege(c.oid, 'select')"
            " and relkind in ('r', 'v') and relnamespace::regnamespace::text in ('public', 'portfolio_agent')"
        ).fetchall()
        assert len(seen) > 3
        for (table,) in seen:
            for sql in (f"delete from {table}", f"insert into {table} default values"):
                with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
                    connection.execute(sql.encode())
    login = on_mariadb[product][1]
    with open_engine(login, 10).connect() as reading:
        views = [str(row[0]) for row in reading.exec_driver_sql("show tables")]
    assert len(views) > 3
    for view in views:
        refused_by_mariadb(login, f"delete from `{view}`")
        refused_by_mariadb(login, f"insert into `{view}` values ()")


def _dsn(server: PostgresServer, name: str) -> str:
    return f"host={server.host} port={server.port} dbname={name} user=portfolio_agent password={PASSWORD}"


def refused_by_mariadb(login: DatabaseAccess, sql: str) -> None:
    """The statement fails for lack of a right, in a session that may write."""
    address = login.address
    with (
        pymysql.connect(
            host=address.host, port=address.port, user=login.user, password=PASSWORD, database=address.name
        ) as connection,
        connection.cursor() as cursor,
    ):
        with pytest.raises(pymysql.MySQLError) as caught:
            cursor.execute(sql)
        assert caught.value.args[0] in REFUSED_BY_MARIADB, sql
