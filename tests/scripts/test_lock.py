"""The lock files: complete, hashed, in step with pyproject.toml, and free of machines' and registries' names."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LOCKS = sorted((REPOSITORY / "requirements").glob("*.txt"))
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ;.*)? \\$", re.M)


def pins(lock: str) -> dict[str, str]:
    """Package and version of every entry."""
    return dict(PIN.findall((REPOSITORY / "requirements" / lock).read_text(encoding="utf-8")))


def names(requirements: list[str]) -> set[str]:
    """The bare names of requirement lines."""
    return {re.split(r"[\[<>=~! ]", line)[0].lower() for line in requirements}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_package_has_a_hash_and_nothing_names_a_host(lock: Path) -> None:
    """Each pin is followed by a SHA-256; no index, no address and no path stands in a lock."""
    text = lock.read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z0-9])", "\n".join(line for line in text.splitlines() if "#" not in line), flags=re.M)
    packages = [entry for entry in entries if entry.strip()]
    assert packages
    for entry in packages:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
    assert "://" not in text
    assert "--index" not in text
    assert " @ " not in text


def test_the_locks_hold_what_the_project_asks_for() -> None:
    """Runtime, default database drivers and the dev group are all pinned, and at the same version everywhere."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    runtime = pins("runtime.txt")
    assert names(project["project"]["dependencies"]) | names(extras["postgresql"]) | names(extras["mysql"]) <= set(
        runtime
    )
    assert names(project["dependency-groups"]["dev"]) <= set(pins("dev.txt"))
    assert names(extras["oracle"]) <= set(pins("oracle.txt"))
    assert names(extras["sqlserver"]) <= set(pins("sqlserver.txt"))
    for other in ("dev.txt", "oracle.txt", "sqlserver.txt"):
        assert runtime.items() <= pins(other).items()


def test_typer_stays_below_the_version_that_loads_pydantic() -> None:
    """typer 0.29 would double the time of `status`."""
    assert tuple(int(part) for part in pins("runtime.txt")["typer"].split(".")[:2]) < (0, 29)
    assert "pydantic" not in pins("runtime.txt")
