"""Sources are found by looking, and each says of itself what the rest of the agent needs to know."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from pathlib import Path

import pytest

from agent.catalog import SqlBinding, cluster_sources, declared_sources, load_catalog, products
from agent.catalog.declaration import binding_types

AGENT = Path(__file__).parents[2] / "agent"
MODULES = sorted((AGENT / "sources").glob("*/binding.py"))
GROUND = ("agent.catalog", "agent.model", "agent.errors", "agent.settings")


def test_every_folder_of_a_source_declares_it() -> None:
    """Each folder below sources/ has a binding.py; each name it declares is found once, with the code to open it."""
    folders = {path.parent.name for path in (AGENT / "sources").glob("*/__init__.py")}
    assert folders == {path.parent.name for path in MODULES}
    assert {source.package.rpartition(".")[2] for source in declared_sources().values()} == folders
    names = [name for module in MODULES for name in _declared_by(module)]
    assert len(names) == len(set(names))
    for source in declared_sources().values():
        code = AGENT.parent / Path(*source.package.split(".")) / "source.py"
        assert code.is_file() != source.declaration.noticed, source.name
        assert source.where


def _declared_by(module: Path) -> list[str]:
    package = f"agent.sources.{module.parent.name}"
    return [source.name for source in declared_sources().values() if source.package == package]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.parent.name)
def test_a_binding_stands_on_the_ground(module: Path) -> None:
    """It imports the catalog's words, the model, settings, another binding: no library, and no code of a source."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= sys.stdlib_module_names
        elif isinstance(node, ast.ImportFrom):
            name = node.module or ""
            known = name.startswith(GROUND) or name.endswith(".binding") or name.partition(".")[0] != "agent"
            assert known, name
            assert name.startswith("agent.") or name.partition(".")[0] in sys.stdlib_module_names, name


def test_looking_for_sources_imports_no_library() -> None:
    """A process that only shows the catalog pays for none of them."""
    program = (
        "import sys\nfrom agent.catalog import declared_sources\ndeclared_sources()\n"
        "print(sorted(name for name in sys.modules if name in ('sqlalchemy', 'psutil', 'httpx', 'sqlite3')"
        " or name.startswith('agent.sources.') and name.endswith('.source')))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=AGENT.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_else_holds_a_list_of_sources() -> None:
    """No file outside the folders of the sources spells the names of three of them."""
    names = set(declared_sources())
    for path in AGENT.rglob("*.py"):
        if path.is_relative_to(AGENT / "sources"):
            continue
        spelt = {
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and node.value in names
        }
        # Sections of the configuration and areas of `doctor` have words of their own that happen to be the same.
        if path.parent.name not in ("settings", "doctor"):
            assert len(spelt) < 3, (path, spelt)


def test_what_a_cluster_has_once() -> None:
    """What the product's database tells is the cluster's; what each node sees for itself is its own."""
    assert cluster_sources() == {"guardrails", "apps", "flags", "links", "nodes", "licence"}
    metrics = load_catalog("jira").metrics
    assert metrics["jira.guardrail.issues"].cluster_wide
    assert not metrics["product.version"].cluster_wide
    assert not metrics["jvm.uptime"].cluster_wide


@pytest.mark.parametrize("product", products())
def test_bindings_are_plain_data(product: str) -> None:
    """Each is the same again when it is made of its fields: what the compiled catalog does."""
    seen = set()
    for metric in load_catalog(product).metrics.values():
        for binding in metric.bindings:
            assert binding == type(binding)(*(getattr(binding, field.name) for field in fields(binding)))  # type: ignore[arg-type]  # each is a dataclass
            assert binding_types()[binding.KEY] is type(binding)
            assert all(_is_plain(value) for value in _values(binding)), binding
            seen.add(type(binding))
    assert SqlBinding in seen


def _values(item: object) -> Iterator[object]:
    assert is_dataclass(item)
    assert not isinstance(item, type)
    yield from (getattr(item, field.name) for field in fields(item))


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(_is_plain(item) for item in value)
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if is_dataclass(value):
        return all(_is_plain(item) for item in _values(value))
    return value is None or isinstance(value, str | int | float | bool | StrEnum)
