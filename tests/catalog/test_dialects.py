"""What each database would refuse, looked for in every text it is sent: there is no Oracle or SQL Server to ask.

The texts are made from one (`agent/catalog/dialects.py`); tests/catalog/test_forms.py has the rules form by form.

PostgreSQL, MariaDB and SQLite run every statement for real (tests/sources).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlglot import exp

from agent import catalog
from agent.catalog import load_catalog, products
from agent.catalog.dialects import OWN, SQLGLOT, columns_given, parsed, read_tables
from agent.catalog.model import DIALECTS
from agent.catalog.reader import Faults
from tests.support.filled import tables_made
from tests.support.product_databases import UPPER_ON_MYSQL

# Of the database itself, not of the product: `common/guardrails/database.DIALECT.sql` reads them.
SYSTEM = {"dual", "product_component_version"}
# Where the catalog takes the size of a table for its rows of one kind, as these make up nearly all of it.
NEARLY_ALL = {"jira/comments": " where actiontype = 'comment'"}
QUOTED = re.compile(r'"[^"]*"|`[^`]*`|\[[^\]]*\]')
TEXT = re.compile(r"'[^']*'")
OWN_WORDS = {"instance"}  # Confluence's has a file for each of the two databases, and says why
# Reserved as names of columns or tables in at least one of them, and tempting for a count.
RESERVED = {
    *("access", "comment", "current", "date", "file", "groups", "index", "key", "level", "lock", "mode", "number"),
    *("open", "option", "order", "percent", "plan", "public", "rank", "resource", "row", "rows", "rule", "session"),
    *("share", "size", "start", "system", "table", "user", "values", "window"),
}


def texts() -> Iterator[tuple[str, str, str]]:
    """Every (dialect, name, statement) that would run."""
    for product in products():
        found = load_catalog(product)
        for query in found.queries.values():
            for dialect in DIALECTS:
                for kind, text in (("", query.text(dialect)), (".restricted", query.restricted_text(dialect))):
                    if text is not None:
                        yield dialect, f"{product}/{query.name}{kind}", text
            for planned in query.planned:
                for dialect in DIALECTS:
                    text = planned.texts.get(dialect, planned.texts.get(""))
                    yield dialect, f"{product}/{query.name} planned", text or ""
        for name, text in found.estimates.items():
            yield name.partition(".")[0], f"estimates/{name}", text


def of(*wanted: str) -> list[tuple[str, str]]:
    """(name, statement) of these dialects, texts in quotes emptied."""
    return [(f"{name} ({dialect})", TEXT.sub("''", text)) for dialect, name, text in texts() if dialect in wanted]


def listings() -> set[str]:
    """The statements that give many rows."""
    return {query.name for product in products() for query in load_catalog(product).queries.values() if query.rows > 1}


def test_there_is_something_to_check() -> None:
    """Each dialect has as many statements as the catalogs have queries."""
    queries = sum(len(load_catalog(product).queries) for product in products())
    for dialect in DIALECTS:
        assert len(of(dialect)) >= queries


def test_mysql_quotes_with_back_ticks() -> None:
    """Double quotes are strings on MySQL: a table in them would be a syntax error, a column a constant."""
    for name, text in of("mysql"):
        assert '"' not in text, name


def test_every_statement_is_one_of_its_dialect() -> None:
    """Read and written again in the words of its database, each statement says what it said."""
    for dialect, name, text in texts():
        again = parsed(text, dialect).sql(dialect=SQLGLOT[dialect])
        assert parsed(again, dialect).sql(dialect=SQLGLOT[dialect]) == again, f"{name} ({dialect})"


def test_only_mysql_has_back_ticks() -> None:
    """Nobody else understands them (SQLite does, but shares PostgreSQL's text)."""
    for name, text in of("postgresql", "oracle", "sqlserver", "sqlite"):
        assert "`" not in text, name


def test_active_objects_are_quoted() -> None:
    """PostgreSQL folds bare names to small letters: AO tables and their columns are found only in quotes."""
    for name, text in of("postgresql", "oracle", "sqlserver", "mysql", "sqlite"):
        assert not re.search(r"\bAO_\w+", QUOTED.sub("", text)), name


def test_derived_tables_have_a_bare_alias() -> None:
    """Oracle refuses AS before the alias of a table; the others take either."""
    for name, text in of("oracle"):
        from_on = " ".join(text.split())
        for found in re.finditer(r"\bfrom\s*\(|\bjoin\s*\(", from_on):
            rest = after_bracket(from_on, found.end())
            assert not re.match(r"\s*as\b", rest), name
            assert re.match(r"\s*[a-z]\w*", rest), f"{name}: SQL Server and MySQL want an alias"
        assert not re.search(r"\b(?:from|join)\s+[\w\".]+\s+as\b", from_on), name


def after_bracket(text: str, at: int) -> str:
    """What follows the bracket that was opened just before `at`."""
    depth = 1
    while depth:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return text[at:]


def test_no_limit_and_no_ordinals() -> None:
    """LIMIT is known to PostgreSQL and MySQL only; GROUP BY 1 groups by a constant or fails elsewhere."""
    for name, text in of("oracle", "sqlserver"):
        assert not re.search(r"\blimit\b", text, re.IGNORECASE), name
    for name, text in of(*DIALECTS):
        assert not re.search(r"\bgroup\s+by\s+\d", text, re.IGNORECASE), name


def test_booleans_are_compared_with_one() -> None:
    """Neither Oracle nor SQL Server has TRUE and FALSE, nor takes a column for a condition; MySQL has tinyint."""
    for name, text in of("oracle", "sqlserver", "mysql"):
        assert not re.search(r"\b(?:true|false)\b", text, re.IGNORECASE), name
        assert not re.search(r"\bwhen\s+[\w.\"`]+\s+then\b", text, re.IGNORECASE), name


def test_oracle_selects_from_something() -> None:
    """A SELECT without FROM is an error on Oracle before 23: scalar subqueries stand over DUAL."""
    for name, text in of("oracle"):
        outer = text
        while (shorter := re.sub(r"\([^()]*\)", "", outer)) != outer:
            outer = shorter
        assert re.search(r"\bfrom\b", outer, re.IGNORECASE), name


def test_names_are_short_enough_for_oracle() -> None:
    """Before 12.2 a name has at most 30 characters: of tables, of columns, and of what a statement calls them."""
    for dialect, name, text in texts():
        if dialect == "oracle":
            names = {found.name for found in parsed(text, dialect).find_all(exp.Identifier)}
            assert max(map(len, names)) <= 30, name


def test_functions_of_one_database_only() -> None:
    """length and substr are len and substring on SQL Server."""
    for name, text in of("sqlserver"):
        assert not re.search(r"\b(?:length|substr|to_char)\s*\(", text, re.IGNORECASE), name


@pytest.mark.parametrize("product", products())
def test_long_texts_are_cut(product: str) -> None:
    """A text without a length limit is cut before Oracle or SQL Server compares it, but where it is unpacked whole."""
    file = Path(catalog.__file__).parent / product / "tables.toml"
    columns = [name.partition(".")[2] for name in read_tables(file, "", Faults()).long_text]
    cuts = {
        "oracle": r"to_char\(substr\((?:\w\.)?%s, 1, \d+\)\)",
        "sqlserver": r"cast\((?:\w\.)?%s as nvarchar\(\d+\)\)",
    }
    for query in load_catalog(product).queries.values():
        for dialect, cut in cuts.items():
            text = query.text(dialect) or ""
            for column in columns if query.unpack is None and query.name not in OWN_WORDS else ():
                assert len(re.findall(column, text)) == len(re.findall(cut % column, text)), f"{query.name} ({dialect})"


def test_like_needs_no_escape() -> None:
    """An underscore in LIKE matches anything, and its escape differs: no pattern has one, no guardrail uses LIKE."""
    listed = listings()
    for dialect, name, text in texts():
        patterns = re.findall(r"\blike\s+(\S+)", text, re.IGNORECASE)
        assert not [pattern for pattern in patterns if "_" in pattern], f"{name} ({dialect})"
        assert not patterns or name.rpartition("/")[2] in listed, f"{name} ({dialect})"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_aliases_are_no_reserved_words(dialect: str) -> None:
    """A column or table is called nothing that one of the databases keeps for itself."""
    for name, text in of(dialect):
        aliases = {word.lower() for word in re.findall(r"\bas\s+(\w+)\b(?!\s*\()", text)}
        assert not aliases & RESERVED, name


def test_no_star_but_in_count() -> None:
    """A statement names what it reads: tables hold credentials and text beside the figures."""
    for name, text in of(*DIALECTS):
        assert not re.search(r"(?<!count\()(?<!count_big\()\*", text), name


@pytest.mark.parametrize(
    "word",
    ["credential", "password", "license", "url", "jql", "actionbody", "summary", "msg_data", "user_name", "email"],
)
def test_what_must_not_be_read(word: str) -> None:
    """No statement so much as names a column of secrets, content or persons."""
    # An application link is an address, and so is the base URL: both are cut to scheme, host and path.
    addresses = ("application_links", "instance") if word == "url" else ()
    # Decoded in memory by an allow-list, with the product's own login: tests/sources/listings/test_licence.py.
    licence = ("licence",) if word == "license" else ()
    # Grouped by and never given; an account of its own reads a view in their place, and no name.
    grouped = ("users_active", "accounts_active") if word == "user_name" else ()
    for name, text in of(*DIALECTS):
        named = re.search(rf"(?<![a-z]){word}", text.lower())
        assert not named or name.rpartition("/")[2].startswith((*addresses, *licence, *grouped)), name


def tables_of(text: str, dialect: str) -> list[str]:
    """The tables that a statement names, in its order and spelling."""
    return [table.name for table in parsed(text, dialect or OWN).find_all(exp.Table)]


@pytest.mark.parametrize("product", products())
def test_mysql_names_have_their_case(product: str) -> None:
    """MySQL on Linux tells `content` from `CONTENT`: upper case where the product or an app makes them so."""
    upper = product in UPPER_ON_MYSQL
    spelt = {
        table.lower(): table.upper() if upper and not table.startswith("cwd_") else table
        for table in tables_made(product)
    }
    for query in load_catalog(product).queries.values():
        restricted = query.restricted_text("mysql")
        for text in (query.text("mysql") or "", *([restricted] if restricted else [])):
            for table in tables_of(text, "mysql"):
                assert table == spelt.get(table.lower(), table.lower()), f"{query.name}: {table}"


@pytest.mark.parametrize("product", products())
def test_only_known_tables(product: str) -> None:
    """A statement reads tables that the facts know of, each of which a test fills."""
    for query in load_catalog(product).queries.values():
        for dialect, text in query.texts.items():
            named = {table.lower() for table in tables_of(text, dialect)}
            assert named <= {*(table.lower() for table in tables_made(product)), *SYSTEM}, query.name


@pytest.mark.parametrize("product", products())
def test_variants_say_the_same(product: str) -> None:
    """A variant gives the columns of the others, in their order, from the same tables."""
    for query in load_catalog(product).queries.values():
        shapes = {dialect: shape(text, dialect) for dialect, text in query.texts.items()}
        first = shapes.get("", next(iter(shapes.values())))
        assert [dialect for dialect, found in shapes.items() if found != first] == [], query.name


@pytest.mark.parametrize("product", products())
def test_estimated_tables_are_read_whole(product: str) -> None:
    """The noted size of a table stands in only for the count of all, or nearly all, rows of that very table."""
    for query in load_catalog(product).queries.values():
        if query.estimate is not None:
            words = " ".join(query.texts[""].split())
            assert re.search(rf"\bcount\(\*\) as {query.estimate.column}\b", words), query.name
            rest = NEARLY_ALL.get(f"{product}/{query.name}", "")
            assert words.replace('"', "").endswith(f" from {query.estimate.table}{rest}"), query.name


def shape(text: str, dialect: str) -> tuple[tuple[str, ...], list[str]]:
    """The column names and the tables of a statement."""
    named = [table.lower() for table in tables_of(text, dialect) if table not in SYSTEM]
    return columns_given(text, dialect or OWN), named
