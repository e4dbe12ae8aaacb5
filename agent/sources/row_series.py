"""Rows with columns become series: one for each row, with tags, a value and attributes, cleaned for what they are.

In:   rows of a statement or of the app manager, and the binding that says which column is what.
Out:  tags -> (value, attributes). What a row lacks is a Failure; two rows with the same tags: the first speaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from agent.catalog import Catalog, DataType, Metric
from agent.model import Failure, Value
from agent.reasons import AMBIGUOUS, NOT_PRESENT
from agent.sources.base import VERSION_TEXT, clean_text, clean_url, clean_version, text_of
from agent.sources.numbers import NoNumberError, number_of

APP_TAG = "pluginKey"
UNKNOWN = "unknown"  # an app without a version is still an app

Tags = tuple[tuple[str, str], ...]
Row = Mapping[str, Any]
Found = dict[Tags, tuple[Value, dict[str, Value]]]


class RowBinding(Protocol):
    """Which column of a row is what, whether a statement gave it or the app manager."""

    @property
    def column(self) -> str: ...
    @property
    def tags(self) -> Mapping[str, str]: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...


def series_of(
    metric: Metric, binding: RowBinding, rows: Iterable[Row], failures: list[Failure], catalog: Catalog
) -> Found:
    """One series for each row: its tags, value and attributes."""
    found: Found = {}
    for row in rows:
        tags = tags_of(binding, row)
        if tags is None:
            failures.append(Failure(metric.name, NOT_PRESENT, "a row without a key"))
            continue
        if tags in found:
            failures.append(Failure(metric.name, AMBIGUOUS, "two rows with one key"))
            continue
        value = cleaned(row.get(binding.column), metric.data_type, tags, catalog)
        if value is None:
            failures.append(Failure(metric.name, NOT_PRESENT, f"a row without {binding.column}"))
            continue
        found[tags] = (value, attributes_of(metric, binding.attributes, row, tags, catalog))
    return found


def tags_of(binding: RowBinding, row: Row) -> Tags | None:
    """The tags of a row, sorted; None when one of them is missing or empty."""
    tags = {tag: clean_text(text_of(row.get(column) or "") or "").strip() for column, tag in binding.tags.items()}
    return tuple(sorted(tags.items())) if all(tags.values()) else None


def attributes_of(
    metric: Metric, columns: Mapping[str, str], row: Row, tags: Tags, catalog: Catalog
) -> dict[str, Value]:
    """The attributes a row has, by name."""
    given = {
        name: cleaned(row.get(column), metric.attributes[name].data_type, tags, catalog)
        for column, name in columns.items()
    }
    return {name: value for name, value in given.items() if value is not None}


def cleaned(value: object, data_type: DataType, tags: Tags, catalog: Catalog) -> Value | None:
    """A column's value, cleaned for what it is; None when nothing is left of it."""
    if value is None:
        return UNKNOWN if data_type is DataType.VERSION else None
    if data_type in (DataType.COUNT, DataType.MEASUREMENT):
        return _number(value)
    text = clean_text(text_of(value) or "").strip()
    if data_type is DataType.URL:
        text = clean_url(text)
    if data_type is not DataType.VERSION:
        return text or None
    app = dict(tags).get(APP_TAG)
    own = app is not None and not catalog.is_public(app)
    # A version is free text: the numbers alone are kept of an own app's, and of one that is more than a version.
    return (clean_version(text) if own or not VERSION_TEXT.fullmatch(text) else text) or UNKNOWN


def _number(value: object) -> Value | None:
    try:
        return number_of(Decimal(str(value).strip()))
    except (ArithmeticError, NoNumberError):
        return None
