"""Every `--json` answer: one view becomes one JSON document, by one rule for all commands.

In:   a view: frozen dataclasses of plain values. Out: JSON text; keys are the fields' names in camelCase, instants
ISO-8601 in UTC to the second ("2026-11-22T19:00:00Z"), closed sets their words, paths text. A float that is no number
(NaN, infinity) is null, since JSON has no word for it. The keys of a mapping are data and stay as they are.
What is none of these has no business in a view: TypeError, so that a Secret can never be printed by mistake.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

TEXT_ONLY: Mapping[str, object] = {"text_only": True}  # a field's metadata: words for people, which JSON says in facts
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class JsonText(bytes):
    """Bytes that are a JSON document already (a sealed batch): they stand in the answer as they are."""


def render_json(view: object) -> str:
    """The document for scripts, indented, without a line end."""
    return json.dumps(to_document(view), indent=2, allow_nan=False)


def to_document(value: object) -> Json:
    """One value of a view as what `json` writes.

    Raises TypeError for a type that has no business in a view, ValueError for an instant without a time zone.
    """
    if isinstance(value, Enum):
        return to_document(value.value)
    # A closed list of types, and no `default=` for the rest: a Secret in a view is a TypeError and not its text.
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, JsonText):
        document: Json = json.loads(value)
        return document
    if is_dataclass(value) and not isinstance(value, type):
        return {camel_case(item.name): to_document(getattr(value, item.name)) for item in json_fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_document(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_document(item) for item in value]
    raise TypeError(f"a view holds no {type(value).__name__}")


def json_fields(view: Any) -> list[Field[Any]]:
    """The fields of a view, or of its type, that are in its document, in order."""
    return [item for item in fields(view) if not item.metadata.get("text_only")]


def instant_text(instant: datetime) -> str:
    """An instant for scripts, cut to the second. Raises ValueError for one without a time zone."""
    if instant.tzinfo is None:
        raise ValueError("an instant without a time zone")
    return instant.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def camel_case(name: str) -> str:
    """`took_s` is `tookS`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
