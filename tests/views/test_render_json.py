"""One rule for every `--json` answer: names, instants, closed sets, paths, numbers that are none."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from pathlib import Path

import pytest

from agent.model import Outcome
from agent.settings import Secret
from agent.views.render_json import TEXT_ONLY, Json, JsonText, camel_case, render_json, to_document

NOON = datetime(2026, 11, 22, 12, 0, 0, 999_999, tzinfo=UTC)


class Weight(Enum):
    HEAVY = 2


@dataclass(frozen=True)
class Inner:
    last_run: datetime | None


@dataclass(frozen=True)
class Outer:
    took_s: float
    rows_read: tuple[Inner, ...]
    words: str = field(default="for people", metadata=TEXT_ONLY)


def test_a_view_is_a_document() -> None:
    """Fields become camelCase keys, in order, inner views too; words for people are left to the text."""
    view = Outer(0.5, (Inner(NOON), Inner(None)))
    assert render_json(view) == json.dumps(
        {"tookS": 0.5, "rowsRead": [{"lastRun": "2026-11-22T12:00:00Z"}, {"lastRun": None}]}, indent=2
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (10**30, 10**30),
        ("text", "text"),
        (float("nan"), None),
        (float("inf"), None),
        (float("-inf"), None),
        (0.1, 0.1),
        (Outcome.NOT_DUE, "not-due"),
        (Weight.HEAVY, 2),
        (Path("/a/b"), "/a/b"),
        (NOON, "2026-11-22T12:00:00Z"),
        (NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-11-22T12:00:00Z"),
        (datetime(987, 1, 2, tzinfo=UTC), "0987-01-02T00:00:00Z"),
        ({"plugin_key": (1, 2)}, {"plugin_key": [1, 2]}),
        (JsonText(b'{"as_it": 1.0}'), {"as_it": 1.0}),
        ([Path("x"), None], ["x", None]),
    ],
)
def test_each_kind_of_value(value: object, expected: Json) -> None:
    """What a view may hold, and what becomes of it; the keys of a mapping are data and stay."""
    assert to_document(value) == expected


@pytest.mark.parametrize(
    "value", [Secret("synthetic-secret-0123456789"), b"raw", {1, 2}, object(), Inner, timedelta(1), 1j]
)
def test_what_has_no_business_in_a_view_is_refused(value: object) -> None:
    """A secret, bytes, a class: an error rather than a guess."""
    with pytest.raises(TypeError, match="a view holds no"):
        to_document(value)


def test_an_instant_without_a_zone_is_refused() -> None:
    """Nobody could say which hour it is."""
    with pytest.raises(ValueError, match="time zone"):
        to_document(datetime(2026, 11, 22))  # noqa: DTZ001  # that is what is refused


def test_names() -> None:
    """snake_case is camelCase."""
    assert [camel_case(name) for name in ("now", "took_s", "present_field_list_version", "sha256")] == [
        "now",
        "tookS",
        "presentFieldListVersion",
        "sha256",
    ]
