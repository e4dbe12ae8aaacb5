"""What `scripts/check` runs: `--quick`, the tests that start no process and need neither root nor a server.

Which these are is read from their imports, so that no list of them grows old. A quick test that does start a process,
through the code it tries, fails there: its file belongs into `STARTED_BY_THE_AGENT`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Files whose tests let the agent start a process.
# As root, `init` asks in a fork what another account may read.
STARTED_BY_THE_AGENT = (
    "tests/cli/test_init.py",
    "tests/cli/test_init_homes.py",
    "tests/product/instance/test_setup.py",
)
# Fixtures of a conftest that start a process; what a module imports is seen by itself.
STARTING = {"postgres", "mariadb", "jvm", "java", "jvm_of", "plain_jvm", "fixture_classes", "running_receiver"}
_STARTS = re.compile(r"^\s*(?:import|from) (?:subprocess|multiprocessing)\b", re.MULTILINE)
_NEEDS = re.compile(r"^\s*from tests\.support\.(?:servers|needs) import", re.MULTILINE)
_OURS = re.compile(r"^\s*(?:from|import) ((?:tests|scripts)(?:\.\w+)*)(?: import ([\w, ]+))?", re.MULTILINE)
_EVENTS = frozenset({"subprocess.Popen", "os.system", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec"})


def starts_processes(file: Path, root: Path = ROOT, seen: set[Path] | None = None) -> bool:
    """Whether a file, or what it imports of tests and scripts, can start processes or asks what the machine has."""
    seen = set() if seen is None else seen
    if file in seen:
        return False
    seen.add(file)
    text = _text(file)
    if _STARTS.search(text) or _NEEDS.search(text):
        return True
    return any(starts_processes(one, root, seen) for one in _imported(text, root))


@cache
def _text(file: Path) -> str:
    return file.read_text("utf-8")


def _imported(text: str, root: Path) -> Iterator[Path]:
    for module, names in _OURS.findall(text):
        place = root.joinpath(*module.split("."))
        parts = [place / name.split()[0] for name in names.split(",") if name.strip()]
        for path in (place, *parts):
            for file in (path.with_suffix(".py"), path / "__init__.py"):
                if file.is_file():
                    yield file


def is_quick(item: pytest.Item) -> bool:
    """Whether the test starts nothing, as far as imports and fixtures tell."""
    if str(item.path.relative_to(ROOT)) in STARTED_BY_THE_AGENT or starts_processes(item.path):
        return False
    return not STARTING.intersection(getattr(item, "fixturenames", ()))


def add_option(parser: pytest.Parser) -> None:
    """`--quick`."""
    parser.addoption("--quick", action="store_true", help="only tests that start no process and need no root")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what is quick, and watch that it is."""
    if config.getoption("--quick"):
        others = [item for item in items if not is_quick(item)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]
        _watch()


_started: list[str] = []


@cache
def _watch() -> None:
    """Note each process that this one starts; an audit hook stays for good, so there is one."""

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event in _EVENTS:
            _started.append(f"{event} {arguments[:2]}")

    sys.addaudithook(note)


@pytest.fixture(autouse=True)
def starts_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    """Under `--quick`, a test that starts a process fails."""
    before = len(_started)
    yield
    assert not (now := _started[before:]), f"no quick test (tests/support/quick.py): {now}"
