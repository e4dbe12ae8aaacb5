"""Jolokia's JSON as the values that the rmi transport gives, by the type that the MBean declares.

JSON has no NaN, no dates, no decimals and no types: Jolokia writes null for NaN and the infinities, text for dates and
decimals, objects for tables. What cannot be told apart is said where it is decided.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from agent.jmx.errors import ProtocolError
from agent.jmx.model import JmxValue

MAX_DIGITS = 2500
FLOATS = frozenset(("double", "float", "java.lang.Double", "java.lang.Float", "D", "F"))
UNREADABLE = re.compile(r"ERROR: .*\(class ([\w.$]+)\)", re.DOTALL)
NO_VALUE = re.compile(r"(?:\[+[A-Z]|[\w.$/]+)@[0-9a-f]{1,16}")  # Object.toString of a class that says nothing


def parse_answer(octets: bytes) -> Any:
    """Return the JSON document. Raises ProtocolError for anything else, however deep or large its numbers."""
    try:
        # A number of a million digits takes Python seconds to read; `_digits` looks at its length first.
        return json.loads(octets.decode("utf-8"), parse_constant=float, parse_int=_digits)
    except (ValueError, RecursionError):
        raise ProtocolError("The answer is no JSON.") from None


def _digits(text: str) -> int | float:
    """A whole number; one with more digits than are taken is beyond any double, and costs its attribute only."""
    return int(text) if len(text) <= MAX_DIGITS else math.copysign(math.inf, -1.0 if text[0] == "-" else 1.0)


def failed_class(value: object) -> str | None:
    """Return the exception's class when Jolokia wrote an error in the place of a value (`ignoreErrors`)."""
    found = UNREADABLE.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found else None


def is_opaque(value: object, type_name: str) -> bool:
    """Return whether a text is only the name of a class that has no value of its own."""
    return isinstance(value, str) and type_name != "java.lang.String" and NO_VALUE.fullmatch(value) is not None


def value_of(value: Any, type_name: str) -> JmxValue:
    """Return the value of an attribute that is declared as `type_name` ("" when that is not known).

    Raises ProtocolError when the two do not fit.
    """
    if value is None:
        # a primitive cannot be null: it was NaN or infinite, and which of them JSON does not say
        return float("nan") if type_name in ("double", "float") else None
    if type_name.startswith("[") and isinstance(value, list):
        return _array(value, type_name[1:])
    try:
        return _RULES.get(type_name, _plain)(value)
    except (ValueError, InvalidOperation, OverflowError, OSError):  # OSError: an instant that the system has not
        raise ProtocolError("A value is not of the declared type.") from None


def _plain(value: Any) -> JmxValue:
    if isinstance(value, dict) and value.keys() == {"bigint"}:
        return _integer(value)
    if isinstance(value, dict) and value.keys() == {"objectName"}:
        return str(value["objectName"])
    return value  # type: ignore[no-any-return]  # JSON: exactly the plain values


def _number(value: Any) -> JmxValue:
    if isinstance(value, str):
        return float(value)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else _plain(value)


def _integer(value: Any) -> JmxValue:
    text = value.get("bigint") if isinstance(value, dict) else value
    if isinstance(text, str):
        if len(text) > MAX_DIGITS:
            raise ValueError
        return int(text)
    return _plain(text)


def _decimal(value: Any) -> JmxValue:
    text = value if isinstance(value, str) else repr(value)
    if len(text) > MAX_DIGITS:
        raise ValueError
    found = Decimal(text)
    if abs(found.adjusted()) > MAX_DIGITS:
        raise ValueError
    return found


def _date(value: Any) -> JmxValue:
    if isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, UTC)
    if isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC)
    return _plain(value)


def _table(value: Any) -> JmxValue:
    """Rows of a table: Jolokia nests them by the values of the index; a row is where not all values are objects."""
    rows: list[JmxValue] = []
    waiting = [value]
    # Not by recursion: how deep the index of a table nests is the server's word.
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict) and found and all(isinstance(item, dict) for item in found.values()):
            waiting.extend(reversed(list(found.values())))
        elif isinstance(found, dict):
            rows += [found] if found else []
        else:
            return _plain(value)
    return rows


def _array(items: list[Any], element: str) -> JmxValue:
    if element == "B":
        if not all(isinstance(item, int) and -128 <= item < 256 for item in items):
            raise ProtocolError("A value is not of the declared type.")
        return bytes(item & 0xFF for item in items)
    if element == "C":
        return "".join(map(str, items))
    name = element[1:-1] if element.startswith("L") and element.endswith(";") else element
    return [value_of(item, "double" if name in ("D", "F") else name) for item in items]


_RULES: dict[str, Callable[[Any], JmxValue]] = {
    **dict.fromkeys(FLOATS, _number),
    "java.math.BigInteger": _integer,
    "java.math.BigDecimal": _decimal,
    "java.util.Date": _date,
    "javax.management.openmbean.TabularData": _table,
}
