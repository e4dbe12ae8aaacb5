"""The rules that keep consent the only door and the resident process small, read from the source itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
AGENT = ROOT / "agent"
# From the ground up. A part imports itself and what lies on floors below its own; never up, and a stage never a stage.
FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"__init__", "model", "errors", "secret", "pseudonym"}),
    frozenset({"log"}),
    frozenset({"system"}),
    frozenset({"settings"}),
    frozenset({"net"}),
    frozenset({"jmx"}),
    frozenset({"catalog"}),
    frozenset({"store"}),
    frozenset({"product"}),
    frozenset({"sources", "sampling", "aggregation", "consent", "batching", "delivery", "link"}),
    frozenset({"runtime"}),
    frozenset({"views"}),
    frozenset({"cli"}),
)
# Lies on a floor like any other, and knows even less of it: the wire could be a library of its own.
LESS: dict[str, frozenset[str]] = {
    "jmx": frozenset({"net", "system"}),
    "net": frozenset({"errors", "log", "secret", "system"}),
    "model": frozenset(),
    "errors": frozenset(),
    "secret": frozenset(),
    "pseudonym": frozenset(),
}
HEAVY = ("h11", "cryptography", "typer", "rich", "jinja2", "sqlglot")


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


def allowed_for(part: str) -> frozenset[str]:
    """What a part may import: itself and the floors below."""
    if part in LESS:
        return LESS[part] | {part, "__init__"}
    floor = next(number for number, parts in enumerate(FLOORS) if part in parts)
    return frozenset({part}).union(*FLOORS[:floor])


def test_no_arrow_goes_up_and_no_stage_imports_a_stage() -> None:
    """Every import of every file leads to its own part or to a floor below."""
    wrong = {
        f"{path.relative_to(AGENT)} imports {part}"
        for path in modules()
        for part in agent_parts(path)
        if part not in allowed_for(part_of(path))
    }
    assert sorted(wrong) == []


def test_every_part_has_a_floor() -> None:
    """The rule above is about something: each folder and file of the agent stands on exactly one floor."""
    placed = [part for parts in FLOORS for part in parts]
    assert len(placed) == len(set(placed))
    assert {part_of(path) for path in modules()} <= set(placed)


def test_no_module_needs_itself() -> None:
    """No circle: following the imports at module level never leads back."""
    graph = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in modules()
    }
    edges = {name: {found for found in imported_at_once(path, graph) if found != name} for name, path in graph.items()}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name) :], name))
        if name not in done:
            for following in sorted(edges[name]):
                visit(following, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def imported_at_once(path: Path, graph: Mapping[str, Path]) -> Iterator[str]:
    """The modules of the agent that importing this file imports, by name."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in graph:
                    yield whole
                elif node.module in graph:
                    yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in graph)


TIME_CALLS = {
    *(f"time.{name}" for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "clock_gettime")),
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
}


def test_a_class_name_has_one_meaning() -> None:
    """No two classes have the same name, whether or not one of them is private to its file."""
    found: dict[str, list[str]] = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name.lstrip("_"), []).append(str(path.relative_to(ROOT)))
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


def test_the_glossary_knows_what_the_code_speaks_of() -> None:
    """The words of the source, the clock, consent and delivery stand in the glossary, one line each."""
    glossary = (ast.get_docstring(ast.parse((AGENT / "model.py").read_text())) or "").splitlines()
    words = [word for line in glossary if line.startswith("*") for word in re.findall(r"\*([a-z ]+)\*", line)]
    assert len(words) == len(set(words))
    assert set(words) >= {
        *("source folder", "declaration", "binding", "compiled catalog", "twin", "threshold status"),
        *("moment", "label", "line", "doubt", "number", "watermark", "turn", "hold"),
        *("rules", "leaves", "stays", "second net", "door", "view"),
    }


def test_only_the_system_is_asked_for_the_time() -> None:
    """No file outside system/ reads a clock nor names one as a default: it is told, or asks `system.clock`."""
    wrong = {
        f"{path.relative_to(AGENT)}:{node.lineno} {node.value.id}.{node.attr}"
        for path in modules()
        if part_of(path) != "system"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and f"{node.value.id}.{node.attr}" in TIME_CALLS
    }
    wrong |= {
        f"{path.relative_to(AGENT)} imports {name} from time"
        for path in modules()
        if part_of(path) != "system"
        for module, name in imports(path)
        if module == "time" and f"time.{name}" in TIME_CALLS
    }
    assert sorted(wrong) == []


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


UNFILTERED = {"Sample", "Tick", "Reading", "HourlyAggregate", "Row"}


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
    "agent.sources.host.source",
    "agent.sources.clientside",
    "agent.sources.jmx.source",
    "agent.sources.guardrails.source",
    "agent.sources.listings.source",
    "agent.sources.apps.source",  # brings h11 with its first question, so only where an admin set [apps] rest_url
    "agent.link.consent_in_force",
    "agent.jmx.transport",
    "agent.jmx.jmxquery",
    "agent.jmx.jolokia",  # brings h11 when it takes its first sample, so only where an admin chose it
    "agent.product.database.engine",
    "agent.product.database.credentials",
    "agent.store.database",
    "agent.catalog",
    "agent.settings",
)
LATER = ("agent.sampling.sampler", "agent.runtime.resident.daemon", "agent.runtime.resident.notify", "agent.log")


def test_resident_process_imports_nothing_heavy() -> None:
    """What the daemon imports stays free of h11, cryptography, typer, rich and jinja2: they decide its memory."""
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
        "from agent.settings import *\nfrom agent.sources.registry import open_sources\n"
        "place = InstanceSettings(ProductType.JIRA, Path('/nowhere'), Path('/nowhere'))\n"
        "off = Settings(place, database=DatabaseSettings(enabled=False), host=HostSettings(enabled=False))\n"
        "print(*[source.name for source in open_sources(off, load_catalog('jira'), lambda: None)])\n"
        "print(sorted(set(sys.modules) & {'sqlalchemy', 'psutil'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    names, heavy = done.stdout.splitlines()
    assert {"folders", "home", "jmx"} <= set(names.split())
    assert not {"guardrails", "apps", "flags", "host"} & set(names.split())
    assert heavy == "[]"
