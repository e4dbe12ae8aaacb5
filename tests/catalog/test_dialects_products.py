"""What the dialect variants of Confluence, Bitbucket, Bamboo and Crowd must keep beside the rules of each dialect.

Those rules stand in test_dialects.py, for every product.
"""

from __future__ import annotations

import re

import pytest
from sqlglot import exp

from agent.catalog import load_catalog
from agent.catalog.dialects import OWN, columns_given, parsed
from tests.support.product_databases import PRODUCTS, UPPER_ON_MYSQL, tables

# Of the database itself, not of the product: `common/guardrails/database.DIALECT.sql` reads them.
SYSTEM = {"dual", "product_component_version"}


def tables_of(text: str, dialect: str) -> list[str]:
    """The tables that a statement names, in its order and spelling."""
    return [table.name for table in parsed(text, dialect or OWN).find_all(exp.Table)]


@pytest.mark.parametrize("product", PRODUCTS)
def test_mysql_names_have_their_case(product: str) -> None:
    """MySQL on Linux tells `content` from `CONTENT`: the product's own tables upper case where it makes them so."""
    upper = {table for table in tables(product) if product in UPPER_ON_MYSQL and not table.startswith("cwd_")}
    for query in load_catalog(product).queries.values():
        restricted = query.restricted_text("mysql")
        for text in (query.text("mysql") or "", *([restricted] if restricted else [])):
            for table in tables_of(text, "mysql"):
                assert table == (table.upper() if table.lower() in upper else table.lower()), f"{query.name}: {table}"


@pytest.mark.parametrize("product", PRODUCTS)
def test_only_known_tables(product: str) -> None:
    """A statement reads tables that the facts know of, each of which a test fills."""
    for query in load_catalog(product).queries.values():
        for dialect, text in query.texts.items():
            named = {table.lower() for table in tables_of(text, dialect)}
            assert named <= {*tables(product), *SYSTEM}, query.name


@pytest.mark.parametrize("product", PRODUCTS)
def test_variants_say_the_same(product: str) -> None:
    """A variant gives the columns of the others, in their order, from the same tables."""
    for query in load_catalog(product).queries.values():
        shapes = {dialect: shape(text, dialect) for dialect, text in query.texts.items()}
        first = shapes.get("", next(iter(shapes.values())))
        assert [dialect for dialect, found in shapes.items() if found != first] == [], query.name


@pytest.mark.parametrize("product", PRODUCTS)
def test_estimated_tables_are_read_whole(product: str) -> None:
    """The noted size of a table stands in only for the count of all rows of that very table."""
    for query in load_catalog(product).queries.values():
        if query.estimate is not None:
            words = " ".join(query.texts[""].split())
            assert re.search(rf"\bcount\(\*\) as {query.estimate.column}\b", words), query.name
            assert words.endswith(f" from {query.estimate.table}"), query.name


def shape(text: str, dialect: str) -> tuple[tuple[str, ...], list[str]]:
    """The column names and the tables of a statement."""
    named = [table.lower() for table in tables_of(text, dialect) if table not in SYSTEM]
    return columns_given(text, dialect or OWN), named
