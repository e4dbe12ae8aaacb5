"""Reads the one externalizable class whose end is known: java.time.Ser, which stands for all java.time values.

In:   the bare bytes behind the class description: 1 type byte, then by type (wire note, section 9).
Out:  seconds (float) for Instant and Duration, ISO 8601 text for all others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from agent.jmx.errors import UnskippableValue


class ByteSource(Protocol):
    """The part of the stream reader that is needed here."""

    def u1(self) -> int: ...
    def i4(self) -> int: ...
    def i8(self) -> int: ...
    def utf(self) -> str: ...


def read_moment(source: ByteSource) -> float | str:
    """Return the value that begins with the type byte ahead."""
    reader = _BY_TYPE.get(source.u1())
    if reader is None:
        raise UnskippableValue("java.time.Ser of an unknown type")
    return reader(source)


def _i1(source: ByteSource) -> int:
    byte = source.u1()
    return byte - 256 if byte > 127 else byte


def _seconds(source: ByteSource) -> float:
    whole = source.i8()
    return whole + source.i4() / 1_000_000_000


def _date(source: ByteSource) -> str:
    return f"{source.i4():04}-{source.u1():02}-{source.u1():02}"


def _time(source: ByteSource) -> str:
    """Hour, minute, second, nanoseconds; the last one that is not zero is written as its complement, and ends it."""
    parts = [0, 0, 0]
    for position in range(3):
        part = _i1(source)
        parts[position] = ~part if part < 0 else part
        if part < 0:
            return "{:02}:{:02}:{:02}".format(*parts)
    return "{:02}:{:02}:{:02}.{:09}".format(*parts, source.i4())


def _date_time(source: ByteSource) -> str:
    return f"{_date(source)}T{_time(source)}"


def _offset(source: ByteSource) -> str:
    quarters = _i1(source)
    seconds = source.i4() if quarters == 127 else quarters * 900
    sign = "-" if seconds < 0 else "+"
    return f"{sign}{abs(seconds) // 3600:02}:{abs(seconds) // 60 % 60:02}"


def _zoned(source: ByteSource) -> str:
    text = _date_time(source) + _offset(source)
    zone = _BY_ZONE_TYPE.get(source.u1())
    if zone is None:
        raise UnskippableValue("java.time.Ser of an unknown zone")
    return f"{text}[{zone(source)}]"


_BY_ZONE_TYPE: dict[int, Callable[[ByteSource], str]] = {7: lambda source: source.utf(), 8: _offset}
_BY_TYPE: dict[int, Callable[[ByteSource], float | str]] = {
    1: _seconds,  # Duration
    2: _seconds,  # Instant
    3: _date,
    4: _time,
    5: _date_time,
    6: _zoned,
    7: lambda source: source.utf(),  # ZoneRegion
    8: _offset,
    9: lambda source: _time(source) + _offset(source),
    10: lambda source: _date_time(source) + _offset(source),
    11: lambda source: f"{source.i4():04}",
    12: lambda source: f"{source.i4():04}-{source.u1():02}",
    13: lambda source: f"--{source.u1():02}-{source.u1():02}",
    14: lambda source: f"P{source.i4()}Y{source.i4()}M{source.i4()}D",
}
