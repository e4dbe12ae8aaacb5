"""The guardrails of every product, read for real on every database that runs here."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from agent.catalog import load_catalog
from agent.model import Reading
from agent.sources.guardrails.source import Guardrails
from tests.support import filled
from tests.support.filled import COUNTS, DATABASES, PRODUCTS
from tests.support.mariadb import mariadb
from tests.support.postgres import postgres
from tests.support.product_databases import PLANTED
from tests.support.sources import sqlite_engine

__all__ = ["mariadb", "postgres"]  # the fixtures

pytestmark = pytest.mark.parametrize("product", PRODUCTS)

# No counts either: what a table without rows leaves open, beside the texts.
OPEN_WITHOUT_ROWS = {
    "jira": {
        "jira.guardrail.epics",
        "jira.safeguard.issue_comments.limit",
        *(f"jira.guardrail.index.missing.{what}" for what in ("issues", "comments", "worklogs")),
    },
    "crowd": {"crowd.guardrail.licensing.users.max", "crowd.guardrail.licensing.crowd_users.max"},
}
# What is 1 without a row: the level at which the deepest page lies, the nodes of a Jira that is no cluster.
ONE = {"confluence.guardrail.pages.depth.max", "jira.guardrail.nodes", "jira.guardrail.nodes.active"}


def read(product: str, engine: Engine) -> Reading:
    """Everything at once."""
    return Guardrails(load_catalog(product), lambda: engine).read(60)


def counts(reading: Reading) -> dict[str, object]:
    """What the product's tables gave, without kind and version of the server."""
    found = {sample.series.metric: sample.value for sample in reading.samples}
    return {metric: value for metric, value in found.items() if not metric.startswith("database.")}


def reasons(reading: Reading) -> dict[str, str]:
    return {failure.metric: failure.reason for failure in reading.failures}


@pytest.mark.parametrize("database", DATABASES)
def test_counts(request: pytest.FixtureRequest, product: str, database: str) -> None:
    """Every guardrail is right, in the words and the spelling of each database, sums and truth values as plain ints.

    None is forgotten here, every statement has its cost, and no text that stands in the rows is read.
    """
    reading = read(product, filled.shared(request, product, database).engine())
    assert counts(reading) == COUNTS[product]
    assert {metric: type(value) for metric, value in counts(reading).items()} == {
        metric: type(value) for metric, value in COUNTS[product].items()
    }
    assert reading.failures == ()
    own = {sample.series.metric: sample.value for sample in reading.samples}
    assert own["database.kind"] == database
    assert re.match(r"\d+\.\d+", str(own["database.version"]))
    metrics = load_catalog(product).of_source("guardrails")
    assert own.keys() == {metric.name for metric in metrics}
    assert reading.costs_s.keys() == {metric.sql.query for metric in metrics if metric.sql}
    assert PLANTED not in repr(reading)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_empty_tables_give_zeros(request: pytest.FixtureRequest, tmp_path: Path, product: str, database: str) -> None:
    """Tables without rows count 0, sums too where the header says so; what is no count is not-present."""
    reading = read(product, filled.empty(request, product, database, tmp_path).engine())
    numbers = counts(reading)
    assert numbers == {name: int(name in ONE) for name in numbers}
    texts = {name for name, value in COUNTS[product].items() if isinstance(value, str)}
    assert reasons(reading) == dict.fromkeys(texts | OPEN_WITHOUT_ROWS.get(product, set()), "not-present")


def test_each_missing_table_costs_only_itself(request: pytest.FixtureRequest, tmp_path: Path, product: str) -> None:
    """Whatever table a version lacks is not-present, never 0, and every other guardrail is as before."""
    path = Path(filled.filled(request, product, "sqlite", tmp_path).name)
    for table in filled.tables(path):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f'alter table "{table}" rename to away')
            reading = read(product, sqlite_engine(path))
            connection.execute(f'alter table away rename to "{table}"')
        absent = reasons(reading)
        assert set(absent.values()) <= {"not-present"}, table
        assert counts(reading) == {name: value for name, value in COUNTS[product].items() if name not in absent}, table
