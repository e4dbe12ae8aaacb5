"""The rules that keep consent the only door and the resident process small, read from the source itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
AGENT = ROOT / "agent"
SHARED = frozenset({"model", "errors", "log", "catalog", "settings", "store", "__init__"})
# What each part may import beside SHARED and itself. runtime and cli know the order, so they may import all.
EXTRA: dict[str, frozenset[str]] = {
    "sources": frozenset({"jmx", "product"}),
    "product": frozenset(),
    "sampling": frozenset(),
    "aggregation": frozenset(),
    "consent": frozenset(),
    "batching": frozenset(),
    "delivery": frozenset({"cloud"}),
    "link": frozenset({"cloud"}),
}
# The base knows only what lies below it, and the wire knows nothing of the product.
BASE: dict[str, frozenset[str]] = {
    "model": frozenset(),
    "errors": frozenset(),
    "jmx": frozenset(),
    "catalog": frozenset({"model", "errors"}),
    "settings": frozenset({"model", "errors"}),
    "store": frozenset({"model", "errors"}),
    "cloud": frozenset({"model", "errors", "settings"}),
    "log": frozenset({"model", "errors", "settings"}),
}
HEAVY = ("httpx", "cryptography", "typer", "rich", "jinja2")


def modules() -> list[Path]:
    return sorted(AGENT.rglob("*.py"))


def part_of(path: Path) -> str:
    """The top folder or module below agent/ that a file belongs to."""
    relative = path.relative_to(AGENT)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of every import of a file, those inside functions too; name "" for `import module`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                yield node.module or "", alias.name


def agent_parts(path: Path) -> Iterator[str]:
    for module, name in imports(path):
        if module == "agent":
            yield name if name and ((AGENT / name).exists() or (AGENT / f"{name}.py").exists()) else "__init__"
        elif module.startswith("agent."):
            yield module.split(".")[1]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(AGENT)))
def test_a_stage_imports_no_other_stage(path: Path) -> None:
    """A stage imports the shared parts and itself; only runtime/ and cli/ know the order of the stages."""
    part = part_of(path)
    if part in ("runtime", "cli"):
        return
    allowed = (BASE[part] | {"__init__"}) if part in BASE else SHARED | EXTRA.get(part, frozenset())
    assert set(agent_parts(path)) - {part} <= allowed


def test_the_stages_are_there() -> None:
    """The rule above is about something: the data's path exists."""
    parts = {part_of(path) for path in modules()}
    assert {"sources", "consent", "store", "catalog", "jmx", "settings", "product"} <= parts


def calls_of(name: str) -> dict[str, int]:
    """Files that call `name(...)`, directly or as an attribute, with how often."""
    found: dict[str, int] = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                if called == name:
                    key = str(path.relative_to(AGENT))
                    found[key] = found.get(key, 0) + 1
    return found


def test_one_door() -> None:
    """ConsentedRecord is built in consent/filter.py, in one place, and nowhere else."""
    assert calls_of("ConsentedRecord") == {"consent/filter.py": 1}


def test_the_door_has_no_back_way() -> None:
    """No file copies a record with other content, nor renames the class to build it unseen."""
    for path in modules():
        text = path.read_text()
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert not [a for a in node.names if a.name == "ConsentedRecord" and a.asname], path
        if "ConsentedRecord" in text and part_of(path) not in ("model", "consent"):
            called = {
                node.func.id
                for node in ast.walk(tree)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            assert "replace" not in called, f"{path}: dataclasses.replace beside ConsentedRecord"


UNFILTERED = {"Sample", "Tick", "Reading", "HourlyAggregate"}


@pytest.mark.parametrize("part", ["batching", "delivery"])
def test_what_sends_never_sees_unfiltered_values(part: str) -> None:
    """Batching and delivery do not know the types of unfiltered values, so they cannot send one by mistake."""
    for path in (AGENT / part).rglob("*.py"):
        names = {name for module, name in imports(path) if module.startswith("agent")}
        assert not names & UNFILTERED, path


def test_every_stage_says_what_it_is() -> None:
    """Each built part of the path has a docstring in its __init__ and lists what others may use."""
    for part in ("catalog", "sources", "consent"):
        tree = ast.parse((AGENT / part / "__init__.py").read_text())
        assert len(ast.get_docstring(tree) or "") > 80, part
        assert "__all__" in (AGENT / part / "__init__.py").read_text(), part


RESIDENT = (
    "agent.sources",
    "agent.sources.host",
    "agent.sources.clientside",
    "agent.sources.jmx",
    "agent.sources.guardrails",
    "agent.sources.listings",
    "agent.sources.apps",  # brings httpx with its first question, so only where an admin set [apps] rest_url
    "agent.runtime.level",
    "agent.jmx.transport",
    "agent.jmx.jmxquery",
    "agent.jmx.jolokia",  # brings httpx when it takes its first sample, so only where an admin chose it
    "agent.product.engine",
    "agent.product.database",
    "agent.store.database",
    "agent.catalog",
    "agent.settings",
)
LATER = ("agent.sampling.sampler", "agent.runtime.daemon", "agent.runtime.notify", "agent.log")


def test_resident_process_imports_nothing_heavy() -> None:
    """What the daemon imports stays free of httpx, cryptography, typer, rich and jinja2: they decide its memory."""
    for name in RESIDENT:
        path = AGENT.parent / Path(*name.split("."))
        assert path.with_suffix(".py").exists() or (path / "__init__.py").exists(), name
    present = [name for name in LATER if (AGENT.parent / Path(*name.split("."))).with_suffix(".py").exists()]
    program = (
        f"import importlib, sys\nfor name in {[*RESIDENT, *present]!r}: importlib.import_module(name)\n"
        f"print(*sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_check_above_would_notice() -> None:
    """The same way of looking does find a heavy module that is imported."""
    program = "import sys, typer; print(*sorted(set(sys.modules) & {'typer'}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "typer"


def test_opening_sources_imports_only_what_is_on() -> None:
    """A source that is switched off costs no import: no SQLAlchemy without a database, no psutil without host."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom agent.catalog import load_catalog\n"
        "from agent.settings import *\nfrom agent.sources import open_sources\n"
        "place = InstanceSettings(ProductType.JIRA, Path('/nowhere'), Path('/nowhere'))\n"
        "off = Settings(place, database=DatabaseSettings(enabled=False), host=HostSettings(enabled=False))\n"
        "print([source.name for source in open_sources(off, load_catalog('jira'), lambda: None)])\n"
        "print(sorted(set(sys.modules) & {'sqlalchemy', 'psutil'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['folders', 'home', 'jmx']", "[]"]
