"""Reads the catalog files of one product strictly: every fault is named, none is passed over.

In:   a product's name; its folder and `common/` in this package, or below `root`.
Out:  a `Catalog`. A field that is not fully classified makes CatalogError, so nothing unclassified is ever read.
Only the build reads them; what runs loads what the build made (`compiled.py`).
"""

from __future__ import annotations

import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from agent.catalog.compiled import COMMON
from agent.catalog.dialects import OWN, columns_given, read_tables
from agent.catalog.entry import for_product, parse_metric
from agent.catalog.errors import CatalogError
from agent.catalog.field_list import field_list_version
from agent.catalog.model import AFTER, RESTRICTED, Catalog, DataType, Metric, SqlQuery, TagTreatment, file_name
from agent.catalog.queries import read_columns, read_estimates, read_queries
from agent.catalog.reader import Faults
from agent.catalog.shapes import SHAPES_FILE, read_shapes
from agent.model import ConsentLevel

APPS_FILE = "public_apps.toml"
TABLES_FILE = "tables.toml"  # of a product: how its tables are spelt; no entries
ESTIMATES = "estimates"
COLUMNS = "columns"
STATEMENTS = ("guardrails", "listings")  # one row each; many rows each
DO = "Correct the files named above; nothing that is not classified may be read or sent."


def parse_catalog(product: str, root: Traversable | Path | None = None) -> Catalog:
    """The whole catalog of `product`: its own entries and those common to all.

    Raises CatalogError with every fault found.
    """
    base = _root(root)
    faults = Faults()
    public, private = _read_apps(base / APPS_FILE, faults)
    shapes = read_shapes(base / SHAPES_FILE, faults)
    metrics: dict[str, Metric] = {}
    queries: dict[str, SqlQuery] = {}
    for folder in (COMMON, product):
        own = _read_folder(base / folder, folder, product, metrics, faults)
        tables = read_tables(base / folder / TABLES_FILE, f"{folder}/{TABLES_FILE}", faults)
        found: dict[str, SqlQuery] = {}
        for place in STATEMENTS:
            here = read_queries(base / folder / place, f"{folder}/{place}", tables, faults)
            for name in here.keys() & (queries.keys() | found.keys()):
                faults.add(f"{folder}/{place}", f"{name}.sql", "another statement has this name")
            found |= here
        _match(own, found, folder, faults)
        queries |= found
    estimates = read_estimates(base / COMMON / ESTIMATES, f"{COMMON}/{ESTIMATES}", faults)
    known = read_columns(base / COMMON / COLUMNS, f"{COMMON}/{COLUMNS}", faults)
    if faults.found:
        raise CatalogError(
            f"The catalog of {product} has {len(faults.found)} fault(s); it is not used.", tuple(faults.found), do=DO
        )
    metrics = {name: shapes.shaped(metric) for name, metric in metrics.items()}
    version = field_list_version(metrics.values(), public, private)
    return Catalog(product, metrics, version, queries, public, private, estimates, known)


def _root(root: Traversable | Path | None) -> Traversable | Path:
    return resources.files("agent.catalog") if root is None else root


def _read_toml(file: Traversable | Path, where: str, faults: Faults) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        faults.add(where, "file", f"cannot be read: {error}")
        return {}


