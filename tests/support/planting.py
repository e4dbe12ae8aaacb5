"""Plants unmistakable personal texts wherever the sources can look, and searches all that an agent leaves behind.

A planted text is `Zita-N Mustermann <zita@...>`: the number tells where it was put, so what is found names its leak.
Nothing here knows the catalog's rules; it reads the schema of the database and the patterns of the beans.
"""

from __future__ import annotations

import gzip
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from sqlalchemy import Boolean, Connection, Date, DateTime, Engine, String, Text, inspect, literal, text, update
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table
from sqlalchemy.exc import SQLAlchemyError

from agent.catalog import Catalog
from agent.sources.jmx.binding import JmxBinding

FOUND = re.compile(rb"(?i)zita-(\d+)|mustermann|zita@example")
FAMILY = "Mustermann <zita@example.net>"
SHORTEST = 8  # "Zita-123"; a shorter column cannot hold a name
MANY = 50  # distinct values of a column that are planted one by one
LINK_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LEAF = re.compile(r">([^<>]+)<")
# Tables of keys and values: where a value stands, and the table and column of its key, joined by a column both have.
KEYED = {
    ("propertystring", "propertyvalue"): ("propertyentry", "property_key", "id"),
    ("bandana", "bandanavalue"): ("bandana", "bandanakey", "bandanaid"),
    ("app_property", "prop_value"): ("app_property", "prop_key", "prop_key"),
    ("plugin_setting", "key_value"): ("plugin_setting", "key_name", "id"),
    ("cwd_property", "property_value"): ("cwd_property", "property_name", "property_name"),
}
# What a statement compares a column with: words of the product by which rows are found.
COMPARED = re.compile(
    r"(?:\w+\.)?(\w+)\s*(?:collate \w+\s*)?(=|<>|!=|not like|like|not in|in)\s*(\(\s*'[^)]*\)|'[^']*')", re.IGNORECASE
)
WORDS = re.compile(r"'([^']*)'")


@dataclass
class Plants:
    """Where each number was planted; `kept` are columns of which some rows stay as they are, with what keeps them."""

    places: list[str] = field(default_factory=list)
    kept: dict[str, set[str]] = field(default_factory=dict)
    short: list[str] = field(default_factory=list)

    def name(self, place: str) -> str:
        """A new personal text for a place."""
        self.places.append(place)
        return f"Zita-{len(self.places) - 1}"

    def where(self, found: bytes) -> set[str]:
        """The places of all planted texts in some bytes; "?" for the part that is the same everywhere."""
        return {self.places[int(hit[1])] if hit[1] else "?" for hit in FOUND.finditer(found)}


def compared_words(catalog: Catalog) -> dict[str, set[str]]:
    """The columns that statements compare with fixed words, and these words: without such rows nothing is read."""
    words: dict[str, set[str]] = {}
    for query in catalog.queries.values():
        for statement in (*query.texts.values(), *query.restricted.values()):
            for column, _, found in COMPARED.findall(" ".join(statement.split())):
                words.setdefault(column.lower(), set()).update(WORDS.findall(found))
    return words


def plant_in_database(engine: Engine, catalog: Catalog, plants: Plants) -> None:
    """A planted text in every text column of every row of every table that the schema tells of.

    A row keeps its value in a column where a statement looks for this very value (`plants.kept`). What was a web
    address stays one, with the planted text as its user, query and fragment; what was XML stays it, with every leaf
    planted. In tables of keys and values the place names the key. Every table gets one row more with planted texts in
    all of its text columns, as far as the database takes it.
    """
    words = compared_words(catalog)
    schema = inspect(engine)
    keyed = _keyed_values(engine, schema.get_table_names())
    for table in schema.get_table_names():
        columns = schema.get_columns(table)
        texts = {c["name"]: c["type"] for c in columns if isinstance(c["type"], String | Text)}
        _plant_row(engine, table, columns, texts, plants)
        with engine.begin() as connection:
            for column, kind in texts.items():
                if kind.length is not None and kind.length < SHORTEST:
                    plants.short.append(f"{table}.{column}")
                else:
                    known = keyed.get((table.lower(), column.lower()), {})
                    _plant_column(connection, table, column, kind.length or 200, words, known, plants)


