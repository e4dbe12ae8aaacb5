"""One [[metric]] table of a catalog file becomes one `Metric`, or a list of everything wrong with it.

Where the entry is read is the matter of its source, whose own `binding.py` parses that part (see declaration.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from agent.catalog.binding import Binding
from agent.catalog.declaration import DeclaredSource, binding_types, declared_sources
from agent.catalog.model import DataType, Metric, TagRule, TagTreatment, Threshold
from agent.catalog.reader import Faults, Reader
from agent.model import Category, ConsentLevel, EntryType, Kind

COSTS = ("S", "M", "L", "XL")
TEXTS = ("name", "source", "unit", "reference")
CLASSES: Mapping[str, type[StrEnum]] = {
    "type": EntryType,
    "category": Category,
    "consent": ConsentLevel,
    "data_type": DataType,
    "kind": Kind,
}
KNOWN = (*TEXTS, *CLASSES, "threshold", "description", "cost", "versions", "local_index", "tags", "attributes")
NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
TAG = re.compile(r"[a-z][A-Za-z0-9]*")
NUMBERS = (DataType.COUNT, DataType.MEASUREMENT)


def for_product(
    entry: Mapping[str, Any], product: str, file: str, number: int, faults: Faults
) -> tuple[bool, Mapping[str, Any]]:
    """Whether the product has what this entry of `common` reads, and the entry with the versions of this product.

    `products` maps those that have it to the versions in which they do, "" for all; without it all have it.
    """
    if "products" not in entry:
        return True, entry
    reader = Reader(entry, file, str(entry.get("name", f"metric {number}")), faults)
    table = entry["products"]
    if not isinstance(table, dict) or not table or not all(isinstance(words, str) for words in table.values()):
        reader.fault("products", "must map products to versions")
        return True, entry
    if "versions" in entry:
        reader.fault("versions", "stands in products, for each of them")
    without = {key: value for key, value in entry.items() if key != "products"}
    return product in table, {**without, "versions": table.get(product, "")}


def parse_metric(entry: Mapping[str, Any], file: str, number: int, faults: Faults) -> Metric | None:
    """The entry as a Metric; None when it has a fault, each of which is then in `faults`."""
    before = len(faults.found)
    name = entry.get("name")
    label = name if isinstance(name, str) and name else f"metric {number}"
    reader = Reader(entry, file, label, faults)
    reader.only((*KNOWN, *binding_types()))
    texts = {key: reader.text(key, required=True) for key in TEXTS}
    kinds = {key: reader.choice(key, enum) for key, enum in CLASSES.items()}
    metric_tags = _tags(reader)
    attributes = _attributes(reader)
    source = declared_sources().get(texts["source"])
    if source is None and texts["source"]:
        reader.fault("source", f"must be one of {', '.join(declared_sources())}", texts["source"], declared_sources())
    bindings = () if source is None else _bindings(reader, source)
    if source is not None and source.declaration.noticed != (kinds["kind"] == Kind.EVENT):
        noticed = [name for name, other in declared_sources().items() if other.declaration.noticed]
        reader.fault("kind", f"event belongs to entries with source = '{', '.join(noticed)}', and to each of them")
    threshold = _threshold(reader)
    cost = entry.get("cost", "S")
    if cost not in COSTS:
        reader.fault("cost", f"must be one of {', '.join(COSTS)}")
    description, versions = reader.text("description"), reader.text("versions")
    if len(faults.found) > before or source is None:
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
        bindings=bindings,
        threshold=threshold,
        local_index=reader.switch("local_index"),
    )
    _check(metric, source, reader)
    shared = source.declaration.once_per_cluster and not source.declaration.of_each_node(metric)
    return replace(metric, cluster_wide=shared) if len(faults.found) == before else None


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


def _bindings(entry: Reader, source: DeclaredSource) -> tuple[Binding, ...]:
    """Where it is read: each table that the entry's source knows, handed to that source's own words."""
    own = {kind.KEY: kind for kind in source.declaration.bindings}
    for key in entry.table.keys() & (binding_types().keys() - own.keys()):
        entry.fault(key, f"belongs to entries with {_sources_of(key)}")
    if own and not own.keys() & entry.table.keys():
        for key in own:
            entry.fault(key, f"belongs to entries with {_sources_of(key)}, and to each of them")
    return tuple(kind.parse(entry) for key, kind in own.items() if key in entry.table)


def _sources_of(key: str) -> str:
    kind = binding_types()[key]
    names = [name for name, source in declared_sources().items() if kind in source.declaration.bindings]
    return f"source = '{names[0]}'" if len(names) == 1 else f"one of the sources {', '.join(names)}"


def _threshold(reader: Reader) -> Threshold | None:
    threshold = reader.below("threshold")
    if threshold is None:
        return None
    threshold.only(("warn", "limit", "limit_from", "source"))
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
    return Threshold(limit, source, warn, threshold.text("limit_from"))


def _check(metric: Metric, source: DeclaredSource, entry: Reader) -> None:
    """What no single key can say: does the entry fit together?"""
    if not NAME.fullmatch(metric.name):
        entry.fault("name", "must be dotted words of small letters, digits and _")
    _check_rules(metric, entry)
    source.declaration.check(metric, entry)
    if metric.kind is not Kind.INFO and metric.data_type not in NUMBERS:
        entry.fault("data_type", "a gauge or counter is a count or a measurement", str(metric.data_type), NUMBERS)
    if metric.threshold is not None and metric.kind is not Kind.GAUGE:
        entry.fault("threshold", "belongs to gauges")
    if metric.data_type is DataType.NAME and metric.consent is ConsentLevel.BASIC:
        entry.fault("consent", "a name needs extended")


def _check_rules(metric: Metric, entry: Reader) -> None:
    """Every tag and attribute that is read has a rule."""
    for binding in metric.bindings:
        for tag in sorted(binding.tag_names() - metric.tags.keys()):
            entry.fault(f"tags.{tag}", "this tag has no rule, so it could never leave and must not be read")
        for name in sorted(binding.attribute_names() - metric.attributes.keys()):
            entry.fault(
                f"attributes.{name}", "this attribute has no rule, so it could never leave and must not be read"
            )
