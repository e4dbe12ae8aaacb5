"""Compares what our client read with what Java's own client read just before and just after."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from tests.support.jvm import canonical

# The JVM measures these between two questions, so each question changes the answer to the next, and that they were the
# same twice (0.0, on a machine whose cores are all taken by others) does not make them stand still.
MEASURED_BETWEEN = frozenset({"CpuLoad", "SystemCpuLoad", "ProcessCpuLoad"})

Beans = Mapping[str, Mapping[str, Any]]


def plain(value: object) -> Any:
    """The value as JavaReader writes it: NaN and infinities as text, rows of a table in a fixed order."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [plain(item) for item in value]
        return (
            sorted(items, key=lambda row: json.dumps(row, sort_keys=True))
            if any(isinstance(i, dict) for i in items)
            else items
        )
    return value


def flatten(beans: Beans) -> dict[tuple[str, str], Any]:
    """(canonical bean, attribute) -> value."""
    return {(canonical(bean), name): plain(value) for bean, values in beans.items() for name, value in values.items()}


def kind(value: object) -> object:
    """What may not change while a value moves: its type, and the keys of a composite."""
    if isinstance(value, dict):
        return {key: kind(item) for key, item in value.items()}
    return type(value).__name__


def differences(ours: Beans, before: Beans, after: Beans) -> dict[tuple[str, str], str]:
    """What we did not read as Java did: equal where Java saw no change, of the same kind where it did.

    Values that are not plain though declared so (a File declared as String, in Tomcat) must be absent.
    """
    mine, first, second = flatten(ours), flatten(before), flatten(after)
    found = {}
    for key in first.keys() & second.keys():
        if isinstance(first[key], dict) and "$class" in first[key]:
            if key in mine:
                found[key] = f"{mine[key]!r} for an object of {first[key]['$class']}"
        elif key not in mine:
            found[key] = "absent"
        elif first[key] == second[key] and key[1] not in MEASURED_BETWEEN:
            if mine[key] != first[key]:
                found[key] = f"{mine[key]!r} for {first[key]!r}"
        elif kind(mine[key]) not in (kind(first[key]), kind(second[key])):
            found[key] = f"kind of {mine[key]!r} for {first[key]!r}"
    return found
