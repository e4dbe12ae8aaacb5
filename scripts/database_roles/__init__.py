"""Writes config/database/*.sql, one script a database, from config/database/tables.toml and the templates here.

    python3 -m scripts.database_roles

A template holds its database's statements; @TABLES@ and the @VIEW...@ marks are filled with the one list of what the
agent may read, so that four databases cannot drift apart.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "config" / "database"
DIALECTS = ("postgresql", "mysql", "sqlserver", "oracle")


@dataclass(frozen=True, slots=True)
class View:
    """A table of which only some rows may be seen; `columns` are (name, type), type text or number."""

    name: str
    columns: tuple[tuple[str, str], ...]
    join: str
    rows: str

    def needs(self) -> tuple[str, ...]:
        """The tables it reads."""
        return (self.name, *([self.join.split()[0]] if self.join else []))


@dataclass(frozen=True, slots=True)
class Readable:
    """What the agent's account may read: columns by table, and the filtered tables."""

    tables: Mapping[str, tuple[str, ...]]
    views: tuple[View, ...]

    def columns(self) -> dict[str, set[str]]:
        """Every readable column by table, both in lower case."""
        found = {table.lower(): {column.lower() for column in columns} for table, columns in self.tables.items()}
        for view in self.views:
            found[view.name.lower()] = {name.lower() for name, _ in view.columns}
        return found


def load_readable(folder: Path = FOLDER) -> Readable:
    """The list as it stands in tables.toml."""
    document = tomllib.loads((folder / "tables.toml").read_text(encoding="utf-8"))
    views = []
    for name, facts in document["views"].items():
        columns = tuple((column.split()[0], column.split()[1]) for column in facts["columns"].split(","))
        views.append(View(name, columns, facts.get("join", ""), " ".join(facts["rows"].split())))
    return Readable({table: tuple(text.split()) for table, text in document["tables"].items()}, tuple(views))


def render(dialect: str, readable: Readable) -> str:
    """The script for one database."""
    template = (HERE / f"{dialect}.sql.in").read_text(encoding="utf-8")
    tables, views = _PARTS[dialect]
    return template.replace("@TABLES@", tables(readable)).replace(
        "@VIEWS@", "\n".join(views(v) for v in readable.views)
    )


def write_all(folder: Path = FOLDER) -> None:
    """Write the four scripts."""
    readable = load_readable(folder)
    for dialect in DIALECTS:
        (folder / f"{dialect}.sql").write_text(render(dialect, readable), encoding="utf-8")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _from(view: View, prefix: str) -> str:
    """FROM and WHERE of a view; `prefix` is what a table's name needs in front of it."""
    join = f" join {prefix}{view.join}" if view.join else ""
    return f"from {prefix}{view.name} t{join} where {view.rows}"


def _rows(readable: Readable, line: str, between: str) -> str:
    """One line a table; {table} and {columns} are filled in as quoted texts."""
    return between.join(
        line.format(table=_quoted(table), columns=_quoted(",".join(columns)))
        for table, columns in readable.tables.items()
    )


def _postgresql_view(view: View) -> str:
    types = {"text": "text", "number": "bigint"}
    columns = ", ".join(f"t.{name}::{types[kind]}" for name, kind in view.columns)
    result = ", ".join(f"{name} {types[kind]}" for name, kind in view.columns)
    body = f"select {columns} {_from(view, '')}"
    present = " and ".join(f"to_regclass(format('%I.%I', :'schema', '{table}')) is not null" for table in view.needs())
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
where c.oid = to_regclass(format('%I.%I', :'schema', '{view.name}')) and {present} order by s.place \\gexec"""


def _mysql_view(view: View) -> str:
    columns = ", ".join(f"t.{name}" for name, _ in view.columns)
    join = f" join `@db@`.{view.join}" if view.join else ""
    body = f"select {columns} from `@db@`.{view.name} t{join} where {view.rows};"
    head = "create or replace definer = `portfolio_agent_views`@`localhost` sql security definer view "
    needs = ", ".join(_quoted(table) for table in view.needs())
    return f"""
select replace({_quoted(f"{head}`portfolio_agent_@db@`.{view.name} as {body}")}, '@db@', database())
from dual where (select count(*) from information_schema.tables
  where table_schema = database() and table_name in ({needs})) = {len(view.needs())};"""


def _sqlserver_view(view: View) -> str:
    columns = ", ".join(f"t.{name}" for name, _ in view.columns)
    body = f"create view portfolio_agent.{view.name} as select {columns} {_from(view, '@schema@.')}"
    present = " and ".join(f"object_id(@schema + N'.{table}', 'U') is not null" for table in view.needs())
    return f"""
if {present}
begin
  set @statement = replace(N{_quoted(body)}, N'@schema@', quotename(@schema));
  exec sp_executesql @statement;
end"""


def _oracle_view(view: View) -> str:
    columns = ", ".join(f"t.{name}" for name, _ in view.columns)
    body = f"create or replace view portfolio_agent_views.{view.name} as select {columns} {_from(view, '@owner@.')}"
    needs = ", ".join(_quoted(table.upper()) for table in view.needs())
    return f"  filtered({_quoted(view.name)}, sys.odcivarchar2list({needs}),\n    {_quoted(body)});"


_PARTS: dict[str, tuple[Callable[[Readable], str], Callable[[View], str]]] = {
    "postgresql": (lambda readable: _rows(readable, "  ({table}, {columns})", ",\n"), _postgresql_view),
    "mysql": (
        lambda readable: _rows(readable, "  select {table} as tab, {columns} as cols", "\n  union all\n"),
        _mysql_view,
    ),
    "sqlserver": (lambda readable: _rows(readable, "  (N{table}, N{columns})", ",\n"), _sqlserver_view),
    "oracle": (lambda readable: _rows(readable, "  narrowed({table}, {columns});", "\n"), _oracle_view),
}
