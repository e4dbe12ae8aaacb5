"""agent/jmx could be published as a library of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import agent.jmx

PACKAGE = Path(agent.jmx.__file__).parent
OWN_LIBRARY = {"jmxquery": {"jmxquery"}}
# Of the agent it takes what any library of this kind would need: sockets under a deadline, TLS, HTTP, a clock.
BELOW = ("agent.jmx", "agent.net", "agent.system")
MODULES = sorted(PACKAGE.glob("*.py"))


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_it_imports_nothing_of_the_product(path: Path) -> None:
    """The standard library, `net`, `system` and the package itself; a transport with a library brings that one."""
    allowed = sys.stdlib_module_names | OWN_LIBRARY.get(path.stem, set())
    foreign = {
        name
        for name in imported(path)
        if name.split(".")[0] not in allowed and not any(name == part or name.startswith(f"{part}.") for part in BELOW)
    }
    assert foreign == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_stream_is_never_turned_into_code(path: Path) -> None:
    """No pickle, eval, exec or import by a name from a server (wire note, section 10, rule 1)."""
    assert not imported(path) & {"pickle", "marshal", "shelve"}
    called = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"eval", "exec", "compile", "__import__", "globals"}


def test_what_is_listed_is_there() -> None:
    """`__all__` names what others may use."""
    assert all(hasattr(agent.jmx, name) for name in agent.jmx.__all__)


def test_the_http_library_is_imported_in_one_place_and_late() -> None:
    """net.http is imported by jolokia_http.py, that by jolokia.py, there in the function that takes a sample."""
    for name, importer in (("agent.net.http", "jolokia_http"), ("agent.jmx.jolokia_http", "jolokia")):
        assert {path.stem for path in MODULES if name in imported(path)} == {importer}
    program = "import sys, agent.jmx.jolokia; print(sorted(set(sys.modules) & {'h11', 'ssl'}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
