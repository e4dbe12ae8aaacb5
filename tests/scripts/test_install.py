"""Install, run, upgrade and remove on a whole Debian machine that has no network at all.

The machine is a minimal Debian 12 under systemd-nspawn with its own Python 3.11.2; the wheelhouse is mounted read-only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installed import HOUSE, installed_root, main_pid, run_probe_instead, wheelhouse
from tests.support.machine import DEBIAN_13, Machine, debian_root

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
    assert "apt-get install python3.11-venv" in incomplete.stderr
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


CLUSTERED = '[instance]\nhome = "/srv/jira"\nshared_home = "/srv/shared"\n'
UNINSTALL = "/opt/portfolio-agent/share/uninstall"


def clustered_node(machine: Machine) -> str:
    """A node whose shared home is not its own, with rights on both homes; the account's number."""
    machine.run("mkdir -p /srv/jira /srv/shared/portfolio-agent/keys && chmod 0700 /srv/jira /srv/shared")
    machine.write("/srv/jira/dbconfig.xml", "<x/>", "0600")
    machine.write("/etc/portfolio-agent/agent.toml", CLUSTERED)
    machine.write("/srv/shared/portfolio-agent/instance.json", "{}", "0600")
    machine.run(
        "chown -R portfolio-agent: /srv/shared/portfolio-agent; setfacl -m u:portfolio-agent:x /srv/jira /srv/shared;"
        " setfacl -m u:portfolio-agent:r /srv/jira/dbconfig.xml"
    )
    return machine.run("id -u portfolio-agent").stdout.strip()


def test_a_cluster_is_asked_about(installed: Machine) -> None:
    """What other nodes may go on with is not removed without a word that says so."""
    machine = installed
    clustered_node(machine)
    asked = machine.run(f"{UNINSTALL} --purge", check=False)
    assert asked.returncode == 1
    assert "--keep-shared" in asked.stderr
    assert "--last-node" in asked.stderr
    machine.run("test -x /usr/local/bin/portfolio-agent && getfacl -s /srv/jira | grep -q user:portfolio-agent")


def test_other_nodes_go_on_with_the_shared_home(installed: Machine) -> None:
    """With --keep-shared it stays, the local rights go, and the account stays, locked: its number is still in use."""
    machine = installed
    number = clustered_node(machine)
    machine.write("/srv/shared/portfolio-agent/link.json", "{}", "0600")
    machine.run("usermod --append --groups games portfolio-agent")
    said = machine.run(f"{UNINSTALL} --purge --keep-shared").stderr
    assert "stays, locked" in said
    assert "/srv/shared stays as it is" in said
    assert machine.run("getfacl -R -s -p /srv/jira").stdout == ""
    machine.run("test -e /srv/shared/portfolio-agent/instance.json && test -e /srv/shared/portfolio-agent/link.json")
    assert "user:portfolio-agent" in machine.run("getfacl -s -p /srv/shared").stdout
    assert machine.run("id -Gn portfolio-agent").stdout.strip() == "portfolio-agent"
    assert machine.run("getent shadow portfolio-agent").stdout.split(":")[1].startswith("!")
    machine.run("useradd --system next")
    assert machine.run("id -u next").stdout.strip() != number
    machine.run(
        "test ! -e /etc/portfolio-agent && test ! -e /var/lib/portfolio-agent && test ! -e /opt/portfolio-agent"
    )


def test_the_last_node_leaves_nothing(installed: Machine) -> None:
    """With --last-node the agent's folder in the shared home and all rights go, and with them the account."""
    machine = installed
    clustered_node(machine)
    said = machine.run(f"{UNINSTALL} --purge --last-node").stderr
    assert "account and its rights" in said
    assert machine.run("getfacl -R -s -p /srv").stdout == ""
    assert machine.run("find / -xdev -nouser -o -xdev -nogroup").stdout == ""
    machine.run("test ! -e /srv/shared/portfolio-agent && ! getent passwd portfolio-agent")


def test_purge_after_uninstall_still_knows(installed: Machine) -> None:
    """`uninstall` first and `--purge` later, from the wheelhouse: the configuration that stayed tells the places."""
    machine = installed
    clustered_node(machine)
    machine.run(f"{UNINSTALL} && {HOUSE}/uninstall --purge --last-node")
    assert machine.run("getfacl -R -s -p /srv").stdout == ""
    assert machine.run("getent passwd portfolio-agent", check=False).returncode != 0


