"""Where an entry is read, in the words of its source: what each source's own words have in common.

In:   an entry's table as its file has it. Out: a `Binding`: plain fields that the compiled catalog keeps as they are,
      and the words in which a person is told where a value is read.
Statements stand here and with no source, since several sources read them and the loader checks them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Self

from agent.catalog.reader import COLUMN, Reader

Fact = str | bool | None | tuple[str, ...]


class Merge(StrEnum):
    """How several readings become one series: counts are added, of means and percentiles the highest speaks."""

    SUM = "sum"
    MAX = "max"


class Binding:
    """Where an entry is read: its table `KEY`. A source derives a frozen dataclass from it, in its own `binding.py`.

    Its fields are texts, numbers, switches, tuples, mappings, StrEnums and other such dataclasses, nothing else: the
    compiled catalog makes the object of them again.
    """

    __slots__ = ()
    KEY: ClassVar[str]

    @classmethod
    def parse(cls, entry: Reader) -> Self:
        """The binding of an entry that has `KEY`; what is wrong with it is told to the reader."""
        raise NotImplementedError

    def tag_names(self) -> frozenset[str]:
        """The tags this binding fills; each needs a rule, or it must not be read."""
        return frozenset()

    def attribute_names(self) -> frozenset[str]:
        """The attributes this binding fills; each needs a rule, or it must not be read."""
        return frozenset()

    def merging(self) -> Merge | None:
        """What becomes of readings that the kept tags do not tell apart; None when they stay apart or one speaks."""
        return None

    def read_from(self) -> tuple[str, ...]:
        """Where a value is read, a line each, as `catalog show` tells it."""
        return (f"the entry's {self.KEY}",)

    def read_from_on_page(self, counts: Mapping[str, str]) -> Iterator[str]:
        """The same in Markdown, for docs/what-we-collect.md; `counts` says in words what each statement counts."""
        yield from self.read_from()

    def facts(self) -> Mapping[str, Fact]:
        """The same for `catalog show --json`, under `KEY`."""
        return {"readFrom": self.read_from()}


@dataclass(frozen=True, slots=True)
class JoinedQuery:
    """A further statement whose rows have the same tag columns and add attributes (column -> attribute name)."""

    query: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SqlBinding(Binding):
    """Where a metric is read in the database: a named `.sql` file (dialect variants beside it) and a column of it.

    A guardrail's statement gives one row. With `rows` each row is a series of its own: `tags` maps columns to tag
    names, `attributes` columns to attribute names, and the rows of `also` add attributes to the series with the
    same tags. `count` is the number of rows; it has no column and is there only when every row was read.
    """

    KEY: ClassVar[str] = "sql"

    query: str
    column: str = ""
    rows: bool = False
    count: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    also: tuple[JoinedQuery, ...] = ()

    @property
    def queries(self) -> tuple[str, ...]:
        """Every statement this binding reads, its own first."""
        return (self.query, *(joined.query for joined in self.also))

    @classmethod
    def parse(cls, entry: Reader) -> SqlBinding:
        """The statement, its column, and for rows what each further column is."""
        sql = entry.inside(cls.KEY)
        sql.only(("query", "column", "rows", "count", "tags", "attributes", "also"))
        rows, count = sql.switch("rows"), sql.switch("count")
        column = sql.text("column", required=not count)
        if column and not COLUMN.fullmatch(column):
            sql.fault("column", "must be small letters, digits and _")
        if count and (rows or column):
            sql.fault("count", "is the number of rows: it has no column and no rows of its own")
        binding = cls(
            query=sql.text("query", required=True),
            column=column,
            rows=rows,
            count=count,
            tags=sql.columns("tags"),
            attributes=sql.columns("attributes"),
            also=tuple(_joined(sql)),
        )
        if rows != bool(binding.tags):
            sql.fault("tags", "belongs to entries with rows = true, and to each of them")
        if not rows and (binding.attributes or binding.also):
            sql.fault("attributes", "belongs to entries with rows = true")
        return binding

    def tag_names(self) -> frozenset[str]:
        """The tags of a row."""
        return frozenset(self.tags.values())

    def attribute_names(self) -> frozenset[str]:
        """The attributes of a row, those of joined statements included."""
        return frozenset((*self.attributes.values(), *(name for one in self.also for name in one.attributes.values())))

    def read_from(self) -> tuple[str, ...]:
        """The file and the column, then the files that are joined."""
        column = "the number of rows" if self.count else f"column {self.column}"
        return (f"{self.query}.sql, {column}", *(f"{name}.sql" for name in self.queries[1:]))

    def read_from_on_page(self, counts: Mapping[str, str]) -> Iterator[str]:
        """The file and what it counts."""
        yield f"statement `{self.query}.sql`: {counts[self.query]}"

    def facts(self) -> Mapping[str, Fact]:
        """Its file, column, and further files."""
        return {"query": self.query, "column": self.column, "count": self.count, "also": self.queries[1:]}


def _joined(sql: Reader) -> Iterator[JoinedQuery]:
    for number, table in enumerate(sql.table.get("also", []), start=1):
        joined = Reader(table, sql.file, f"{sql.label}.also.{number}", sql.faults)
        joined.only(("query", "attributes"))
        yield JoinedQuery(joined.text("query", required=True), joined.columns("attributes"))
