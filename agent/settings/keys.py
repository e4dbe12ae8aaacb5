"""The rule from a field of the schema to its key and its text in the file, and back. It stands here and only here.

A field keeps its name; a unit at its end is dropped, because the value says its own unit in the file:

    interval_s          interval = "2m"            seconds: ms, s, m, h, d; a bare number is seconds
    outbox_limit_bytes  outbox_limit = "256MiB"    bytes: B, KiB, MiB, GiB; a bare number is bytes
"""

from __future__ import annotations

import math
import re
from enum import Enum

DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SIZE_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,15})(B|KiB|MiB|GiB)", re.ASCII)


class Unit(Enum):
    """What the end of a field's name says about its value."""

    NONE = ""
    DURATION = "_s"
    SIZE = "_bytes"


def unit_of(field: str) -> Unit:
    """The unit a field's name ends in."""
    for unit in (Unit.SIZE, Unit.DURATION):
        if field.endswith(unit.value):
            return unit
    return Unit.NONE


def key_of(field: str) -> str:
    """The key in the file of a field of the schema."""
    return field.removesuffix(unit_of(field).value)


def parse_duration(value: object) -> float:
    """Seconds of "2m", "90s", "1h" or a plain number; raises ValueError with words for an admin."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError('is not a duration; write for instance "90s", "2m", "1h" or "1d"')
        return float(match[1]) * DURATION_UNITS[match[2]]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError('is not a duration; write for instance "90s", "2m", "1h" or "1d"')
    return float(value)


def parse_size(value: object) -> int:
    """Bytes of "256MiB" or a plain number; raises ValueError with words for an admin."""
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError('is not a size; write for instance "512KiB", "256MiB" or "2GiB"')
        return int(match[1]) * SIZE_UNITS[match[2]]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError('is not a size; write for instance "512KiB", "256MiB" or "2GiB"')
    return value


def render_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads back to the same number of seconds."""
    for unit in ("d", "h", "m", "s"):
        count = seconds / DURATION_UNITS[unit]
        if seconds and count == int(count):
            return f"{int(count)}{unit}"
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def render_size(size_bytes: int) -> str:
    """The shortest text that `parse_size` reads back to the same number of bytes."""
    for unit in ("GiB", "MiB", "KiB"):
        if size_bytes and size_bytes % SIZE_UNITS[unit] == 0:
            return f"{size_bytes // SIZE_UNITS[unit]}{unit}"
    return f"{size_bytes}B"
