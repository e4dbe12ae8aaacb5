"""Frozen dataclasses as plain JSON values and back, whatever their fields are called.

In:   a dataclass whose fields hold texts, numbers, booleans, None, enums, tuples, mappings with text keys, and others.
Out:  a table of the classes, the plain values that others name by their place, and a table of those others, each value
      once: a rule that stands in some hundred entries is read and built once. A later value names an earlier one.
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
# A LITERAL stands in a list of its own, before all others and without a kind: there are some thousand.
LITERAL, TUPLE, TUPLE_OF, MAPPING, MAPPING_OF = -1, -2, -3, -4, -5


class Foreign(ValueError):
    """This was not packed by this version; the words say what of it."""


def pack(value: Any) -> dict[str, Any]:
    """`value` as JSON values; the same bytes for equal values built in the same order."""
    packer = _Packer()
    used, waiting = set(), [packer.place(value)]
    while waiting:
        if (place := waiting.pop()) not in used:
            used.add(place)
            waiting += packer.named(place)
    # A plain value that only stands within others is written there and has no place of its own.
    literals = [place for place in sorted(used) if packer.rows[place][0] == LITERAL]
    others = [place for place in sorted(used) if packer.rows[place][0] != LITERAL]
    moved = {place: number for number, place in enumerate((*literals, *others))}
    classes = [
        [
            *(cls.__module__, cls.__qualname__),
            packer.names[number],
            [index for index, name in enumerate(packer.names[number]) if (number, name) in packer.nested],
        ]
        for cls, number in packer.classes.items()
    ]
    return {
        "classes": classes,
        "literals": [packer.rows[place][1][0] for place in literals],
        "values": [packer.row(place, moved) for place in others],
    }


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

    def named(self, place: int) -> list[int]:
        """The places of the values that the value at this place names."""
        kind, parts = self.rows[place]
        if kind == TUPLE_OF:
            return parts
        if kind == MAPPING_OF:
            return list(parts[1])
        names = self.names[kind] if kind >= 0 else []
        return [part for name, part in zip(names, parts, strict=False) if (kind, name) in self.nested]

    def row(self, place: int, moved: Mapping[int, int]) -> list[Any]:
        """One value as it is written: fields of a class that never nest hold their values, the others places.

        `moved` is where each value that is named stands in the end.
        """
        kind, parts = self.rows[place]
        if kind == TUPLE_OF:
            return [kind, *(moved[part] for part in parts)]
        if kind == MAPPING_OF:
            return [kind, parts[0], [moved[part] for part in parts[1]]]
        if kind < 0 or not self.names[kind]:  # plain values within; an enum
            return [kind, *parts]
        return [
            kind,
            *(
                moved[part] if (kind, name) in self.nested else self.rows[part][1][0]
                for name, part in zip(self.names[kind], parts, strict=True)
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
        return _unpacked(packed["literals"], packed["values"], classes)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise error if isinstance(error, Foreign) else Foreign(f"its tables do not fit: {error}") from error


def _unpacked(literals: list[Any], rows: list[list[Any]], classes: list[tuple[Any, tuple[int, ...]]]) -> Any:
    done: list[Any] = [*literals]
    add = done.append
    for kind, *parts in rows:
        if kind >= 0:
            cls, nested = classes[kind]
            for index in nested:
                parts[index] = done[parts[index]]
            add(cls(*parts))
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


def _class(module: str, name: str, names: list[str], nested: list[int]) -> tuple[type, tuple[int, ...]]:
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
    return found, tuple(nested)
