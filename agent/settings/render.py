"""`Settings` become the commented agent.toml: every key of the schema is there, set ones active, others commented out.

A key that has its default is written as a comment with that default, so that a newer agent's better default takes
effect. What is rendered loads to the very same settings; a property test holds that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from agent.settings.keys import Unit, key_of, render_duration, render_size, unit_of
from agent.settings.notes import EXAMPLES, KEYS, SECTIONS
from agent.settings.schema import Settings

# Written out even when they equal the default: what an admin looks for first.
ALWAYS_ACTIVE = frozenset({"agent.mode", "sampling.interval", "database.login"})

HEADER = """\
# Configuration of Portfolio Agent. After a change: portfolio-agent config check
# A line that begins with # has no effect; it shows the default or an example.
# Durations: "90s", "2m", "1h", "1d". Sizes: "512KiB", "256MiB". Paths are absolute. No secret stands in this file.
"""


@dataclass(frozen=True, slots=True)
class SettingEntry:
    """One key of the file: path, value as typed, its text in TOML ("" when unset), whether it has its default."""

    path: str
    value: object
    text: str
    is_default: bool


def render_settings(settings: Settings) -> str:
    """The commented file for `settings`; the values must have passed the loader's checks."""
    parts = [HEADER]
    section = ""
    for entry in entries(settings):
        name, _, key = entry.path.rpartition(".")
        if name != section:
            section = name
            parts.append(f"\n# {SECTIONS[name]}\n[{name}]\n")
        parts.append(f"# {KEYS[entry.path]}\n{_line(entry, key)}\n")
    return "".join(parts)


def entries(settings: Settings) -> Iterator[SettingEntry]:
    """Every key of the schema in the order of the file, sub-sections after their section's own keys."""
    yield from _entries(settings, "")


def _entries(section: Any, prefix: str) -> Iterator[SettingEntry]:
    inner: list[tuple[str, object]] = []
    for field in fields(section):
        value = getattr(section, field.name)
        path = f"{prefix}{key_of(field.name)}"
        if is_dataclass(value):
            inner.append((path, value))
            continue
        text = "" if value is None else render_value(value, unit_of(field.name))
        yield SettingEntry(path, value, text, value == _default(field))
    for path, value in inner:
        yield from _entries(value, f"{path}.")


def _default(field: Field[Any]) -> object:
    return field.default if field.default is not MISSING else MISSING


def _line(entry: SettingEntry, key: str) -> str:
    if entry.value is None:
        example = EXAMPLES[entry.path]
        return f"# {key} = {render_value(example, Unit.NONE)}"
    active = not entry.is_default or entry.path in ALWAYS_ACTIVE
    return f"{'' if active else '# '}{key} = {entry.text}"


def render_value(value: object, unit: Unit) -> str:
    """One value as TOML text."""
    if unit is Unit.DURATION and isinstance(value, int | float):
        return f'"{render_duration(value)}"'
    if unit is Unit.SIZE and isinstance(value, int):
        return f'"{render_size(value)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(render_value(item, Unit.NONE) for item in value)}]"
    if isinstance(value, StrEnum | str | Path):
        # JSON's escapes are a subset of TOML's; unprintable characters never get this far.
        return json.dumps(str(value), ensure_ascii=False)
    return str(value)
