"""A wheelhouse of this checkout, a machine it is installed on, and a stand-in for the daemon.

The stand-in serves where the service manager is what is tested.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.machine import Machine, debian_root
from tests.support.once import made_once, session_folder
from tests.support.servers import require_root

HOUSE = "/mnt/house"  # where a machine sees the wheelhouse
REPOSITORY = Path(__file__).parents[2]

# Stands in for the daemon where the service manager is what is tested: it says READY and does as its file tells.
PROBE = """
import json, os, pathlib, signal, sqlite3, ssl, sys, threading
from agent.runtime.resident.notify import Notifier

notifier = Notifier.from_environment()
stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda number, frame: stopping.set())
state = pathlib.Path(os.environ["STATE_DIRECTORY"])
if (state / "exit-code").exists():
    sys.exit(int((state / "exit-code").read_text()))
notifier.ready()
notifier.status("probe")
stopping.wait()
"""


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What scripts/wheelhouse makes for the Pythons of the machines, 3.11 and 3.13; the same for every test."""
    require_root()

    def make(house: Path) -> None:
        command = [REPOSITORY / "scripts" / "wheelhouse", "--python", "3.11", "--python", "3.13", house]
        made = subprocess.run(command, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL)
        assert made.returncode == 0, made.stderr

    return made_once(session_folder(tmp_path_factory) / "wheelhouse", make)


@pytest.fixture(scope="session")
def installed_root(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a machine on which the agent was just installed from the wheelhouse, as an admin does it."""

    def make(root: Path) -> None:
        # --reflink: where the file system can, the copy costs nothing.
        subprocess.run(["cp", "-a", "--reflink=auto", f"{debian_root()}/.", root], check=True, timeout=300)
        with Machine({wheelhouse: HOUSE}, root=root, kept=True) as machine:
            machine.run(f"{HOUSE}/install")

    return made_once(session_folder(tmp_path_factory) / "installed-root", make)


def run_probe_instead(machine: Machine, more: str = "") -> None:
    """Let the unit start PROBE, by a drop-in as an admin would write it."""
    machine.write("/opt/probe/probe.py", PROBE)
    command = "/opt/portfolio-agent/current/bin/python /opt/probe/probe.py"
    drop_in = f"[Service]\nExecStart=\nExecStart={command}\nRestartSec=0\n{more}"
    machine.write("/etc/systemd/system/portfolio-agent.service.d/probe.conf", drop_in)
    machine.run("systemctl daemon-reload")


def main_pid(machine: Machine) -> int:
    """The process id of the service, 0 when none runs."""
    return int(machine.run("systemctl show -p MainPID --value portfolio-agent").stdout)
