"""What the dialect variants of Confluence, Bitbucket, Bamboo and Crowd must keep beside the rules of each dialect.

Those rules stand in test_dialects.py, for every product.
"""

from __future__ import annotations

import re

import pytest

from agent.catalog import load_catalog
from tests.support.product_databases import PRODUCTS, UPPER_ON_MYSQL, tables

FROM = re.compile(r"\b(?:from|join) (\w+)")
CAST = re.compile(r" as \w+\(\w+\)")
# Of the database itself, not of the product: `common/guardrails/database.DIALECT.sql` reads them.
SYSTEM = {"dual", "product_component_version"}


@pytest.mark.parametrize("product", PRODUCTS)
def test_mysql_names_have_their_case(product: str) -> None:
    """MySQL on Linux tells `content` from `CONTENT`: the product's own tables upper case where it makes them so."""
    upper = {table for table in tables(product) if product in UPPER_ON_MYSQL and not table.startswith("cwd_")}
    for query in load_catalog(product).queries.values():
        for table in FROM.findall(query.text("mysql") or ""):
            assert table == (table.upper() if table.lower() in upper else table.lower()), f"{query.name}: {table}"


@pytest.mark.parametrize("product", PRODUCTS)
def test_only_known_tables(product: str) -> None:
    """A statement reads tables that the facts know of, each of which a test fills."""
    for query in load_catalog(product).queries.values():
        for text in query.texts.values():
            assert {table.lower() for table in FROM.findall(text)} <= {*tables(product), *SYSTEM}, query.name


@pytest.mark.parametrize("product", PRODUCTS)
def test_variants_say_the_same(product: str) -> None:
    """A variant gives the columns of the others, in their order, from the same tables."""
    for query in load_catalog(product).queries.values():
        shapes = {dialect: shape(text) for dialect, text in query.texts.items()}
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


@pytest.mark.parametrize("product", ["jira", *PRODUCTS])
def test_planned_conditions_are_those_of_the_count(product: str) -> None:
    """A planner is asked for the rows of the same table under conditions that the count itself has."""
    for query in load_catalog(product).queries.values():
        for planned in query.planned:
            for dialect, text in planned.texts.items():
                counted = " ".join((query.text(dialect) or "").split())
                condition = " ".join(text.split()).partition(" where ")[2]
                assert f"from {planned.table}" in counted.lower(), query.name
                for part in condition.split(" and "):
                    assert part in counted, f"{query.name}.{planned.column}: {part}"


def shape(text: str) -> tuple[list[str], list[str]]:
    """The column names and the tables of a statement."""
    columns = re.findall(r" as (\w+)", CAST.sub("", text))
    return columns, [table.lower() for table in FROM.findall(text) if table not in SYSTEM]
