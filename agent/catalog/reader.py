"""Reads one table of a catalog file key by key and collects what is wrong with it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from agent.errors import Mistake

COLUMN = re.compile(r"[a-z][a-z0-9_]*")

E = TypeVar("E", bound=StrEnum)


class Faults:
    """Collects mistakes, so that one look at the answer shows all of them."""

    def __init__(self) -> None:
        self.found: list[Mistake] = []

    def add(self, file: str, key: str, problem: str, wrong: str = "", known: Collection[str] = ()) -> None:
        """Note one fault; with `wrong` and `known` the nearest known word is offered."""
        near = difflib.get_close_matches(wrong, known, 1) if wrong else []
        self.found.append(Mistake(file, key, problem, near[0] if near else None))


class Reader:
    """One table with its place, so that each fault names file and field."""

    def __init__(self, table: Mapping[str, Any], file: str, label: str, faults: Faults) -> None:
        self.table, self.file, self.label, self.faults = table, file, label, faults

    def fault(self, key: str, problem: str, wrong: str = "", known: Collection[str] = ()) -> None:
        self.faults.add(self.file, f"{self.label}.{key}", problem, wrong, known)

    def only(self, known: Collection[str]) -> None:
        for key in self.table.keys() - set(known):
            self.fault(key, "is not a known key", key, known)

    def text(self, key: str, *, required: bool = False) -> str:
        value = self.table.get(key, None if required else "")
        if value is None:
            self.fault(key, "is missing")
        elif not isinstance(value, str) or (required and not value.strip()):
            self.fault(key, "must be a text")
        else:
            return value
        return ""

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.table.get(key, [])
        if isinstance(value, list) and all(isinstance(item, str) and item for item in value):
            return tuple(value)
        self.fault(key, "must be a list of texts")
        return ()

    def number(self, key: str) -> float | None:
        """The number under `key`, None when there is none."""
        value = self.table.get(key)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        self.fault(key, "must be a number")
        return None

    def choice(self, key: str, enum: type[E]) -> str:
        value = self.table.get(key)
        words = [item.value for item in enum]
        if value is None:
            self.fault(key, "is missing")
        elif value not in words:
            self.fault(key, f"must be one of {', '.join(words)}", str(value), words)
        else:
            return str(value)
        return words[0]

    def switch(self, key: str) -> bool:
        value = self.table.get(key, False)
        if not isinstance(value, bool):
            self.fault(key, "must be true or false")
        return value is True

    def columns(self, key: str) -> dict[str, str]:
        """A table from columns of a statement to names."""
        value = self.table.get(key, {})
        if isinstance(value, dict) and all(COLUMN.fullmatch(k) and isinstance(v, str) for k, v in value.items()):
            return value
        self.fault(key, "must map columns to names")
        return {}

    def inside(self, key: str) -> Reader:
        """The table under `key`, which is there; one that is no table is a fault and reads as an empty one."""
        return self.below(key) or Reader({}, self.file, f"{self.label}.{key}", self.faults)

    def below(self, key: str) -> Reader | None:
        """The table under `key`, None when there is none."""
        value = self.table.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fault(key, "must be a table")
            return None
        return Reader(value, self.file, f"{self.label}.{key}", self.faults)
