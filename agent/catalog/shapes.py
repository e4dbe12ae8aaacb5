"""What a text must look like to be kept: reads `shapes.toml` and puts each expression where it belongs.

In:   the file and the parsed metrics. Out: the same metrics, each text field with the shape of its own name or, without
one, of its data type. An absent file gives no shapes; one that cannot be understood is a fault of the catalog.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources.abc import Traversable
from pathlib import Path

from agent.catalog.model import DataType, Metric, TagRule
from agent.catalog.reader import Faults

SHAPES_FILE = "shapes.toml"
TABLES = ("data_type", "tag", "metric")


@dataclass(frozen=True, slots=True)
class Shapes:
    """Expressions by data type, by name of a tag or attribute, and by metric for its value."""

    data_type: Mapping[str, str] = field(default_factory=dict)
    tag: Mapping[str, str] = field(default_factory=dict)
    metric: Mapping[str, str] = field(default_factory=dict)

    def shaped(self, metric: Metric) -> Metric:
        """`metric` with the shapes of its value, tags and attributes."""
        return replace(
            metric,
            shape=self.metric.get(metric.name, self.data_type.get(metric.data_type, "")),
            tags={name: self._rule(name, rule) for name, rule in metric.tags.items()},
            attributes={name: self._rule(name, rule) for name, rule in metric.attributes.items()},
        )

    def _rule(self, name: str, rule: TagRule) -> TagRule:
        return replace(rule, shape=self.tag.get(name, self.data_type.get(rule.data_type, "")))


def read_shapes(file: Traversable | Path, faults: Faults) -> Shapes:
    """The shapes of the file; each expression that cannot be used is a fault."""
    if not file.is_file():
        return Shapes()
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        faults.add(SHAPES_FILE, "file", f"cannot be read: {error}")
        return Shapes()
    tables: dict[str, dict[str, str]] = {}
    for key, table in document.items():
        if key not in TABLES or not isinstance(table, dict):
            faults.add(SHAPES_FILE, key, "is not a known table", key, TABLES)
            continue
        tables[key] = {name: text for name, text in table.items() if _is_expression(name, text, faults)}
    for name in tables.get("data_type", {}).keys() - {str(item) for item in DataType}:
        faults.add(SHAPES_FILE, f"data_type.{name}", "is not a data type", name, [str(item) for item in DataType])
    return Shapes(**tables)


def _is_expression(name: str, text: object, faults: Faults) -> bool:
    try:
        re.compile(text if isinstance(text, str) else "(")
    except re.error:
        faults.add(SHAPES_FILE, name, "must be a regular expression")
        return False
    return True
