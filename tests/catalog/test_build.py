"""Default-deny at build time: a field that nobody classified is not built, and would be withheld if it were read."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from agent.catalog import products

CHECKOUT = Path(__file__).parents[2]
UNCLASSIFIED_METRIC = """
[[metric]]
name = "jira.planted"
source = "jmx"
type = "JMX_METRIC"
category = "operational-and-performance"
data_type = "count"
unit = "1"
kind = "gauge"
reference = "https://example.com"
jmx = { bean = "d:type=X", attribute = "Value" }
"""
UNCLASSIFIED_TAG = UNCLASSIFIED_METRIC.replace('unit = "1"', 'unit = "1"\nconsent = "basic"').replace(
    'attribute = "Value" }', 'attribute = "Value", tags = { name = "owner" } }'
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what a build needs."""
    shutil.copytree(CHECKOUT / "agent", tmp_path / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "hatch_build.py", "LICENSE", ".gitignore"):
        shutil.copy(CHECKOUT / name, tmp_path)
    (tmp_path / "README.md").write_text("x\n")
    return tmp_path


def run(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=tree, capture_output=True, text=True, check=False, timeout=120
    )


def test_complete_catalog_is_built(tree: Path) -> None:
    """The catalog as it is passes the check; the wheel holds what is compiled from its files in place of them."""
    assert run(tree, "agent.catalog").returncode == 0
    build = run(tree, "hatchling", "build", "-t", "wheel")
    assert build.returncode == 0, build.stderr
    (wheel,) = (tree / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"agent/catalog/compiled/{product}.json" for product in products()} <= set(names)
    assert [name for name in names if name.endswith((".sql", ".toml", ".gitignore"))] == []


def test_the_same_tree_gives_the_same_wheel(tree: Path) -> None:
    """Built twice, byte for byte."""
    wheels = []
    for _ in range(2):
        assert run(tree, "hatchling", "build", "-t", "wheel").returncode == 0
        (wheel,) = (tree / "dist").glob("*.whl")
        wheels.append(wheel.read_bytes())
        wheel.unlink()
    assert wheels[0] == wheels[1]


def test_a_wheel_can_be_built_of_what_is_packed_for_building(tree: Path) -> None:
    """The source archive holds the catalog's files and no compiled form."""
    build = run(tree, "hatchling", "build", "-t", "sdist")
    assert build.returncode == 0, build.stderr
    (archive,) = (tree / "dist").glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert "agent/catalog/jira/guardrails/projects.sql" in names
    assert "agent/catalog/common/metrics.toml" in names
    assert not [name for name in names if name.startswith("agent/catalog/compiled/") and name.endswith(".json")]


@pytest.mark.parametrize(
    ("entry", "words"), [(UNCLASSIFIED_METRIC, "jira.planted.consent"), (UNCLASSIFIED_TAG, "jira.planted.tags.owner")]
)
def test_unclassified_field_breaks_check_and_build(tree: Path, entry: str, words: str) -> None:
    """A metric without consent class, or a tag without rule: exit 1 with its name, and no wheel."""
    (tree / "agent" / "catalog" / "jira" / "planted.toml").write_text(entry)
    check = run(tree, "agent.catalog")
    assert check.returncode == 1
    assert words in check.stderr
    build = run(tree, "hatchling", "build", "-t", "wheel")
    assert build.returncode != 0
    assert words in build.stderr
    assert not list(tree.glob("dist/*.whl"))