def _keyed_values(engine: Engine, tables: Sequence[str]) -> dict[tuple[str, str], dict[str, str]]:
    """Of the tables of keys and values: the key of each value, ids in it as `*`; read before anything is changed."""
    there = {table.lower(): table for table in tables}
    quote = engine.dialect.identifier_preparer.quote
    found: dict[tuple[str, str], dict[str, str]] = {}
    with engine.connect() as connection:
        for (table, column), (other, key, on) in KEYED.items():
            if table in there and other in there:
                rows = connection.execute(
                    text(
                        f"select k.{key}, v.{column} from {quote(there[other])} k"
                        f" join {quote(there[table])} v on k.{on} = v.{on}"
                    )
                )
                keys = found.setdefault((table, column), {})
                for name, value in rows:
                    # A value that two keys have is told by the first, so that nothing is allowed by the second.
                    keys.setdefault(str(value), LINK_ID.sub("*", str(name)))
    return found


def _plant_column(
    connection: Connection,
    table: str,
    column: str,
    limit: int,
    words: Mapping[str, set[str]],
    keyed: Mapping[str, str],
    plants: Plants,
) -> None:
    quote = connection.dialect.identifier_preparer.quote
    asked = text(f"select distinct {quote(column)} from {quote(table)}")
    values = [str(value) for value in connection.execute(asked).scalars() if value is not None]
    values = [value for value in values if "Zita-" not in value]
    looked_for = words.get(column.lower(), set())
    kept = {value for value in values if any(_like(word, value) for word in looked_for)}
    if kept:
        plants.kept.setdefault(f"{table}.{column}", set()).update(kept)
    left = [value for value in values if value not in kept]
    plain = not kept and not keyed and not any(value.startswith(("http", "<")) for value in left)
    if plain and len(left) > MANY and max(map(len, left)) + 12 <= limit:
        # Many values stay as different as they are, each behind one and the same name.
        to = sql_table(table, sql_column(column, String))
        name = literal(f"{plants.name(f'{table}.{column}')} ", String)
        connection.execute(update(to).values({column: name + to.c[column]}).where(~to.c[column].like("Zita-%")))
        return
    statement = text(f"update {quote(table)} set {quote(column)} = :new where {quote(column)} = :old")
    changes = []
    for value in left:
        key = f"[{keyed[value]}]" if value in keyed else ""
        changes.append({"old": value, "new": _in_its_form(value, plants.name(f"{table}.{column}{key}"), limit)})
    if changes:
        connection.execute(statement, changes)


def _in_its_form(value: str, name: str, limit: int) -> str:
    """A planted text that is read where `value` was."""
    if value.startswith("http"):
        return f"https://{name}:geheim@www.example.com/wiki?by={name}#{name}"
    if value.startswith("<"):
        return LEAF.sub(
            lambda leaf: leaf[0] if leaf[1] in ("true", "false") else f">{escape(_in_its_form(leaf[1], name, 200))}<",
            value,
        )
    return f"{name} {FAMILY}"[:limit]


def _plant_row(engine: Engine, table: str, columns: Sequence[Any], texts: Mapping[str, Any], plants: Plants) -> None:
    quote = engine.dialect.identifier_preparer.quote
    values: dict[str, object] = {}
    for number, column in enumerate(columns):
        kind = texts.get(column["name"])
        if kind is None:
            values[f"v{number}"] = _made_up(column["type"])
        elif kind.length is not None and kind.length < SHORTEST:
            values[f"v{number}"] = "Z"[: kind.length]
        else:
            full = f"{plants.name(table + '.' + column['name'])} {FAMILY}"
            values[f"v{number}"] = full[: kind.length or 200]
    names = ", ".join(quote(column["name"]) for column in columns)
    marks = ", ".join(f":{name}" for name in values)
    try:
        with engine.begin() as connection:
            connection.execute(text(f"insert into {quote(table)} ({names}) values ({marks})"), values)
    except SQLAlchemyError:  # a date or a foreign key that a made-up number cannot be: its other rows are planted
        plants.short.append(f"{table}: no further row")


def _made_up(kind: Any) -> object:
    """A value for a column that is no text."""
    if isinstance(kind, DateTime | Date):
        return datetime(2026, 11, 22, tzinfo=UTC).replace(tzinfo=None)
    if isinstance(kind, Boolean):
        return True
    # MariaDB keeps truth values as tiny numbers.
    small = "TINY" in str(kind).upper() or (getattr(kind, "precision", None) or 9) < 6
    return 1 if small else 900_001


