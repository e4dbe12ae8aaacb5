"""One [[metric]] table of a catalog file becomes one `Metric`, or a list of everything wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from agent.catalog.model import (
    APP_COLUMNS,
    INSTANCE_COLUMNS,
    DataType,
    FolderBinding,
    FolderFigure,
    HomeFact,
    HomeFolder,
    JmxBinding,
    JoinedQuery,
    Merge,
    Metric,
    RestBinding,
    SqlBinding,
    TagRule,
    TagTreatment,
    Threshold,
)
from agent.catalog.reader import COLUMN, Faults, Reader
from agent.model import Category, ConsentLevel, EntryType, Kind

LISTINGS = ("apps", "flags", "links", "nodes")  # sources whose statements give many rows
DATABASE = ("guardrails", *LISTINGS)
REST = "apps"  # the source that may be read from the product's app manager too
SOURCES = ("jmx", "host", "folders", "home", "clientside", "events", *DATABASE)
PLACE = re.compile(r"(local|shared):([\w-]+(?:/[\w-]+)*)")
COSTS = ("S", "M", "L", "XL")
TEXTS = ("name", "source", "unit", "reference")
CLASSES: Mapping[str, type[StrEnum]] = {
    "type": EntryType,
    "category": Category,
    "consent": ConsentLevel,
    "data_type": DataType,
    "kind": Kind,
}
BINDINGS = ("jmx", "sql", "rest", "folder", "home")
KNOWN = (
    *TEXTS,
    *CLASSES,
    "threshold",
    "description",
    "cost",
    "versions",
    "tags",
    "attributes",
    *BINDINGS,
)
JMX_KEYS = ("bean", "or_beans", "attribute", "key", "tags", "excluding", "absent", "merge")
NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
TAG = re.compile(r"[a-z][A-Za-z0-9]*")
NUMBERS = (DataType.COUNT, DataType.MEASUREMENT)


def parse_metric(entry: Mapping[str, Any], file: str, number: int, faults: Faults) -> Metric | None:
    """The entry as a Metric; None when it has a fault, each of which is then in `faults`."""
    before = len(faults.found)
    name = entry.get("name")
    label = name if isinstance(name, str) and name else f"metric {number}"
    reader = Reader(entry, file, label, faults)
    reader.only(KNOWN)
    texts = {key: reader.text(key, required=True) for key in TEXTS}
    kinds = {key: reader.choice(key, enum) for key, enum in CLASSES.items()}
    metric_tags = _tags(reader)
    attributes = _attributes(reader)
    jmx = _jmx(reader)
    sql = _sql(reader)
    rest = _rest(reader)
    folder = _folder(reader)
    home = HomeFact(reader.choice("home", HomeFact)) if "home" in entry else None
    threshold = _threshold(reader)
    cost = entry.get("cost", "S")
    if cost not in COSTS:
        reader.fault("cost", f"must be one of {', '.join(COSTS)}")
    description, versions = reader.text("description"), reader.text("versions")
    if len(faults.found) > before:
        return None
    metric = Metric(
        name=texts["name"],
        source=texts["source"],
        type=EntryType(kinds["type"]),
        category=Category(kinds["category"]),
        consent=ConsentLevel(kinds["consent"]),
        data_type=DataType(kinds["data_type"]),
        unit=texts["unit"],
        kind=Kind(kinds["kind"]),
        reference=texts["reference"],
        description=description,
        cost=cost,
        versions=versions,
        tags=metric_tags,
        attributes=attributes,
        jmx=jmx,
        sql=sql,
        rest=rest,
        folder=folder,
        home=home,
        threshold=threshold,
    )
    _check(metric, reader)
    return metric if len(faults.found) == before else None


def _tags(reader: Reader) -> dict[str, TagRule]:
    rules: dict[str, TagRule] = {}
    tags = reader.below("tags")
    for name in () if tags is None else tags.table:
        rule = tags.below(name) if tags is not None else None
        if rule is None:
            continue
        if not TAG.fullmatch(name):
            rule.fault("name", "must be letters and digits, first a small letter")
        rules[name] = _rule(rule)
    return rules


def _rule(rule: Reader) -> TagRule:
    rule.only(("basic", "extended", "data_type"))
    basic, extended = rule.choice("basic", TagTreatment), rule.choice("extended", TagTreatment)
    data_type = rule.choice("data_type", DataType)
    if data_type == DataType.NAME and basic == TagTreatment.KEEP:
        rule.fault("basic", "a name must not be kept under basic")
    return TagRule(TagTreatment(basic), TagTreatment(extended), DataType(data_type))


def _attributes(reader: Reader) -> dict[str, TagRule]:
    """A data type alone means: kept under both levels; a table says more, as for a tag."""
    attributes = reader.below("attributes")
    rules: dict[str, TagRule] = {}
    for name in () if attributes is None else attributes.table:
        if attributes is None:
            continue
        if isinstance(attributes.table[name], dict):
            below = attributes.below(name)
            if below is not None:
                rules[name] = _rule(below)
            continue
        data_type = DataType(attributes.choice(name, DataType))
        rules[name] = TagRule(TagTreatment.KEEP, TagTreatment.KEEP, data_type)
        if data_type is DataType.NAME:
            attributes.fault(name, "a name needs a rule of its own")
    return rules


def _jmx(reader: Reader) -> JmxBinding | None:
    jmx = reader.below("jmx")
    if jmx is None:
        return None
    jmx.only(JMX_KEYS)
    tags = jmx.table.get("tags", {})
    if not isinstance(tags, dict) or not all(isinstance(tag, str) for tag in tags.values()):
        jmx.fault("tags", "must map key properties of the ObjectName to tag names")
        tags = {}
    absent = jmx.number("absent")
    return JmxBinding(
        bean=jmx.text("bean", required=True),
        attribute=jmx.text("attribute", required=True),
        key=jmx.text("key") or None,
        tags=tags,
        excluding=jmx.texts("excluding"),
        or_beans=jmx.texts("or_beans"),
        absent=absent,
        merge=Merge(jmx.choice("merge", Merge)) if "merge" in jmx.table else None,
    )


def _sql(reader: Reader) -> SqlBinding | None:
    sql = reader.below("sql")
    if sql is None:
        return None
    sql.only(("query", "column", "rows", "count", "tags", "attributes", "also"))
    rows, count = sql.switch("rows"), sql.switch("count")
    column = sql.text("column", required=not count)
    if column and not COLUMN.fullmatch(column):
        sql.fault("column", "must be small letters, digits and _")
    if count and (rows or column):
        sql.fault("count", "is the number of rows: it has no column and no rows of its own")
    also = []
    for number, table in enumerate(sql.table.get("also", []), start=1):
        joined = Reader(table, sql.file, f"{sql.label}.also.{number}", sql.faults)
        joined.only(("query", "attributes"))
        also.append(JoinedQuery(joined.text("query", required=True), joined.columns("attributes")))
    binding = SqlBinding(
        query=sql.text("query", required=True),
        column=column,
        rows=rows,
        count=count,
        tags=sql.columns("tags"),
        attributes=sql.columns("attributes"),
        also=tuple(also),
    )
    if rows != bool(binding.tags):
        sql.fault("tags", "belongs to entries with rows = true, and to each of them")
    if not rows and (binding.attributes or binding.also):
        sql.fault("attributes", "belongs to entries with rows = true")
    return binding


def _rest(reader: Reader) -> RestBinding | None:
    rest = reader.below("rest")
    if rest is None:
        return None
    rest.only(("column", "rows", "count", "tags", "attributes"))
    rows, count = rest.switch("rows"), rest.switch("count")
    binding = RestBinding(
        rest.text("column", required=not count), rows, count, rest.columns("tags"), rest.columns("attributes")
    )
    known = APP_COLUMNS if rows else INSTANCE_COLUMNS
    named = [*([] if count else [binding.column]), *binding.tags, *binding.attributes]
    for column in sorted(set(named) - set(known)):
        rest.fault("column", f"'{column}' is not one of {', '.join(known)}", column, known)
    if count and (rows or binding.column):
        rest.fault("count", "is the number of apps: it has no column and no rows of its own")
    if rows != bool(binding.tags) or (binding.attributes and not rows):
        rest.fault("tags", "tags and attributes belong to entries with rows = true, and tags to each of them")
    return binding


def _folder(reader: Reader) -> FolderBinding | None:
    folder = reader.below("folder")
    if folder is None:
        return None
    folder.only(("places", "figure", "files", "without"))
    places = []
    for text in folder.texts("places"):
        found = PLACE.fullmatch(text)
        if found is None:
            folder.fault("places", "must be local: or shared: and a relative path")
        else:
            places.append(HomeFolder(found[1], found[2]))
    figure, files = FolderFigure(folder.choice("figure", FolderFigure)), folder.texts("files")
    if not folder.table.get("places"):
        folder.fault("places", "is missing")
    if (figure is FolderFigure.BYTES) == bool(files):
        folder.fault("files", f"belongs to each figure but {FolderFigure.BYTES}")
    return FolderBinding(tuple(places), figure, files, folder.texts("without"))


def _threshold(reader: Reader) -> Threshold | None:
    threshold = reader.below("threshold")
    if threshold is None:
        return None
    threshold.only(("warn", "limit", "source"))
    source = threshold.text("source", required=True)
    if source and not source.startswith("https://"):
        threshold.fault("source", "must be the https:// address of the page that publishes the numbers")
    warn, limit = threshold.number("warn"), threshold.number("limit")
    if limit is None:
        if "limit" not in threshold.table:
            threshold.fault("limit", "is missing")
        return None
    if warn is not None and warn >= limit:
        threshold.fault("warn", "must be below limit")
    return Threshold(limit, source, warn)


def _check(metric: Metric, reader: Reader) -> None:
    """What no single key can say: does the entry fit together?"""
    if not NAME.fullmatch(metric.name):
        reader.fault("name", "must be dotted words of small letters, digits and _")
    if metric.source not in SOURCES:
        reader.fault("source", f"must be one of {', '.join(SOURCES)}", metric.source, SOURCES)
    if (metric.source == "jmx") != (metric.jmx is not None):
        reader.fault("jmx", "belongs to entries with source = 'jmx', and to each of them")
    if metric.rest is not None:
        _check_rest(metric, metric.rest, reader)
    known_elsewhere = metric.rest is not None and metric.sql is None
    if not known_elsewhere and (metric.source in DATABASE) != (metric.sql is not None):
        reader.fault("sql", f"belongs to entries with one of the sources {', '.join(DATABASE)}, and to each of them")
    if metric.sql is not None:
        _check_sql(metric, metric.sql, reader)
    if (metric.source == "folders") != (metric.folder is not None):
        reader.fault("folder", "belongs to entries with source = 'folders', and to each of them")
    if (metric.source == "home") != (metric.home is not None):
        reader.fault("home", "belongs to entries with source = 'home', and to each of them")
    if (metric.source == "events") != (metric.kind is Kind.EVENT):
        reader.fault("kind", "event belongs to entries with source = 'events', and to each of them")
    if metric.jmx is not None:
        for tag in set(metric.jmx.tags.values()) - metric.tags.keys():
            reader.fault(f"tags.{tag}", "this tag has no rule, so it could never leave and must not be read")
    if metric.kind is not Kind.INFO and metric.data_type not in NUMBERS:
        reader.fault("data_type", "a gauge or counter is a count or a measurement", str(metric.data_type), NUMBERS)
    if metric.threshold is not None and metric.kind is not Kind.GAUGE:
        reader.fault("threshold", "belongs to gauges")
    if metric.data_type is DataType.NAME and metric.consent is ConsentLevel.BASIC:
        reader.fault("consent", "a name needs extended")


def _check_rest(metric: Metric, rest: RestBinding, reader: Reader) -> None:
    """What is read of an app has a rule; a name is told under basic with public apps only."""
    if metric.source != REST:
        reader.fault("rest", f"belongs to entries with source = '{REST}'")
    for kind, named, rules in (
        ("tags", rest.tags, metric.tags),
        ("attributes", rest.attributes, metric.attributes),
    ):
        for name in set(named.values()) - rules.keys():
            reader.fault(f"{kind}.{name}", "it has no rule, so it could never leave and must not be read")


def _check_sql(metric: Metric, sql: SqlBinding, reader: Reader) -> None:
    """A listing's rows and their columns: what is read has a rule, or must not be read."""
    if (metric.source in LISTINGS) != (sql.rows or sql.count):
        reader.fault("sql", f"rows or count belongs to entries of {', '.join(LISTINGS)}, and to each of them")
    if sql.rows and metric.kind is Kind.COUNTER:
        reader.fault("kind", "rows are gauges or info")
    if sql.count and metric.kind is not Kind.GAUGE:
        reader.fault("kind", "a number of rows is a gauge")
    for tag in set(sql.tags.values()) - metric.tags.keys():
        reader.fault(f"tags.{tag}", "this tag has no rule, so it could never leave and must not be read")
    named = [*sql.attributes.values(), *(name for joined in sql.also for name in joined.attributes.values())]
    for name in set(named) - metric.attributes.keys():
        reader.fault(f"attributes.{name}", "this attribute has no rule, so it could never leave and must not be read")
