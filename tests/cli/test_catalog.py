"""`catalog show` and `catalog check` as a person runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from agent.catalog import load_catalog


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent.cli", "catalog", *arguments], capture_output=True, text=True, check=False
    )


def test_show_prints_every_field() -> None:
    """Every metric, MBean, tag and statement of the catalog is in the text."""
    catalog = load_catalog("jira")
    shown = run("show", "--product", "jira", "--sql")
    assert shown.returncode == 0
    for metric in catalog.metrics.values():
        assert metric.name in shown.stdout
        for tag in metric.tags:
            assert f"tag {tag}:" in shown.stdout
        if metric.jmx is not None:
            assert metric.jmx.bean in shown.stdout
    for query in catalog.queries.values():
        for text in query.texts.values():
            assert text in shown.stdout


def test_json_is_the_same_list() -> None:
    """The JSON form holds each metric with its consent class and the field list's version."""
    catalog = load_catalog("jira")
    document = json.loads(run("show", "--product", "jira", "--json").stdout)
    assert document["fieldListVersion"] == catalog.field_list_version
    assert {entry["name"]: entry["consent"] for entry in document["metrics"]} == {
        metric.name: str(metric.consent) for metric in catalog.metrics.values()
    }


def test_consent_filters() -> None:
    """Under a level only what may leave is listed; another word is a usage error, exit 2."""
    document = json.loads(run("show", "--product", "jira", "--consent", "basic", "--json").stdout)
    assert {entry["consent"] for entry in document["metrics"]} == {"basic"}
    wrong = run("show", "--product", "jira", "--consent", "everything")
    assert wrong.returncode == 2
    assert "extended" in wrong.stderr


def test_unknown_product_is_told() -> None:
    """An unknown product is a configuration error, exit 10, with those there are."""
    wrong = run("show", "--product", "fisheye")
    assert wrong.returncode == 10
    assert "jira" in wrong.stderr


def test_missing_configuration_is_told(tmp_path: Path) -> None:
    """A configuration that was named and is not there is an error, exit 10, not a guess."""
    assert run("show", "--config", str(tmp_path / "agent.toml")).returncode == 10


def test_check() -> None:
    """The shipped catalog is complete."""
    checked = run("check")
    assert checked.returncode == 0
    assert "every field classified" in checked.stdout
