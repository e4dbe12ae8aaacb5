"""The guardrails of Confluence, Bitbucket, Bamboo and Crowd, read for real on three databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from agent.catalog import load_catalog
from agent.model import Reading
from agent.sources.guardrails.source import Guardrails
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres
from tests.support.product_databases import (
    COUNTS,
    PLANTED,
    PRODUCTS,
    fill_mariadb,
    fill_postgres,
    fill_sqlite,
    mariadb_engine,
    tables,
)
from tests.support.sources import postgres_engine, sqlite_engine

__all__ = ["mariadb", "postgres"]  # the fixtures

pytestmark = pytest.mark.parametrize("product", PRODUCTS)


def read(product: str, engine: Engine) -> Reading:
    """Everything at once."""
    return Guardrails(load_catalog(product), lambda: engine).read(60)


def counts(reading: Reading) -> dict[str, object]:
    """What the product's tables gave; kind and version of the server are tested beside Jira."""
    found = {sample.series.metric: sample.value for sample in reading.samples}
    return {metric: value for metric, value in found.items() if not metric.startswith("database.")}


def test_counts_on_sqlite(tmp_path: Path, product: str) -> None:
    """Every guardrail of the catalog is right on the embedded database; none is forgotten here."""
    reading = read(product, sqlite_engine(fill_sqlite(product, tmp_path / "db")))
    assert counts(reading) == COUNTS[product]
    assert reading.failures == ()
    own = {metric.name for metric in load_catalog(product).of_source("guardrails")}
    assert {name for name in own if not name.startswith("database.")} == COUNTS[product].keys()


def test_counts_on_postgresql(postgres: PostgresServer, product: str) -> None:
    """Every guardrail is right on PostgreSQL, numeric sums as plain ints."""
    reading = read(product, postgres_engine(postgres, fill_postgres(product, postgres)))
    assert counts(reading) == COUNTS[product]
    assert reading.failures == ()
    assert {type(value) for value in counts(reading).values()} <= {int, str}


def test_counts_on_mariadb(mariadb: MariaDbServer, product: str) -> None:
    """Every guardrail is right on MariaDB, where Confluence's and Bamboo's own tables have upper-case names."""
    reading = read(product, mariadb_engine(mariadb, fill_mariadb(product, mariadb)))
    assert counts(reading) == COUNTS[product]
    assert reading.failures == ()
    assert {type(value) for value in counts(reading).values()} <= {int, str}


def test_empty_tables_give_zeros(postgres: PostgresServer, product: str) -> None:
    """Tables without rows count 0; what is no count is not-present."""
    name = fill_postgres(product, postgres)
    postgres.execute(name, f"truncate {', '.join(tables(product))}")
    reading = read(product, postgres_engine(postgres, name))
    numbers = {name: value for name, value in counts(reading).items() if name != "confluence.guardrail.pages.depth.max"}
    assert set(numbers.values()) == {0}
    absent = {failure.metric: failure.reason for failure in reading.failures}
    texts = {name for name, value in COUNTS[product].items() if isinstance(value, str)}
    assert absent.keys() <= {*texts, *(name for name in COUNTS[product] if ".licensing." in name)}
    assert set(absent.values()) <= {"not-present"}


def test_each_missing_table_costs_only_itself(tmp_path: Path, product: str) -> None:
    """Whatever table a version lacks is not-present, never 0, and every other guardrail is as before."""
    for table in tables(product):
        path = fill_sqlite(product, tmp_path / table, without=table)
        reading = read(product, sqlite_engine(path))
        absent = {failure.metric for failure in reading.failures}
        assert {failure.reason for failure in reading.failures} <= {"not-present"}
        assert counts(reading) == {name: value for name, value in COUNTS[product].items() if name not in absent}


def test_no_text_of_the_database_is_read(postgres: PostgresServer, product: str) -> None:
    """Names, titles, keys and secrets stand in every row: none is in a sample, tag or failure."""
    name = fill_postgres(product, postgres)
    assert PLANTED not in repr(read(product, postgres_engine(postgres, name)))
