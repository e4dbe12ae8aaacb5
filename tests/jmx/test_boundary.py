"""agent/jmx could be published as a library of its own."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import agent.jmx

PACKAGE = Path(agent.jmx.__file__).parent
OWN_LIBRARY = {"jolokia": {"httpx"}, "jmxquery": {"jmxquery"}}
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
    """The standard library and the package itself; a transport with a library of its own brings that one."""
    allowed = sys.stdlib_module_names | OWN_LIBRARY.get(path.stem, set())
    foreign = {
        name
        for name in imported(path)
        if name.split(".")[0] not in allowed and name != "agent.jmx" and not name.startswith("agent.jmx.")
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
