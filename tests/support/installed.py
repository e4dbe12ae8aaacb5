"""A wheelhouse of this checkout, and a stand-in for the daemon where the service manager is what is tested."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.machine import Machine

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


def make_wheelhouse(folder: Path) -> Path:
    """Run scripts/wheelhouse for the machine's Python and return the folder it made."""
    house = folder / "house"
    command = [REPOSITORY / "scripts" / "wheelhouse", "--python", "3.11", house]
    made = subprocess.run(command, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL)
    assert made.returncode == 0, made.stderr
    return house


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
