"""Versions are compared as numbers, whatever the length of a build number."""

from __future__ import annotations

import pytest

from agent.catalog.versions import Version, VersionRange, version, version_of_build


@pytest.mark.parametrize(
    ("words", "inside", "outside"),
    [
        ("8.3 and later", ["8.3", "8.3.0", "8.20.1", "9", "9.0", "10.3.26", "11"], ["8.2.9", "7.19", "4"]),
        ("9 and later: the column is absent before", ["9", "9.0.1", "10"], ["8.22", "8"]),
        ("6.1 to 9.5", ["6.1", "9.5", "9.5.4", "7.19.30", "9.2.26"], ["10.0", "10", "6.0.9", "9.6"]),
        ("up to 9", ["9", "9.6.3", "8.19", "4"], ["10.0", "10", "11.2"]),
        ("all", ["1", "99"], []),
        ("", ["1", "99"], []),
        ("with Jira Software; the table is absent without it", ["8.3", "11"], []),
    ],
)
def test_range(words: str, inside: list[str], outside: list[str]) -> None:
    """Both ends are in it, as far as their numbers go; 10 is after 9; words without numbers are for all versions."""
    found = VersionRange.parse(words)
    assert [text for text in inside if not found.holds(version(text))] == []
    assert [text for text in outside if found.holds(version(text))] == []
    assert found.holds(None)


@pytest.mark.parametrize(
    ("product", "build", "expected"),
    [
        ("jira", "820010", (8, 20)),
        ("jira", "811000", (8, 11)),
        ("jira", "9120004", (9, 12)),
        ("jira", "10000002", (10, 0)),
        ("jira", "10030002", (10, 3)),
        ("jira", "11030012", (11, 3)),
        ("jira", "", None),
        ("jira", "77", None),
        ("jira", "nine", None),
        ("jira", "1" * 40, None),
        ("jira", "\u0661" * 7, None),
        ("confluence", "9111", (9, 2)),
        ("confluence", "9405", (10, 2)),
        ("confluence", "10001", None),
        ("confluence", "8703", None),
        ("bitbucket", "9405", None),
    ],
)
def test_version_of_a_build(product: str, build: str, expected: Version | None) -> None:
    """Six, seven and eight digits of Jira; of others only what is known; anything else tells nothing."""
    assert version_of_build(product, build) == expected
