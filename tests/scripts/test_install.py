"""Install, run, upgrade and remove on a whole Debian machine that has no network at all.

The machine is a minimal Debian 12 under systemd-nspawn with its own Python 3.11.2; the wheelhouse is mounted read-only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installed import HOUSE, installed_root, main_pid, run_probe_instead, wheelhouse
from tests.support.machine import Machine

__all__ = ["installed_root", "wheelhouse"]  # the fixtures

TRACES = "find / -xdev -name '*portfolio*agent*' -not -path '/proc/*' -not -path '/mnt/*' | sort"


@pytest.fixture
def machine(wheelhouse: Path) -> Iterator[Machine]:
    """A freshly booted Debian with the wheelhouse at /mnt/house."""
    with Machine({wheelhouse: HOUSE}) as booted:
        yield booted


@pytest.fixture
def installed(wheelhouse: Path, installed_root: Path) -> Iterator[Machine]:
    """The same after one installation from there."""
    with Machine({wheelhouse: HOUSE}, root=installed_root) as booted:
        yield booted


def test_install_and_remove_without_network(machine: Machine) -> None:
    """From the wheelhouse alone everything is put in place with its owner and mode; purge leaves nothing behind."""
    assert machine.run("ls /sys/class/net").stdout.split() == ["lo"]
    before = machine.run(TRACES).stdout
    said = machine.run("/mnt/house/install").stderr
    assert "version 0.1.0 is installed" in said
    assert "portfolio-agent init" in said
    modes = machine.run(
        "stat -c '%a %U:%G %n' /etc/portfolio-agent /var/lib/portfolio-agent"
        " /usr/lib/systemd/system/portfolio-agent.service /usr/lib/systemd/system/portfolio-agent@.service"
    ).stdout.splitlines()
    assert modes == [
        "750 root:portfolio-agent /etc/portfolio-agent",
        "700 portfolio-agent:portfolio-agent /var/lib/portfolio-agent",
        "644 root:root /usr/lib/systemd/system/portfolio-agent.service",
        "644 root:root /usr/lib/systemd/system/portfolio-agent@.service",
    ]
    assert machine.run("getent passwd portfolio-agent | cut -d: -f6,7").stdout == "/nonexistent:/usr/sbin/nologin\n"
    scripts = machine.run("ls /opt/portfolio-agent/share/config/database").stdout.split()
    assert scripts == ["mysql.sql", "oracle.sql", "postgresql.sql", "sqlserver.sql"]
    told = machine.run(
        "/opt/portfolio-agent/current/bin/python -c"
        " 'from agent.product.database.proof import script_for; print(script_for(\"postgresql\"))'"
    ).stdout.strip()
    assert told.endswith("/share/config/database/postgresql.sql")
    assert machine.run(f"head -n 1 {told}").stdout.startswith("-- A read-only account")
    as_service = "setpriv --reuid portfolio-agent --regid portfolio-agent --clear-groups portfolio-agent --help"
    assert "Exit codes" in machine.run(as_service).stdout
    bytecode = machine.run("find /opt/portfolio-agent/versions -path '*/agent/*errors.*.pyc'").stdout
    assert bytecode.count("/agent/__pycache__/errors.cpython-311.pyc") == 1
    assert bytecode.count("/agent/errors.cpython-311.opt-2.pyc") == 1
    assert machine.run("find /opt/portfolio-agent ! -user root").stdout == ""
    assert machine.run("find /opt/portfolio-agent -perm /022 ! -type l").stdout == ""

    machine.run("/opt/portfolio-agent/share/uninstall --purge")
    assert machine.run(TRACES).stdout == before
    assert machine.run("getent passwd portfolio-agent || getent group portfolio-agent", check=False).returncode != 0


def test_an_upgrade_keeps_what_is_ours_not(installed: Machine) -> None:
    """Installing again keeps configuration, state and drop-ins, restarts a running service and leaves a way back."""
    machine = installed
    run_probe_instead(machine)
    machine.write("/etc/portfolio-agent/agent.toml", "# mine\n")
    machine.write("/var/lib/portfolio-agent/kept", "1")
    machine.run("systemctl start portfolio-agent")
    first = main_pid(machine)
    program = machine.run("readlink /opt/portfolio-agent/current").stdout
    said = machine.run("/mnt/house/install").stderr
    assert "portfolio-agent init" not in said
    machine.wait_for("systemctl is-active portfolio-agent")
    second = main_pid(machine)
    assert second not in (0, first)
    now = machine.run("readlink /opt/portfolio-agent/current").stdout
    assert now != program
    assert machine.run("cat /etc/portfolio-agent/agent.toml").stdout == "# mine\n"
    assert machine.run("cat /var/lib/portfolio-agent/kept").stdout == "1"
    machine.run("test -e /etc/systemd/system/portfolio-agent.service.d/probe.conf")
    machine.run("/mnt/house/install")
    assert len(machine.run("ls /opt/portfolio-agent/versions").stdout.split()) == 2

    machine.run("/opt/portfolio-agent/share/uninstall")
    machine.run("test -e /etc/portfolio-agent/agent.toml && test -e /var/lib/portfolio-agent/kept")
    machine.run("test ! -e /opt/portfolio-agent && test ! -e /usr/local/bin/portfolio-agent")
    # The manager forgets a unit whose file is gone when nothing refers to it any more, which may take a moment.
    machine.wait_for("! systemctl list-units --all --no-legend 'portfolio-agent*' | grep .")


def test_fails_early_and_changes_nothing(machine: Machine) -> None:
    """No root, a damaged wheelhouse or a foreign folder: one clear word, and the machine is as before."""
    before = machine.run(TRACES).stdout
    nobody = machine.run("setpriv --reuid nobody --regid nogroup --clear-groups /mnt/house/install", check=False)
    assert nobody.returncode == 1
    assert "Installing needs root." in nobody.stderr
    machine.run("cp -R /mnt/house /tmp/damaged && truncate --size=-1 /tmp/damaged/wheels/h11-*.whl")
    damaged = machine.run("/tmp/damaged/install", check=False)
    assert damaged.returncode == 1
    assert "is damaged" in damaged.stderr
    machine.run("mkdir -p /opt/portfolio-agent/something")
    foreign = machine.run("/mnt/house/install", check=False)
    assert foreign.returncode == 1
    assert "is not ours" in foreign.stderr
    machine.run("rm -r /opt/portfolio-agent")
    machine.run("mv /usr/lib/python3.11/ensurepip /tmp/")
    incomplete = machine.run("/mnt/house/install", check=False)
    assert incomplete.returncode == 1
    assert "apt-get install python3-venv" in incomplete.stderr
    assert machine.run(TRACES).stdout == before


def test_a_wheel_for_another_python_is_named(machine: Machine) -> None:
    """A package that is missing for this Python stops the installation before anything is switched."""
    machine.run("cp -R /mnt/house /tmp/lacking && rm /tmp/lacking/wheels/cffi-*.whl")
    machine.run("cd /tmp/lacking && grep -v /cffi- SHA256SUMS > S && mv S SHA256SUMS")
    lacking = machine.run("/tmp/lacking/install", check=False)
    assert lacking.returncode == 1
    assert "nothing was changed" in lacking.stderr
    assert "scripts/wheelhouse --python 3.11" in lacking.stderr
    machine.run("test ! -e /opt/portfolio-agent/current")
    assert machine.run("ls /opt/portfolio-agent/versions").stdout == ""


def test_purge_refuses_while_linked(installed: Machine) -> None:
    """A link that would be left behind stops --purge and names the command that ends it."""
    machine = installed
    machine.write("/etc/portfolio-agent/agent.toml", '[instance]\nshared_home = "/srv/shared"\n')
    machine.write("/srv/shared/portfolio-agent/link.json", "{}")
    refused = machine.run("/opt/portfolio-agent/share/uninstall --purge", check=False)
    assert refused.returncode == 1
    assert "portfolio-agent unlink" in refused.stderr
    machine.run("test -x /usr/local/bin/portfolio-agent")
    machine.run("/opt/portfolio-agent/share/uninstall")
