"""Which of the tables and columns that the catalog's statements read this product's database has.

In:   a read-only connection, the catalog. Two questions an hour at most, or when the build number changed.
Out:  which text of a statement holds here (a product that moved its settings keeps the old table, with the values of
      the day of the upgrade), and what the statements want and the database lacks: told once, with the build number,
      and told again only when it changed. So a change of a product is noticed at its first site.
Not a word about rights: a table that is there and may not be read is there.
What decides when the version is not known: the tables. The build number is asked only where they cannot all be seen,
which is an account of views on MySQL, Oracle and SQL Server; if that does not tell either, the statement is not asked.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from agent.catalog import Catalog, SqlQuery
from agent.catalog.versions import VersionRange, version_of_build
from agent.log import log
from agent.sources.base import clean_text
from agent.sources.restricted import RestrictedStatements
from agent.system.clock import monotonic_s

if TYPE_CHECKING:
    from sqlalchemy import Connection

LOG = logging.getLogger(__name__)
AGAIN_S = 3600.0
DIALECTS = {"mariadb": "mysql", "mssql": "sqlserver"}  # SQLAlchemy's word -> the catalog's
SHOWS_ALL = ("postgresql", "sqlite")  # every login sees what there is, whether it may read it or not
BUILD = "product.build"
OF_AN_APP = "AO_"  # not there without the app, which is no matter of the product's version
SHOWN = 12
ELSEWHERE = "this version keeps it elsewhere, and where is not known"
NOT_SHOWN = "the account's views do not tell where this version keeps it: run the script that made them again"


class Place(Enum):
    """Where this version of the product keeps what a statement reads."""

    BEFORE = "before"
    AFTER = "after"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Lack:
    """A table, or columns of one that is there, that a statement reads and this database does not have."""

    table: str
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.table} ({', '.join(self.columns)})" if self.columns else self.table


@dataclass(frozen=True, slots=True)
class Existing:
    """What there is. Names in small letters but for `spelt`, which has them as the database does."""

    dialect: str
    columns: Mapping[str, frozenset[str]]
    spelt: Mapping[str, str] = field(default_factory=dict)
    seen_through: frozenset[str] = frozenset()
    build: str = ""

    def place(self, query: SqlQuery) -> Place:
        """Whether the product has moved what the statement reads."""
        until = query.until
        if until is None:
            return Place.BEFORE
        if frozenset(until.columns) <= self.columns.get(until.table, frozenset()):
            return Place.AFTER
        tables = {table.lower() for table in query.reads}
        if until.build is None or self.dialect in SHOWS_ALL or not tables & self.seen_through:
            return Place.BEFORE
        # An account of views sees what its script made, which may be of the time before the upgrade.
        return Place.BEFORE if self.build.isdecimal() and int(self.build) < until.build else Place.UNKNOWN

    def lacks(self, catalog: Catalog) -> tuple[Lack, ...]:
        """What the statements want and is not there, once each, of what this version should have."""
        version = version_of_build(catalog.product, self.build)
        found: dict[str, set[str]] = {}
        for query in catalog.queries.values():
            if self.place(query) is not Place.BEFORE or not VersionRange.parse(query.versions).holds(version):
                continue
            for table, columns in query.reads.items():
                if table.startswith(OF_AN_APP):
                    continue
                existing = self.columns.get(table.lower())
                missing = set() if existing is None else {name for name in columns if name.lower() not in existing}
                if existing is None or missing:
                    found.setdefault(table, set()).update(missing)
        return tuple(Lack(table, tuple(sorted(found[table]))) for table in sorted(found))

    def sentence(self, catalog: Catalog) -> str:
        """What is lacking, for a person; "" when nothing is."""
        names = [str(lack) for lack in self.lacks(catalog)]
        if not names:
            return ""
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        views = self.dialect not in SHOWS_ALL and bool(self.seen_through)
        which = "The account's views show" if views else f"This version of {catalog.product.capitalize()} has"
        return f"{which} no {', '.join(names[:SHOWN])}{more}{_of_build(self.build)}: what stands there is not measured."


class Inventory:
    """What is known of one database, shared by all that read it; one of them at a time asks (the gate)."""

    def __init__(self, catalog: Catalog, *, clock: Callable[[], float] = monotonic_s) -> None:
        self._catalog = catalog
        self._clock = clock
        self._known: Existing | None = None
        self._asked_s: float | None = None
        self._told: tuple[str, tuple[Lack, ...]] | None = None

    @property
    def sentence(self) -> str | None:
        """What is lacking, for a person; "" when nothing is, None before the first look."""
        return None if self._known is None else self._known.sentence(self._catalog)

    @property
    def build(self) -> str:
        """The build number of the last look, "" where it is not known."""
        return "" if self._known is None else self._known.build

    def look(self, connection: Connection) -> Existing | None:
        """What there is, asked anew after an hour; None where the database does not tell. Raises when it is lost."""
        now_s = self._clock()
        if self._asked_s is None or now_s >= self._asked_s + AGAIN_S:
            self._known = self._ask(connection)
            self._asked_s = now_s
            if self._known is not None:
                self._tell(self._known)
        return self._known

    def is_of(self, build: str) -> None:
        """The product says that it is of this build: after an upgrade everything is looked at anew."""
        if self._known is not None and self._known.build != build:
            self._asked_s = None

    def words(
        self, connection: Connection, query: SqlQuery, restricted: RestrictedStatements, dialect: str
    ) -> tuple[str | None, str]:
        """The text to run and ""; or None and why there is none. Raises when the connection is lost."""
        if query.until is None:
            words = restricted.text(query, dialect)
            return words, "" if words is not None else dialect
        existing = self.look(connection)
        place = Place.UNKNOWN if existing is None else existing.place(query)
        if place is Place.BEFORE:
            words = restricted.text(query, dialect)
            return words, "" if words is not None else dialect
        after = query.after.get(dialect, query.after.get(""))
        if place is Place.UNKNOWN or existing is None:
            return None, NOT_SHOWN
        if after is None:
            return None, f"{ELSEWHERE}{_of_build(existing.build)}"
        return _spelt(after, query.until.table, existing.spelt.get(query.until.table, "")), ""

    def _ask(self, connection: Connection) -> Existing | None:
        dialect = DIALECTS.get(connection.dialect.name, connection.dialect.name)
        words = self._catalog.columns.get(dialect)
        if words is None:
            return None
        rows = _rows(connection, words, self._wanted(exact=dialect == "postgresql"))
        if rows is None:
            return None
        columns: dict[str, set[str]] = {}
        spelt: dict[str, str] = {}
        views: set[str] = set()
        for row in rows:
            table = str(row["tab"])
            columns.setdefault(table.lower(), set()).add(str(row["col"]).lower())
            spelt[table.lower()] = table
            if str(row["seen_through"]) == "1":
                views.add(table.lower())
        known = {table: frozenset(names) for table, names in columns.items()}
        return Existing(dialect, known, spelt, frozenset(views), self._build(connection, dialect))

    def _wanted(self, *, exact: bool) -> list[str]:
        queries = self._catalog.queries.values()
        names = {table for query in queries for table in query.reads}
        names |= {query.until.table for query in queries if query.until is not None}
        return sorted(names if exact else {name.lower() for name in names})

    def _build(self, connection: Connection, dialect: str) -> str:
        metric = self._catalog.metrics.get(BUILD)
        query = self._catalog.queries.get(metric.sql.query) if metric is not None and metric.sql is not None else None
        words = query.text(dialect) if query is not None else None
        rows = None if words is None else _rows(connection, words)
        column = metric.sql.column if metric is not None and metric.sql is not None else ""
        value = rows[0].get(column) if rows else None
        return "" if value is None else clean_text(str(value), 20).strip()

    def _tell(self, existing: Existing) -> None:
        lacks = existing.lacks(self._catalog)
        if self._told == (existing.build, lacks):
            return
        self._told = existing.build, lacks
        if lacks:
            log(
                LOG,
                logging.WARNING,
                "schema.lacks",
                product=self._catalog.product,
                build=existing.build or "unknown",
                why=existing.sentence(self._catalog),
                do="Nothing, if this version is known for it. After an upgrade of the product, run the "
                "script that made the agent's account again.",
            )


def _of_build(build: str) -> str:
    return f" (build {build})" if build else ""


def _spelt(words: str, table: str, name: str) -> str:
    """The statement with the table's name as this database spells it; MySQL tells cases apart."""
    return re.sub(rf"\b{table}\b", name, words, flags=re.IGNORECASE) if name.lower() == table else words


def _rows(connection: Connection, words: str, wanted: list[str] | None = None) -> list[dict[str, object]] | None:
    """The rows, names of columns in small letters; None when the database refuses. Raises when it is lost."""
    # Imported where a database is asked: a configuration without one opens this module too.
    from sqlalchemy import bindparam, text
    from sqlalchemy.exc import SQLAlchemyError

    statement = text(words)
    if wanted is not None:
        statement = statement.bindparams(bindparam("wanted", wanted, expanding=True))
    try:
        with connection.begin() as transaction:
            rows = [
                {str(column).lower(): value for column, value in row.items()}
                for row in connection.execute(statement).mappings()
            ]
            transaction.rollback()
    except SQLAlchemyError:
        if connection.closed or connection.invalidated:
            raise
        return None
    return rows
