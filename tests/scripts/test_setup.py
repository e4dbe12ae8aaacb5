"""scripts/setup on a bare Debian machine, with its own Python 3.11.2 and as an ordinary user.

The machine has no network: pip takes the locked wheels from a wheelhouse, hashes checked as always.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installed import HOUSE, REPOSITORY, wheelhouse
from tests.support.machine import Machine

__all__ = ["wheelhouse"]  # the fixture

CHECKOUT = "/home/person/check out"  # a space, since people have them
AS_PERSON = (
    "setpriv --reuid person --regid person --init-groups env HOME=/home/person "
    "PIP_NO_INDEX=1 'PIP_FIND_LINKS=/mnt/house/wheels /mnt/build'"
)


@pytest.fixture(scope="module")
def machine(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted Debian with an ordinary user who has a checkout."""
    checkout = tmp_path_factory.mktemp("checkout")
    for name in ("agent", "scripts", "requirements"):
        fresh = shutil.ignore_patterns("__pycache__", "*.json")  # no catalog is compiled yet
        shutil.copytree(REPOSITORY / name, checkout / name, ignore=fresh)
    shutil.copy(REPOSITORY / "pyproject.toml", checkout)
    build = tmp_path_factory.mktemp("build") / "wheels"
    build.mkdir()  # mode 0755: mktemp makes a folder that only its owner may enter
    fetch = ["-m", "pip", "download", "-q", "--require-hashes", "-r", REPOSITORY / "requirements" / "build.txt"]
    subprocess.run([sys.executable, *fetch, "--only-binary", ":all:", "--dest", build], check=True, timeout=300)
    with Machine({checkout: "/mnt/checkout", wheelhouse: HOUSE, build: "/mnt/build"}) as booted:
        booted.run(f"useradd --create-home person && cp -R /mnt/checkout '{CHECKOUT}' && chown -R person: '{CHECKOUT}'")
        yield booted


def test_runtime_setup_needs_no_root_and_is_quick_the_second_time(machine: Machine) -> None:
    """An ordinary user gets a working command; a second call changes nothing and takes under a second."""
    first = machine.run(f"cd '{CHECKOUT}' && {AS_PERSON} scripts/setup --runtime")
    assert "ready: .venv (runtime)" in first.stderr
    shown = machine.run(f"cd / && {AS_PERSON} '{CHECKOUT}/.venv/bin/portfolio-agent' --help")
    assert "Exit codes" in shown.stdout
    catalog = machine.run(f"cd / && {AS_PERSON} '{CHECKOUT}/.venv/bin/portfolio-agent' catalog check")
    assert "every field classified" in catalog.stdout
    second = machine.run(
        f"cd '{CHECKOUT}' && before=$(date +%s%N) && {AS_PERSON} scripts/setup --runtime"
        " && echo $(( ($(date +%s%N) - before) / 1000000 ))"
    )
    assert second.stderr == ""
    assert int(second.stdout) < 1000


def test_a_changed_catalog_is_compiled_again(machine: Machine) -> None:
    """The runtime packages cannot compile it: the agent says so, and setup mends it without the development tools."""
    machine.run(f"cd '{CHECKOUT}' && {AS_PERSON} scripts/setup --runtime && echo '#' >> agent/catalog/jira/tables.toml")
    show = f"cd / && {AS_PERSON} '{CHECKOUT}/.venv/bin/portfolio-agent' catalog show --product jira"
    stale = machine.run(show, check=False)
    assert stale.returncode == 10
    assert "is not compiled" in stale.stderr
    again = machine.run(f"cd '{CHECKOUT}' && {AS_PERSON} scripts/setup --runtime")
    assert "compiling the catalog" in again.stderr
    assert machine.run(show).stdout.startswith("jira: ")


def test_a_changed_lock_is_noticed(machine: Machine) -> None:
    """After the lock has changed the packages are installed again."""
    machine.run(
        f"cd '{CHECKOUT}' && {AS_PERSON} scripts/setup --runtime && echo '# changed' >> requirements/runtime.txt"
    )
    again = machine.run(f"cd '{CHECKOUT}' && {AS_PERSON} scripts/setup --runtime")
    assert "hashes checked" in again.stderr


def test_a_wheel_that_does_not_match_its_hash_is_refused(machine: Machine) -> None:
    """A package that differs from the lock by one byte is not installed."""
    machine.run(
        f"cp -R '{CHECKOUT}' /home/person/other && rm -rf /home/person/other/.venv && cp -R /mnt/house/wheels /tmp/w"
    )
    machine.run("for wheel in /tmp/w/h11-*.whl; do printf x >> $wheel; done")
    machine.run("chown -R person: /home/person/other")
    refused = machine.run(
        f"cd /home/person/other && {AS_PERSON} PIP_FIND_LINKS=/tmp/w scripts/setup --runtime", check=False
    )
    assert refused.returncode != 0
    assert "DO NOT MATCH THE HASHES" in refused.stderr


def test_missing_packages_are_named_with_the_command(machine: Machine) -> None:
    """Without root and without a JDK, servers or venv, one line says which command mends it."""
    no_jdk = machine.run(f"cd '{CHECKOUT}' && {AS_PERSON} scripts/setup", check=False)
    assert no_jdk.returncode == 1
    assert "sudo apt-get install --no-install-recommends openjdk-17-jdk-headless" in no_jdk.stderr
    no_servers = machine.run(f"cd '{CHECKOUT}' && {AS_PERSON} scripts/setup --dev --servers", check=False)
    assert no_servers.returncode == 1
    for package in ("tomcat10", "postgresql", "mariadb-server", "strace", "debootstrap"):
        assert package in no_servers.stderr
    machine.run("mv /usr/lib/python3.11/ensurepip /tmp/")
    try:
        machine.run("cp -R /mnt/checkout /home/person/new && chown -R person: /home/person/new")
        no_venv = machine.run(f"cd /home/person/new && {AS_PERSON} scripts/setup --runtime", check=False)
    finally:
        machine.run("mv /tmp/ensurepip /usr/lib/python3.11/")
    assert no_venv.returncode == 1
    assert "sudo apt-get install --no-install-recommends python3-venv" in no_venv.stderr


def test_an_unknown_option_is_usage(machine: Machine) -> None:
    """A mistyped option prints the help and ends with 2."""
    mistyped = machine.run(f"cd '{CHECKOUT}' && {AS_PERSON} scripts/setup --sevrers", check=False)
    assert mistyped.returncode == 2
    assert "unknown option: --sevrers" in mistyped.stderr
