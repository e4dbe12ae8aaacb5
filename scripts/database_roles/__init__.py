"""Writes config/database/*.sql, one script a database: the rights of an account that may read what the agent reads.

    .venv/bin/python -m scripts.database_roles

Which columns of which tables, the catalog's statements say: a new one grants itself what it reads. Tables that hold
secrets as well are seen through the views of config/database/views.toml only. A template holds its database's
statements; @TABLES@ and @VIEWS@ are filled with that one list, so that four databases cannot drift apart.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import agent.catalog
from agent.catalog import Catalog, load_catalog, products
from agent.catalog.dialects import Tables, columns_read, read_tables
from agent.catalog.reader import Faults

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "config" / "database"
# The key of an application link: an id of 36 characters follows, of which no other key can be a part.
APPLICATION_LINK = "applinks.admin." + "_" * 36
DIALECTS = ("postgresql", "mysql", "sqlserver", "oracle")
CATALOG = Path(agent.catalog.__file__).parent
# Asks the server for its version: every login may.
OF_THE_SERVER = "database"


@dataclass(frozen=True, slots=True)
class View:
    """Single rows of a table, or counts of it, for an account that may not read the table itself.

    `columns` are (name, type, expression), type text or number; in expressions, `rows` and `group` the table is t.
    `hides`: it bears the table's own name, so that statements find it in the table's place. `values`: by dialect, what
    stands for @VALUE@ in an expression. `joins`: what is joined, each as "TABLE ALIAS on ...". `beside`: a table by
    which its product is known, where products have tables of one name with other columns; "" where there is no need.
    `having`: columns without which the table is another one of the same name.
    """

    name: str
    table: str
    columns: tuple[tuple[str, str, str], ...]
    joins: tuple[str, ...]
    rows: str
    group: str
    hides: bool
    values: Mapping[str, str]
    beside: str = ""
    having: tuple[str, ...] = ()

    def for_dialect(self, dialect: str) -> View:
        """The same with the expressions of one database."""
        value = " ".join(self.values.get(dialect, "").split())
        return replace(
            self, columns=tuple((name, kind, text.replace("@VALUE@", value)) for name, kind, text in self.columns)
        )

    def reads(self) -> tuple[str, ...]:
        """The tables it reads, its own first."""
        return (self.table, *(join.split()[0] for join in self.joins))

    def needs(self) -> tuple[str, ...]:
        """The tables without which it is not made."""
        return (*self.reads(), *([self.beside] if self.beside else []))

    def body(self, *tables: str) -> str:
        """The statement; `tables` are those that it reads, as the database at hand wants them named."""
        columns = ", ".join(value if value == f"t.{name}" else f"{value} as {name}" for name, _, value in self.columns)
        joins = "".join(
            f" join {table}{join[len(join.split()[0]) :]}" for table, join in zip(tables[1:], self.joins, strict=True)
        )
        group = f" group by {self.group}" if self.group else ""
        return f"select {columns} from {tables[0]} t{joins} where {self.rows}{group}"

    def body_below(self, prefix: str) -> str:
        """The statement where each table's name needs `prefix` in front of it."""
        return self.body(*(prefix + table for table in self.reads()))


@dataclass(frozen=True, slots=True)
class Readable:
    """What the agent's account may read: columns by table, and the views."""

    tables: Mapping[str, tuple[str, ...]]
    views: tuple[View, ...]

    def columns(self) -> dict[str, set[str]]:
        """Every readable column by table, both in lower case."""
        found = {table.lower(): {column.lower() for column in columns} for table, columns in self.tables.items()}
        for view in self.views:
            found.setdefault(view.name.lower(), set()).update(name.lower() for name, _, _ in view.columns)
        return found


class Hidden(ValueError):
    """A statement reads a column that the views of views.toml do not show; the words name both."""


