"""Columns become values: what is no version still leaves an app in the list."""

from __future__ import annotations

import re

import pytest

from agent.catalog import DataType
from agent.sources.base import VERSION_TEXT
from agent.sources.row_series import cleaned
from tests.support.sources import catalog

PUBLIC = (("pluginKey", "com.atlassian.jira.example"),)
OWN = (("pluginKey", "com.example.own"),)


@pytest.mark.parametrize(
    ("text", "public", "own"),
    [
        ("9.12.4", "9.12.4", "9.12.4"),
        ("4.0.1-m0002_jira9", "4.0.1-m0002_jira9", "4.0.1"),
        ("2023 R1 (Grace)", "2023", "2023"),
        ("Grace's build", "unknown", "unknown"),
        ("", "unknown", "unknown"),
        (None, "unknown", "unknown"),
    ],
)
def test_a_version_is_one_or_unknown(text: str | None, public: str, own: str) -> None:
    """Whatever a vendor wrote there: the app stays, and its version passes the shape that the store asks for."""
    metric = catalog().metrics["app.installed"]
    assert cleaned(text, DataType.VERSION, PUBLIC, catalog()) == public
    assert cleaned(text, DataType.VERSION, OWN, catalog()) == own
    assert re.fullmatch(metric.shape, public)
    assert re.fullmatch(metric.shape, own)


def test_source_and_store_mean_the_same_by_a_version() -> None:
    """The source's expression is the first of the alternatives in `shapes.toml`."""
    assert catalog().metrics["app.installed"].shape.split("|")[0] == VERSION_TEXT.pattern