def _like(word: str, value: str) -> bool:
    pattern = "".join(".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in word)
    return re.fullmatch(pattern, value, re.IGNORECASE | re.DOTALL) is not None


def planted_beans(catalog: Catalog, tomcat: str, plants: Plants) -> list[tuple[str, str, str]]:
    """ObjectName, attribute and value for every binding: a number, and for patterns one more with text in its place."""
    wanted: dict[str, tuple[set[str], dict[str, str]]] = {}
    for metric in catalog.of_source("jmx"):
        binding = metric.bound(JmxBinding)
        if binding is None or binding.key is not None:
            continue
        for pattern in (binding.bean, *binding.or_beans):
            domain = pattern.partition(":")[0]
            # The JVM's own beans stand already; one Tomcat stands in one product.
            if not domain.startswith(("java.", "JMI")) and domain not in {"Catalina", "Standalone", "Tomcat"} - {
                tomcat
            }:
                attributes, tags = wanted.setdefault(pattern, (set(), {}))
                attributes.add(binding.attribute)
                tags.update(binding.tags)
    lines: dict[tuple[str, str], str] = {}
    for pattern, (attributes, tags) in wanted.items():
        numbers, words = _bean_name(pattern, tags, plants), _bean_name(pattern, tags, plants)
        for attribute in sorted(attributes):
            lines.setdefault((numbers, attribute), "7")
            if words != numbers:
                lines[(words, attribute)] = f"{plants.name('value of ' + pattern)} {FAMILY}"
    return [(name, attribute, value) for (name, attribute), value in lines.items()]


def _bean_name(pattern: str, tags: Mapping[str, str], plants: Plants) -> str:
    """A bean of a pattern: each tag, and what a `*` stands for, is planted; the pattern itself when it has none."""
    domain, _, rest = pattern.partition(":")
    parts = rest.split(",")
    have = {part.partition("=")[0] for part in parts}
    made = []
    for part in parts:
        key, _, value = part.partition("=")
        if "*" in value:
            made.append(f"{key}={_quoted(plants.name(f'bean tag {tags.get(key, key)} of {pattern}'))}")
        elif part != "*":
            made.append(part)
    if "*" in parts:
        named: set[str] = set()
        for key, tag in tags.items():
            if key not in have and tag not in named:
                named.add(tag)
                made.append(f"{key}={_quoted(plants.name(f'bean tag {tag} of {pattern}'))}")
        made.append(f"planted={_quoted(plants.name(f'bean tag that nobody asked for of {pattern}'))}")
    return f"{domain.replace('*', plants.name(f'bean domain of {pattern}'))}:{','.join(made)}"


def _quoted(name: str) -> str:
    """As a value of an ObjectName: quoted, with the quotes and stars that people type escaped."""
    escaped = "".join("\\" + sign if sign in '\\"*?' else sign for sign in f'{name} {FAMILY} "q" *?')
    return f'"{escaped}"'


def unpacked(value: bytes) -> bytes:
    """What a packed value holds, else the value itself."""
    for unpack in (zlib.decompress, gzip.decompress):
        try:
            return unpack(value)
        except (zlib.error, OSError, EOFError):
            continue
    return value


def stored_bytes(state: Path) -> Iterator[bytes]:
    """Every file of the state folder raw, and all of `travelling_bytes` with what each source said beside it."""
    for path in sorted(state.rglob("*")):
        if path.is_file():
            yield path.name.encode()
            yield path.read_bytes()
    yield from travelling_bytes(state, without=())


def travelling_bytes(state: Path, without: Sequence[str] = ("source_state",)) -> Iterator[bytes]:
    """Every value of every table unpacked, every member of every bundle.

    Without what the sources said last, which is for `status` on this machine.
    """
    for path in sorted(state.rglob("*")):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    yield member.encode()
                    yield unpacked(archive.read(member))
    for path in sorted(state.glob("*.sqlite3")):
        connection = sqlite3.connect(path)
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in [name for name in tables if name not in without]:
            for row in connection.execute(f'select * from "{table}"'):
                yield from (unpacked(item) if isinstance(item, bytes) else str(item).encode() for item in row)
        connection.close()
