"""What the scripts say and find on each system: distribution, Python, C library. No process but bash."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NONE = "this release has no Python"
APT = "apt-get install python3 python3-venv"

# ID, VERSION_ID, ID_LIKE as the distributions write them; what brings a supported Python there.
SYSTEMS = [
    ("rhel", "8.10", "fedora", "dnf install python3.11"),
    ("rhel", "9.4", "fedora", "dnf install python3.11"),
    ("rhel", "10.0", "centos fedora", "dnf install python3"),
    ("rhel", "7.9", "fedora", NONE),
    ("almalinux", "8.9", "rhel centos fedora", "dnf install python3.11"),
    ("almalinux", "9.5", "rhel centos fedora", "dnf install python3.11"),
    ("rocky", "8.10", "rhel centos fedora", "dnf install python3.11"),
    ("rocky", "9.3", "rhel centos fedora", "dnf install python3.11"),
    ("ol", "8.9", "fedora", "dnf install python3.11"),
    ("ol", "9.4", "fedora", "dnf install python3.11"),
    ("centos", "9", "rhel fedora", "dnf install python3.11"),
    ("centos", "7", "rhel fedora", NONE),
    ("fedora", "42", "", "dnf install python3.13"),
    ("amzn", "2023", "fedora", "dnf install python3.11"),
    ("amzn", "2", "centos rhel fedora", NONE),
    ("ubuntu", "20.04", "debian", NONE),
    ("ubuntu", "22.04", "debian", "apt-get install python3.11 python3.11-venv"),
    ("ubuntu", "24.04", "debian", APT),
    ("debian", "11", "", NONE),
    ("debian", "12", "", APT),
    ("debian", "13", "", APT),
    ("sles", "12.5", "suse", NONE),
    ("sles", "15.6", "suse", "zypper install python311"),
    ("opensuse-leap", "15.6", "suse opensuse", "zypper install python311"),
    ("alpine", "3.20.1", "", "there are no wheels for musl"),
    ("eurolinux", "9.3", "rhel fedora centos", "dnf install python3.11"),
    ("linuxmint", "22", "ubuntu debian", APT),
    ("nobody-knows", "1", "", "by this machine's package manager"),
]


def bash(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script with scripts/lib.sh sourced."""
    command = ["bash", "-euo", "pipefail", "-c", f"source '{REPOSITORY}/scripts/lib.sh'\n{script}"]
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, stdin=subprocess.DEVNULL)


def python_in(folder: Path, name: str, version: str) -> Path:
    """A stand-in for an interpreter: it answers the one question that is asked of each candidate."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    return program


def release(tmp_path: Path, name: str, version: str, like: str) -> str:
    """An os-release file, quoted as some do."""
    file = tmp_path / "os-release"
    file.write_text(
        f'NAME="x"\nID="{name}"\nVERSION_ID="{version}"\nID_LIKE="{like}"\nPRETTY_NAME="The {name} {version}"\n'
    )
    return str(file)


@pytest.mark.parametrize(("name", "version", "like", "advice"), SYSTEMS)
def test_each_system_has_its_command(tmp_path: Path, name: str, version: str, like: str, advice: str) -> None:
    """One sentence says what brings a supported Python here, and no other system's tool is named."""
    said = bash("how_to_get_python", OS_RELEASE=release(tmp_path, name, version, like)).stdout.strip()
    assert advice in said
    assert "\n" not in said
    tool = {"dnf", "apt-get", "zypper"} & set(said.split())
    assert len(tool) <= 1


@pytest.mark.parametrize(("name", "version", "like", "advice"), SYSTEMS)
def test_without_a_python_three_facts_are_said(tmp_path: Path, name: str, version: str, like: str, advice: str) -> None:
    """What is missing, what this system has, and the command: nothing of pip's."""
    said = bash("PYTHONS=3.99; no_python", OS_RELEASE=release(tmp_path, name, version, like))
    assert said.returncode == 1
    what, why, do = said.stderr.splitlines()
    assert "There is no Python" in what
    assert f"The {name} {version}" in why
    assert do.startswith("  Do: ")


def test_a_system_without_a_name_gets_a_sentence(tmp_path: Path) -> None:
    """No os-release at all: the advice is general, and it is one."""
    said = bash("how_to_get_python; os_name", OS_RELEASE=str(tmp_path / "none")).stdout
    assert "with its venv module" in said
    assert "this system" in said


def test_the_versions_are_stated_once() -> None:
    """PYTHONS in lib.sh, requires-python and the README say the same."""
    versions = bash('echo "$PYTHONS"').stdout.split()
    wanted = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    newest = int(versions[-1].split(".")[1])
    assert wanted == f">={versions[0]},<3.{newest + 1}"
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    assert readme.count(f"{', '.join(versions[:-1])} or {versions[-1]}") == 2
    assert bash('echo "$GLIBC"').stdout.strip() in readme


def test_too_old_and_too_new_are_passed_over(tmp_path: Path) -> None:
    """Neither 3.9 nor an untried 3.14 is taken where a supported one stands beside it."""
    folder = tmp_path / "bin"
    python_in(folder, "python3", "3.9")
    python_in(folder, "python3.14", "3.14")
    fitting = python_in(folder, "python3.12", "3.12")
    found = bash("find_python '3.12 3.13'", PATH=f"{folder}:/usr/bin:/bin").stdout.strip()
    assert found == str(fitting)


def test_a_named_python_comes_first(tmp_path: Path) -> None:
    """PYTHON=... is taken when it is supported."""
    named = python_in(tmp_path / "opt", "python", "3.13")
    assert bash('find_python "$PYTHONS"', PYTHON=str(named)).stdout.strip() == str(named)


def test_a_named_python_that_does_not_fit_is_not_taken(tmp_path: Path) -> None:
    """PYTHON=... of another version does not beat the range."""
    named = python_in(tmp_path / "opt", "python", "3.8")
    assert bash("find_python 3.99", PYTHON=str(named)).returncode == 1


@pytest.mark.parametrize(
    ("one", "other", "older"),
    [("2.17", "2.28", True), ("2.28", "2.28", False), ("2.36", "2.28", False), ("2.9", "2.28", True)],
)
def test_versions_are_compared_as_numbers(one: str, other: str, older: bool) -> None:
    """2.9 is older than 2.28."""
    assert (bash(f"older {one} {other}").returncode == 0) is older


def test_help_is_for_everybody() -> None:
    """Each script prints its help without root and ends with 0; none is wider than it was made to be."""
    for name in ("install", "uninstall", "wheelhouse", "setup", "test", "check", "demo", "other-pythons"):
        said = bash(f"'{REPOSITORY}/scripts/{name}' --help")
        assert said.returncode == 0, name
        assert re.search(rf"scripts/{name}|^ *{name}", said.stdout, re.M), name
        assert max(map(len, said.stdout.splitlines())) <= 120