def test_without_its_configuration_the_account_stays(installed: Machine) -> None:
    """A state without a configuration: what was opened is not known, so the number is not given away."""
    machine = installed
    machine.write("/var/lib/portfolio-agent/agent.sqlite3", "")
    said = machine.run(f"{UNINSTALL} --purge").stderr
    assert "it is not known" in said
    machine.run("getent passwd portfolio-agent")


def test_a_wheelhouse_for_another_machine_is_refused(machine: Machine) -> None:
    """Other processor, newer C library, other Python: one sentence each, before anything is changed."""
    before = machine.run(TRACES).stdout
    for line, other, words in (
        ("arch=.*", "arch=s390x", "are for s390x, and this machine is"),
        ("glibc=.*", "glibc=2.99", "need glibc 2.99 or newer, and Debian"),
        ("pythons=.*", "pythons=3.12 3.13", "are for Python 3.12 3.13, and this machine has 3.11."),
    ):
        machine.run(f"rm -rf /tmp/other; cp -R {HOUSE} /tmp/other; sed -i 's/^{line}/{other}/' /tmp/other/PLATFORM")
        refused = machine.run("/tmp/other/install", check=False)
        assert refused.returncode == 1
        assert words in refused.stderr
        assert "pip" not in refused.stderr
        assert "Do: " in refused.stderr
    bare = machine.run(f"{HOUSE}/install --wheelhouse /tmp", check=False)
    assert "is not a wheelhouse" in bare.stderr
    assert machine.run(TRACES).stdout == before


def test_an_old_python_gets_one_sentence(machine: Machine) -> None:
    """Where python3 is 3.9 the message names this system and its command; pip is never asked."""
    machine.write("/run/old/python3", "#!/bin/sh\necho 3.9\n", "0755")
    machine.run("mount --bind /run/old/python3 $(readlink -f /usr/bin/python3)")
    machine.write("/run/rocky", 'ID="rocky"\nVERSION_ID="9.3"\nID_LIKE="rhel"\nPRETTY_NAME="Rocky Linux 9.3"\n')
    refused = machine.run(f"OS_RELEASE=/run/rocky {HOUSE}/install", check=False)
    machine.run("umount $(readlink -f /usr/bin/python3)")
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        "install: There is no Python 3.11, 3.12, 3.13 on this machine.",
        "  Why: python3 of Rocky Linux 9.3 is 3.9",
        "  Do: dnf install python3.11",
    ]


def test_a_host_without_opt_gets_one(machine: Machine) -> None:
    """The room is measured where /opt will be made, and it is made."""
    machine.run("rm -r /opt")
    machine.run(f"{HOUSE}/install")
    machine.run("test -x /opt/portfolio-agent/bin/portfolio-agent")


def test_room_is_that_of_the_right_file_system(machine: Machine) -> None:
    """A full /opt is named, however much room the root has; nothing is changed."""
    machine.run("mkdir -p /opt && mount -t tmpfs -o size=20m none /opt")
    refused = machine.run(f"{HOUSE}/install", check=False)
    assert refused.returncode == 1
    assert "Too little room for /opt/portfolio-agent: 20 MiB in /opt." in refused.stderr
    assert machine.run("getent passwd portfolio-agent", check=False).returncode != 0


def test_bytecode_lies_below_opt_alone(wheelhouse: Path) -> None:
    """Debian 13 with Python 3.13: nothing beside the standard library, and the daemon's modules all have theirs."""
    with Machine({wheelhouse: HOUSE}, root=debian_root(DEBIAN_13)) as machine:
        foreign = "find / -xdev -name '*.pyc' -not -path '/opt/*' -not -path '/proc/*' | sort"
        before = machine.run(foreign).stdout
        machine.run(f"{HOUSE}/install")
        assert machine.run(foreign).stdout == before
        # As the unit's command resolves it: bytecode is found by the path of its source.
        place = machine.run("readlink -f /opt/portfolio-agent/current").stdout.strip()
        said = machine.run(
            f"{place}/bin/python -v -OO -X pycache_prefix={place}/bytecode -I"
            " -c 'import agent.runtime.resident.daemon, agent.sources.jmx.source, psycopg' 2>&1 >/dev/null"
        ).stdout
        read = [line for line in said.splitlines() if line.startswith("# code object from ")]
        assert len(read) > 300
        assert [line for line in read if "/bytecode/" not in line] == []
        machine.run(f"{UNINSTALL} --purge")
        assert machine.run(foreign).stdout == before