def load_readable(folder: Path = FOLDER, catalog: Path = CATALOG) -> Readable:
    """What the statements of all products read, and the views. Raises Hidden."""
    document = tomllib.loads((folder / "views.toml").read_text(encoding="utf-8"))
    views = tuple(
        _view(name, facts, hides=kind == "views")
        for kind in ("views", "counts")
        for name, facts in document[kind].items()
    )
    shown: dict[str, list[set[str]]] = {}
    for view in views:
        shown.setdefault(view.name, []).append({name for name, _, _ in view.columns})
    tables: dict[str, set[str]] = {}
    for product in products():
        spelling = read_tables(catalog / product / "tables.toml", product, Faults())
        for query, table, columns in _read_by(load_catalog(product), spelling):
            if table not in shown:
                tables.setdefault(table, set()).update(columns)
            elif not any(columns <= view for view in shown[table]):
                hidden = columns - shown[table][0]
                raise Hidden(f"{product}/{query} reads {', '.join(sorted(hidden))} of {table}")
    return Readable({table: tuple(sorted(tables[table])) for table in sorted(tables)}, views)


def _read_by(catalog: Catalog, known: Tables) -> Iterator[tuple[str, str, set[str]]]:
    """(statement, table, columns) of what an account of its own is asked; of rows that are counted a key."""
    for query in catalog.queries.values():
        texts = [query.restricted_text("postgresql") or query.text("postgresql") or ""]
        texts += [planned.texts[""] for planned in query.planned]
        texts += [query.after[""]] if query.after else []
        for text in () if query.name == OF_THE_SERVER or query.product_login else texts:
            for table, columns in columns_read(text).items():
                yield (
                    query.name,
                    table,
                    columns or set(known.keys.get(table, "ID" if table.isupper() else "id").split()),
                )


def _view(name: str, facts: Mapping[str, Any], *, hides: bool) -> View:
    columns = []
    for column in facts["columns"].split(","):
        given, _, value = column.partition("=")
        word, kind = given.split()
        columns.append((word, kind, " ".join(value.split()) or f"t.{word}"))
    rows = " ".join(facts["rows"].replace("@LINK@", APPLICATION_LINK).split())
    table = facts.get("table", name)
    joins = facts.get("join", [])
    return View(
        name=table if hides else name,
        table=table,
        columns=tuple(columns),
        joins=(joins,) if isinstance(joins, str) else tuple(joins),
        rows=rows,
        group=facts.get("group", ""),
        hides=hides,
        values=facts.get("values", {}),
        beside=facts.get("beside", ""),
        having=tuple(facts.get("having", "").split()),
    )


def render(dialect: str, readable: Readable) -> str:
    """The script for one database."""
    template = (HERE / f"{dialect}.sql.in").read_text(encoding="utf-8")
    tables, views = _PARTS[dialect]
    return template.replace("@TABLES@", tables(readable)).replace(
        "@VIEWS@", "\n".join(views(view.for_dialect(dialect)) for view in readable.views)
    )


def write_all(folder: Path = FOLDER) -> None:
    """Write the four scripts. Raises Hidden."""
    readable = load_readable(folder)
    for dialect in DIALECTS:
        (folder / f"{dialect}.sql").write_text(render(dialect, readable), encoding="utf-8")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _rows(readable: Readable, line: str, between: str) -> str:
    """One line a table; {table} and {columns} are filled in as quoted texts."""
    return between.join(
        line.format(table=_quoted(table), columns=_quoted(",".join(columns)))
        for table, columns in readable.tables.items()
    )