def _read_folder(
    folder: Traversable | Path, name: str, product: str, into: dict[str, Metric], faults: Faults
) -> list[Metric]:
    """Parse every entry of every `.toml` file of one folder; a name that came before is a fault."""
    own: list[Metric] = []
    if not folder.is_dir():
        faults.add(name, "folder", "is missing")
        return own
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if not file.name.endswith(".toml") or file.name == TABLES_FILE:
            continue
        where = f"{name}/{file.name}"
        document = _read_toml(file, where, faults)
        for key in document.keys() - {"metric"}:
            faults.add(where, key, "is not a known key", key, ("metric",))
        entries = document.get("metric", [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            faults.add(where, "metric", "must be a list of [[metric]] tables")
            continue
        for number, entry in enumerate(entries, start=1):
            wanted, entry = for_product(entry, product, where, number, faults)
            metric = parse_metric(entry, where, number, faults) if wanted else None
            if metric is None:
                continue
            if metric.name in into:
                faults.add(where, metric.name, "is defined twice")
            into[metric.name] = metric
            own.append(metric)
    return own


def _read_apps(file: Traversable | Path, faults: Faults) -> tuple[tuple[str, ...], tuple[str, ...]]:
    document = _read_toml(file, APPS_FILE, faults)
    lists: dict[str, tuple[str, ...]] = {}
    for key, value in document.items():
        if key not in ("public", "private"):
            faults.add(APPS_FILE, key, "is not a known key", key, ("public", "private"))
        elif not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            faults.add(APPS_FILE, key, "must be a list of texts")
        else:
            lists[key] = tuple(value)
    return lists.get("public", ()), lists.get("private", ())


def _match(metrics: list[Metric], queries: dict[str, SqlQuery], folder: str, faults: Faults) -> None:
    """Every entry has its statement and columns, every statement its entry, and both name the same cost."""
    used: set[str] = set()
    for metric in metrics:
        if metric.sql is None:
            continue
        where = f"{folder}/{metric.sql.query}.sql"
        used.update(metric.sql.queries)
        for name in metric.sql.queries:
            if name not in queries:
                faults.add(where, metric.name, f"there is no file {name}.sql")
        if any(name not in queries for name in metric.sql.queries):
            continue
        query = queries[metric.sql.query]
        if query.cost != metric.cost:
            faults.add(where, metric.name, f"cost is {metric.cost} here and {query.cost} in {query.name}.sql")
        if query.consent is ConsentLevel.EXTENDED and metric.consent is ConsentLevel.BASIC:
            faults.add(where, metric.name, "the statement is for consent extended, the entry is for basic")
        columns = [*([metric.sql.column] if metric.sql.column else []), *metric.sql.tags, *metric.sql.attributes]
        _gives(metric, query, columns, where, faults)
        for joined in metric.sql.also:
            _gives(metric, queries[joined.query], [*metric.sql.tags, *joined.attributes], where, faults)
        _names_need_extended(metric, queries, where, faults)
    for name in queries.keys() - used:
        faults.add(folder, f"{name}.sql", "no entry uses it")

    bound = {(metric.sql.query, metric.sql.column) for metric in metrics if metric.sql is not None}
    for name, query in queries.items():
        for column in sorted(query.estimated_columns):
            if (name, column) not in bound:
                faults.add(folder, f"{name}.sql", f"no entry uses the estimated column {column}")


def _gives(metric: Metric, query: SqlQuery, columns: list[str], where: str, faults: Faults) -> None:
    """Each variant of a statement names each column, or the one that is unpacked into it."""
    if query.unpack is not None:
        stored, form = query.unpack
        columns = [stored, *(column for column in columns if column not in form.columns)]
    for kind, texts in (("", query.texts), (RESTRICTED, query.restricted), (AFTER, query.after)):
        for dialect, text in texts.items():
            given = columns_given(text, dialect or OWN)
            for column in columns:
                if column not in given:
                    variant = file_name(query.name, dialect, kind)
                    faults.add(where, metric.name, f"{variant} gives no column named {column}")


def _names_need_extended(metric: Metric, queries: dict[str, SqlQuery], where: str, faults: Faults) -> None:
    """A name comes from a statement for consent extended, or from one that asks for public apps only."""
    if metric.sql is None:
        return
    given = [(metric.sql.query, metric.sql.attributes), *((item.query, item.attributes) for item in metric.sql.also)]
    for name, attributes in given:
        query = queries[name]
        for attribute in attributes.values():
            rule = metric.attributes[attribute]
            may = query.consent is ConsentLevel.EXTENDED or query.of_public_apps
            if rule.data_type is DataType.NAME and not may:
                faults.add(where, metric.name, f"'{attribute}' is a name, and {name}.sql is run under basic")
            if query.consent is ConsentLevel.EXTENDED and rule.basic is TagTreatment.KEEP:
                faults.add(where, metric.name, f"'{attribute}' is kept under basic, but {name}.sql needs extended")
