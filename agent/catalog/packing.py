"""Frozen dataclasses as plain JSON values and back, whatever their fields are called.

In:   a dataclass whose fields hold texts, numbers, booleans, None, enums, tuples, mappings with text keys, and others.
Out:  a table of the classes and a table of the values, each value once: a rule that stands in some hundred entries is
      read and built once. A later value names an earlier one by its place.
Data, not code: what is read back may name only classes of `MODULES`, and only with the very fields they have now;
anything else is a `Foreign`.
"""

from __future__ import annotations

import enum
import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

# Where a class of a catalog may stand: the words of the catalog, of the agent, and each source's own binding.
# Names in a file decide what is imported: nothing but these, or the file could make this process run any code it has.
MODULES = re.compile(r"agent\.model|agent\.catalog\.(?:binding|model)|agent\.sources\.[a-z_]+\.binding")
PLAIN = (str, int, float, bool, type(None))

# How a value stands in the table: its kind first. A number from 0 on is a class, by its place in the table of classes.
LITERAL, TUPLE, TUPLE_OF, MAPPING, MAPPING_OF = -1, -2, -3, -4, -5


class Foreign(ValueError):
    """This was not packed by this version; the words say what of it."""


def pack(value: Any) -> dict[str, Any]:
    """`value` as JSON values; the same bytes for equal values built in the same order."""
    packer = _Packer()
    packer.place(value)
    classes = [
        [
            *(cls.__module__, cls.__qualname__),
            packer.names[number],
            [index for index, name in enumerate(packer.names[number]) if (number, name) in packer.nested],
        ]
        for cls, number in packer.classes.items()
    ]
    rows = [packer.row(number, parts) for number, parts in packer.rows]
    return {"classes": classes, "values": rows}


class _Packer:
    """The tables as they grow: first each value in parts, then, once it is known which fields nest, as rows."""

    def __init__(self) -> None:
        self.classes: dict[type, int] = {}
        self.names: list[list[str]] = []
        self.nested: set[tuple[int, str]] = set()  # (class, field) that anywhere holds more than a plain value
        self.rows: list[tuple[int, list[Any]]] = []
        self._known: dict[Any, int] = {}

    def place(self, value: Any) -> int:
        """The place of a value in the table; it is added when it is new."""
        if isinstance(value, enum.Enum):
            return self._add(self._class_of(type(value)), [value.value])
        if isinstance(value, PLAIN):
            return self._add(LITERAL, [value])
        if isinstance(value, tuple):
            return self._items(TUPLE, list(value))
        if isinstance(value, Mapping):
            if not all(type(key) is str for key in value):
                raise TypeError("a mapping's keys must be texts")
            keys, items = list(value), list(value.values())
            kind, parts = (MAPPING, items) if _plain(items) else (MAPPING_OF, [self.place(item) for item in items])
            return self._add(kind, [keys, parts])
        if is_dataclass(value) and not isinstance(value, type):
            number = self._class_of(type(value))
            parts = []
            for name in self.names[number]:
                item = getattr(value, name)
                if not _is_plain(item):
                    self.nested.add((number, name))
                parts.append(self.place(item))
            return self._add(number, parts)
        raise TypeError(f"{type(value).__name__} cannot be packed")

    def row(self, number: int, parts: list[Any]) -> list[Any]:
        """One value as it is written: fields of a class that never nest hold their values, the others places."""
        if number < 0:
            return [number, *parts]
        if not self.names[number]:  # an enum
            return [number, parts[0]]
        return [
            number,
            *(
                place if (number, name) in self.nested else self.rows[place][1][0]
                for name, place in zip(self.names[number], parts, strict=True)
            ),
        ]

    def _items(self, kind: int, items: list[Any]) -> int:
        return self._add(kind, items) if _plain(items) else self._add(TUPLE_OF, [self.place(item) for item in items])

    def _class_of(self, cls: type) -> int:
        if not MODULES.fullmatch(cls.__module__):
            raise TypeError(f"{cls.__module__}.{cls.__qualname__} cannot be packed: it is no class of a catalog")
        if cls not in self.classes:
            self.classes[cls] = len(self.classes)
            self.names.append([field.name for field in fields(cls)] if is_dataclass(cls) else [])
        return self.classes[cls]

    def _add(self, number: int, parts: list[Any]) -> int:
        key = (number, json.dumps(parts), [type(part).__name__ for part in parts].__repr__())
        if key not in self._known:
            self._known[key] = len(self.rows)
            self.rows.append((number, parts))
        return self._known[key]


def _is_plain(value: Any) -> bool:
    return isinstance(value, PLAIN) and not isinstance(value, enum.Enum)


def _plain(items: list[Any]) -> bool:
    return all(_is_plain(item) for item in items)


def unpack(packed: Mapping[str, Any]) -> Any:
    """The value again. Raises Foreign when a class or a field is not what it was, or the tables do not fit."""
    try:
        classes = [_class(*row) for row in packed["classes"]]
        return _unpacked(packed["values"], classes)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise error if isinstance(error, Foreign) else Foreign(f"its tables do not fit: {error}") from error


def _unpacked(rows: list[list[Any]], classes: list[tuple[Any, frozenset[int]]]) -> Any:
    done: list[Any] = []
    add = done.append
    for kind, *parts in rows:
        if kind >= 0:
            cls, nested = classes[kind]
            add(cls(*[done[part] if index in nested else part for index, part in enumerate(parts)]))
        elif kind == LITERAL:
            add(parts[0])
        elif kind == TUPLE:
            add(tuple(parts))
        elif kind == TUPLE_OF:
            add(tuple([done[part] for part in parts]))
        elif kind == MAPPING:
            add(dict(zip(parts[0], parts[1], strict=True)))
        elif kind == MAPPING_OF:
            add(dict(zip(parts[0], [done[part] for part in parts[1]], strict=True)))
        else:
            raise Foreign(f"there is no kind {kind}")
    return done[-1]


def _class(module: str, name: str, names: list[str], nested: list[int]) -> tuple[type, frozenset[int]]:
    """The class and which of its fields hold places. Nothing is imported but from `MODULES`."""
    if not MODULES.fullmatch(module):
        raise Foreign(f"{module} holds no class of a catalog")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise Foreign(f"there is no {module}.{name}") from error
    if not isinstance(found, type) or not (is_dataclass(found) or issubclass(found, enum.Enum)):
        raise Foreign(f"{module}.{name} holds no data")
    if is_dataclass(found) and [field.name for field in fields(found)] != names:
        raise Foreign(f"{module}.{name} has other fields now")
    return found, frozenset(nested)