def _postgresql_view(view: View) -> str:
    types = {"text": "text", "number": "bigint"}
    columns = tuple((name, kind, f"({value})::{types[kind]}") for name, kind, value in view.columns)
    result = ", ".join(f"{name} {types[kind]}" for name, kind, _ in view.columns)
    body = replace(view, columns=columns).body_below("")
    present = " and ".join(f"to_regclass(format('%I.%I', :'schema', '{table}')) is not null" for table in view.needs())
    present += "".join(
        " and exists (select 1 from pg_attribute where "
        f"attrelid = to_regclass(format('%I.%I', :'schema', '{view.table}')) "
        f"and attname = '{column}' and not attisdropped)"
        for column in view.having
    )
    name = f"portfolio_agent.read_{view.name}()"
    return f"""
select format($f$create function {name} returns table ({result})
  language sql stable security definer set search_path = %I, pg_temp as %L$f$, :'schema', $b${body}$b$)
where {present} \\gexec
select format(s.statement, c.relowner::regrole) from pg_class c, (values
  (1, 'alter function {name} owner to %s'),
  (2, 'revoke all on function {name} from public'),
  (3, 'grant execute on function {name} to portfolio_agent'),
  (4, 'create view portfolio_agent.{view.name} as select * from {name}'),
  (5, 'grant select on portfolio_agent.{view.name} to portfolio_agent')) s (place, statement)
where c.oid = to_regclass(format('%I.%I', :'schema', '{view.table}')) and {present} order by s.place \\gexec"""


def _mysql_view(view: View) -> str:
    # The tables' names as they stand in the database: Confluence and Bamboo have them in upper case, and it matters.
    name = "`@table@`" if view.hides else view.name
    marks = [f"joined{number}" for number in range(1, len(view.joins) + 1)]
    body = view.body("`@db@`.`@table@`", *(f"`@db@`.`@{mark}@`" for mark in marks))
    head = "create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view "
    text = f"{head}`portfolio_agent_@db@`.{name} as {body};"
    having = "".join(
        f"""
  and exists (select 1 from information_schema.columns c where c.table_schema = t.table_schema
    and c.table_name = t.table_name and lower(c.column_name) = {_quoted(column)})"""
        for column in view.having
    )
    filled = f"replace(replace({_quoted(text)}, '@db@', database()), '@table@', t.table_name)"
    others = ""
    for number, table in enumerate(view.needs()[1:], 1):
        if number <= len(marks):
            filled = f"replace({filled}, '@{marks[number - 1]}@', e{number}.table_name)"
        others += (
            f" join information_schema.tables e{number} on e{number}.table_schema = t.table_schema "
            f"and lower(e{number}.table_name) = {_quoted(table)}"
        )
    return f"""
select {filled}
from information_schema.tables t{others}
where t.table_schema = database() and lower(t.table_name) = {_quoted(view.table)}{having};"""


def _sqlserver_view(view: View) -> str:
    body = f"create view portfolio_agent.{view.name} as {view.body_below('@schema@.')}"
    present = " and ".join(
        [
            *(f"object_id(@schema + N'.{table}', 'U') is not null" for table in view.needs()),
            *(f"col_length(@schema + N'.{view.table}', N'{column}') is not null" for column in view.having),
        ]
    )
    return f"""
if {present}
begin
  set @statement = replace(N{_quoted(body)}, N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end"""


def _oracle_view(view: View) -> str:
    body = f"create or replace view portfolio_agent_views.{view.name} as {view.body_below('@owner@.')}"
    needs = ", ".join(_quoted(table.upper()) for table in view.needs())
    having = ", ".join(_quoted(column.upper()) for column in view.having)
    return (
        f"  filtered({_quoted(view.name)}, sys.odcivarchar2list({needs}), sys.odcivarchar2list({having}),\n"
        f"    {_quoted(body)});"
    )


_PARTS: dict[str, tuple[Callable[[Readable], str], Callable[[View], str]]] = {
    "postgresql": (lambda readable: _rows(readable, "  ({table}, {columns})", ",\n"), _postgresql_view),
    "mysql": (
        lambda readable: _rows(readable, "  select {table} as tab, {columns} as cols", "\n  union all\n"),
        _mysql_view,
    ),
    "sqlserver": (lambda readable: _rows(readable, "  (N{table}, N{columns})", ",\n"), _sqlserver_view),
    "oracle": (lambda readable: _rows(readable, "  narrowed({table}, {columns});", "\n"), _oracle_view),
}
