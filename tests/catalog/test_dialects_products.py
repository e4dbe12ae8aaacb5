"""The statements of every product follow the rules of each dialect, also of those no server stands here for."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from agent.catalog import load_catalog, products
from tests.support.product_databases import PRODUCTS, UPPER_ON_MYSQL, tables

DIALECTS = ("postgresql", "mysql", "oracle", "sqlserver")


def statements(dialect: str) -> Iterator[tuple[str, str]]:
    """What a server of `dialect` would be asked, without its literals, for every product."""
    for product in products():
        for query in load_catalog(product).queries.values():
            text = query.text(dialect)
            if text is not None:
                yield f"{product}/{query.name}", " ".join(re.sub(r"'[^']*'", "''", text).split())


def offenders(dialect: str, pattern: str) -> list[str]:
    """The statements of a dialect in which `pattern` is found."""
    return [name for name, text in statements(dialect) if re.search(pattern, text, re.IGNORECASE)]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"group by \d|order by \d", "positions are not accepted by Oracle and SQL Server"),
        (r"\blimit \d", "exists on PostgreSQL and MySQL only"),
        (r"\bilike\b|::|\bnow\(\)", "is PostgreSQL's own"),
    ],
)
def test_no_dialects_own_words(dialect: str, pattern: str, why: str) -> None:
    """What only some databases know is in no statement that another one gets."""
    assert offenders(dialect, pattern) == [], why


def test_oracle_takes_a_bare_alias() -> None:
    """A derived table has its name without AS: Oracle knows no AS there."""
    inner = r"\([^()]*(\([^()]*(\([^()]*\)[^()]*)*\)[^()]*)*\)"
    assert offenders("oracle", rf"(from|join) {inner} as ") == []


@pytest.mark.parametrize("dialect", ["oracle", "sqlserver", "mysql"])
def test_no_bare_boolean(dialect: str) -> None:
    """A flag is a number there: it is compared with 1, never a condition by itself."""
    flag = r"([\"`]\w+[\"`]|is_\w+|enabled|closed)"
    assert offenders(dialect, rf"(when|and|or|where|not) (\w\.)?{flag} (then|and|or|$)") == []
    assert offenders(dialect, r"\b(true|false)\b") == []


def test_oracle_selects_from_something() -> None:
    """Every SELECT has a FROM, `dual` when there is nothing else."""
    for name, text in statements("oracle"):
        top = re.sub(r"\([^()]*(\([^()]*(\([^()]*(\([^()]*\)[^()]*)*\)[^()]*)*\)[^()]*)*\)", "()", text)
        assert " from " in top, name


def test_sqlserver_knows_its_functions() -> None:
    """Functions that SQL Server has under another name or not at all."""
    assert offenders("sqlserver", r"\b(substr|length|to_char|greatest|nvl|concat_ws)\(|\|\|") == []


def test_sqlserver_names_derived_tables() -> None:
    """A derived table without a name is an error there (and on MySQL)."""
    for dialect in ("sqlserver", "mysql"):
        for name, text in statements(dialect):
            assert not re.search(r"from \(select .*\)( where.*)?$", text), name


def test_mysql_quotes_with_back_ticks() -> None:
    """A double quote begins a text on MySQL, and || means OR."""
    assert offenders("mysql", r"\"|\|\|") == []


@pytest.mark.parametrize("product", PRODUCTS)
def test_mysql_names_have_their_case(product: str) -> None:
    """MySQL on Linux tells `content` from `CONTENT`: the product's own tables upper case where it makes them so."""
    upper = {table for table in tables(product) if product in UPPER_ON_MYSQL and not table.startswith("cwd_")}
    for query in load_catalog(product).queries.values():
        for table in re.findall(r"\b(?:from|join) (\w+)", query.text("mysql") or ""):
            assert table == (table.upper() if table.lower() in upper else table.lower()), query.name


@pytest.mark.parametrize("product", PRODUCTS)
def test_variants_say_the_same(product: str) -> None:
    """A variant gives the columns of the plain statement, in its order, from the same tables."""
    for query in load_catalog(product).queries.values():
        plain = shape(query.texts[""])
        for dialect, text in query.texts.items():
            assert shape(text) == plain, f"{query.name}.{dialect}"


def shape(text: str) -> tuple[list[str], list[str]]:
    """The column names and the tables of a statement."""
    columns = re.findall(r" as (\w+)", re.sub(r"cast\(\w+ as \w+(\(\d+\))?\)", "", text))
    return columns, [table.lower() for table in re.findall(r"\b(?:from|join) (\w+)", text) if table != "dual"]
