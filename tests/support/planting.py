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
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, String, Text, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from agent.catalog import Catalog

FOUND = re.compile(rb"(?i)zita-(\d+)|mustermann|zita@example")
FAMILY = "Mustermann <zita@example.net>"
SHORTEST = 8  # "Zita-123"; a shorter column cannot hold a name
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
    address stays one, with the planted text as its user, query and fragment. Every table gets one row more with planted
    texts in all of its text columns, as far as the database takes it.
    """
    words = compared_words(catalog)
    quote = engine.dialect.identifier_preparer.quote
    schema = inspect(engine)
    for table in schema.get_table_names():
        columns = schema.get_columns(table)
        texts = {c["name"]: c["type"] for c in columns if isinstance(c["type"], String | Text)}
        _plant_row(engine, table, columns, texts, plants)
        for column, kind in texts.items():
            if kind.length is not None and kind.length < SHORTEST:
                plants.short.append(f"{table}.{column}")
                continue
            limit = kind.length or 200
            with engine.begin() as connection:
                asked = text(f"select distinct {quote(column)} from {quote(table)}")
                values = connection.execute(asked).scalars().all()
            changes = []
            for value in values:
                if value is None or "Zita-" in str(value):
                    continue
                if any(_like(word, str(value)) for word in words.get(column.lower(), ())):
                    plants.kept.setdefault(f"{table}.{column}", set()).add(str(value))
                    continue
                name = plants.name(f"{table}.{column}")
                full = f"{name} {FAMILY}"
                if str(value).startswith("http"):
                    full = f"https://{name}:geheim@www.example.com/wiki?by={name}#{name}"
                changes.append({"old": value, "new": full[:limit] if full.startswith("Zita") else full})
            _change(engine, table, column, changes)


def _change(engine: Engine, table: str, column: str, changes: list[dict[str, Any]]) -> None:
    quote = engine.dialect.identifier_preparer.quote
    statement = text(f"update {quote(table)} set {quote(column)} = :new where {quote(column)} = :old")
    if changes:
        with engine.begin() as connection:
            connection.execute(statement, changes)


def _plant_row(engine: Engine, table: str, columns: Sequence[Any], texts: Mapping[str, Any], plants: Plants) -> None:
    quote = engine.dialect.identifier_preparer.quote
    values: dict[str, object] = {}
    for number, column in enumerate(columns):
        kind = texts.get(column["name"])
        if kind is None:
            values[f"v{number}"] = 900_001
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


def _like(word: str, value: str) -> bool:
    pattern = "".join(".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in word)
    return re.fullmatch(pattern, value, re.IGNORECASE | re.DOTALL) is not None


def planted_beans(catalog: Catalog, tomcat: str, plants: Plants) -> list[tuple[str, str, str]]:
    """ObjectName, attribute and value for every binding: a number, and for patterns one more with text in its place."""
    wanted: dict[str, tuple[set[str], dict[str, str]]] = {}
    for metric in catalog.of_source("jmx"):
        binding = metric.jmx
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
            made.append(f"{key}={_quoted(plants.name('bean tag ' + tags.get(key, key)))}")
        elif part != "*":
            made.append(part)
    if "*" in parts:
        named: set[str] = set()
        for key, tag in tags.items():
            if key not in have and tag not in named:
                named.add(tag)
                made.append(f"{key}={_quoted(plants.name('bean tag ' + tag))}")
        made.append(f"planted={_quoted(plants.name('bean tag that nobody asked for'))}")
    return f"{domain.replace('*', plants.name('bean domain'))}:{','.join(made)}"


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
    """Every file of the state folder raw, every value of every table unpacked, every member of every bundle."""
    for path in sorted(state.rglob("*")):
        if not path.is_file():
            continue
        yield path.name.encode()
        yield path.read_bytes()
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    yield member.encode()
                    yield unpacked(archive.read(member))
    for path in sorted(state.glob("*.sqlite3")):
        connection = sqlite3.connect(path)
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for row in connection.execute(f'select * from "{table}"'):
                yield from (unpacked(item) if isinstance(item, bytes) else str(item).encode() for item in row)
        connection.close()
