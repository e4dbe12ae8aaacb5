"""The installed unit, started by a real systemd: sandbox, restarts, watchdog, words on failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installed import installed_root, main_pid, run_probe_instead, wheelhouse
from tests.support.machine import Machine

__all__ = ["installed_root", "wheelhouse"]  # the fixtures

# Run inside the sandbox of the unit: what the agent needs works, what it must not do fails.
SANDBOX = """
import ctypes, json, os, pathlib, resource, socket, sqlite3, ssl

import psutil
from agent.system.process import die_with_parent, refuse_dumps
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

def outcome(work):
    try:
        return work() or "ok"
    except OSError as error:
        return os.strerror(error.errno) if error.errno else repr(error)

def wal():
    with sqlite3.connect(pathlib.Path(os.environ["STATE_DIRECTORY"]) / "probe.sqlite3") as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS tick (number INTEGER)")

def connect():
    listener_free = socket.create_connection(("127.0.0.1", 9), timeout=2)
    listener_free.close()

def prctl():
    # ctypes where no memory may be both writable and executable.
    die_with_parent(os.getppid())
    refuse_dumps()
    return "dumpable" if ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) else ""

print(json.dumps({
    "prctl": outcome(prctl),
    "machine id": outcome(lambda: pathlib.Path("/etc/machine-id").read_text() and ""),
    "host metrics": outcome(lambda: psutil.virtual_memory() and psutil.cpu_times() and os.getloadavg() and ""),
    "store": outcome(wal),
    "tls": outcome(lambda: ssl.create_default_context() and ""),
    "cipher": outcome(lambda: AESGCM(AESGCM.generate_key(256)) and ""),
    "connect": outcome(connect),
    "write /etc": outcome(lambda: pathlib.Path("/etc/portfolio-agent/x").write_text("x") and ""),
    "write product": outcome(lambda: pathlib.Path("/var/atlassian/x").write_text("x") and ""),
    "read product": outcome(lambda: pathlib.Path("/var/atlassian/dbconfig.xml").read_text() and ""),
    "home": os.listdir("/home"),
    "packet socket": outcome(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW) and ""),
    "open files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    "user": os.getuid() != 0,
}))
"""


@pytest.fixture(scope="module")
def installed(installed_root: Path) -> Iterator[Machine]:
    """One booted Debian with the agent installed from a wheelhouse, for all tests of this file."""
    with Machine({}, root=installed_root) as booted:
        yield booted


@pytest.fixture
def machine(installed: Machine) -> Iterator[Machine]:
    """The same machine, its service stopped and without drop-ins, configuration and state."""
    yield installed
    installed.run(
        "systemctl stop portfolio-agent; systemctl reset-failed portfolio-agent || true;"
        "rm -rf /etc/systemd/system/portfolio-agent.service.d /etc/portfolio-agent/* /var/lib/portfolio-agent/*;"
        "systemctl daemon-reload"
    )


def test_the_sandbox_lets_the_agent_work_and_nothing_else(machine: Machine) -> None:
    """Inside the running unit host metrics, store, TLS and sockets work; foreign files cannot be written or seen."""
    machine.write("/var/atlassian/dbconfig.xml", "<x/>")
    machine.run("mkdir -p /home/person && touch /home/person/private")
    machine.write("/opt/probe/sandbox.py", SANDBOX)
    drop_in = (
        "[Service]\nType=exec\nWatchdogSec=0\nExecStart=\nRestart=no\nStandardOutput=file:/run/sandbox.json\n"
        "ExecStart=/opt/portfolio-agent/current/bin/python /opt/probe/sandbox.py\n"
    )
    machine.write("/etc/systemd/system/portfolio-agent.service.d/probe.conf", drop_in)
    machine.run("systemctl daemon-reload && systemctl start portfolio-agent")
    machine.wait_for("test $(systemctl is-active portfolio-agent) = inactive")
    found = json.loads(machine.run("cat /run/sandbox.json").stdout)
    assert found == {
        "prctl": "ok",
        "machine id": "ok",
        "host metrics": "ok",
        "store": "ok",
        "tls": "ok",
        "cipher": "ok",
        "connect": "Connection refused",
        "write /etc": "Read-only file system",
        "write product": "Read-only file system",
        "read product": "ok",
        "home": [],
        "packet socket": "Address family not supported by protocol",
        "open files": 1024,
        "user": True,
    }


def test_fifty_crashes_do_not_end_the_service(machine: Machine) -> None:
    """However often the process is killed, systemd starts it again: there is no limit after which it stays dead."""
    run_probe_instead(machine)
    machine.run("systemctl start portfolio-agent")
    for _ in range(50):
        pid = main_pid(machine)
        machine.run(f"kill -9 {pid}")
        machine.wait_for(
            f"p=$(systemctl show -p MainPID --value portfolio-agent); test $p != 0 && test $p != {pid}"
            " && systemctl -q is-active portfolio-agent"
        )
    assert int(machine.run("systemctl show -p NRestarts --value portfolio-agent").stdout) >= 50


def test_a_configuration_fault_waits_for_a_person(machine: Machine) -> None:
    """Exit 10 is not tried again; a clean exit, a full store and a second instance are."""
    run_probe_instead(machine)
    machine.write("/var/lib/portfolio-agent/exit-code", "10")
    assert machine.run("systemctl start portfolio-agent", check=False).returncode != 0
    assert machine.run("systemctl is-failed portfolio-agent").stdout.strip() == "failed"
    assert machine.run("systemctl show -p NRestarts --value portfolio-agent").stdout.strip() == "0"
    for code in ("0", "12", "13"):
        machine.write("/var/lib/portfolio-agent/exit-code", code)
        machine.run("systemctl reset-failed portfolio-agent || true; systemctl start --no-block portfolio-agent")
        machine.wait_for("test $(systemctl show -p NRestarts --value portfolio-agent) -ge 3")
        machine.run("systemctl stop portfolio-agent")


def test_a_process_that_feeds_no_watchdog_is_replaced(machine: Machine) -> None:
    """A daemon that is alive but makes no progress is killed and started again."""
    run_probe_instead(machine, "WatchdogSec=1\n")
    machine.run("systemctl start portfolio-agent")
    machine.wait_for("test $(systemctl show -p NRestarts --value portfolio-agent) -ge 1")
    assert "watchdog" in machine.run("journalctl --no-pager -u portfolio-agent").stdout.lower()


def test_a_missing_configuration_is_named_by_systemctl_status(machine: Machine) -> None:
    """Started before `init`, the service fails once, and its status shows what is missing and what to do."""
    machine.run("systemctl start portfolio-agent", check=False)
    status = machine.run("systemctl status --no-pager portfolio-agent", check=False).stdout
    assert "/etc/portfolio-agent/agent.toml" in status
    assert "Do:" in status
    assert machine.run("systemctl show -p NRestarts --value portfolio-agent").stdout.strip() == "0"
