"""Signals in every state: a stop is an orderly stop within 10 s, a hang-up never ends the daemon."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.demo_product.database import DemoDatabase
from tests.support.agent import RunningAgent, running_agent
from tests.support.cloud import receiver, wait_until
from tests.support.servers import require

STOP_S = 10.0
HUP_BIT = 1 << (signal.SIGHUP - 1)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def handles_hang_up(pid: int) -> bool:
    """Whether the process ignores or catches SIGHUP, as the kernel sees it."""
    masks = dict(
        line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Sig")
    )
    return bool((int(masks["SigIgn"], 16) | int(masks["SigCgt"], 16)) & HUP_BIT)


def stopped_in_time(agent: RunningAgent) -> None:
    """SIGTERM: exit 0 within 10 s, and no process left."""
    began = time.monotonic()
    assert agent.stop(STOP_S) == 0, agent.log_text()
    assert time.monotonic() - began < STOP_S
    wait_until(lambda: not agent.processes(), 5)
    assert agent.log_lines("agent.stopped")


@pytest.mark.fault(8)
def test_stop_between_ticks(tmp_path: Path) -> None:
    """Between two ticks a stop is answered at once."""
    with running_agent(tmp_path, sampling__interval="1m", hour__length="1h") as agent:
        agent.start()
        agent.wait(lambda: agent.log_lines("deliver.finished"))
        began = time.monotonic()
        stopped_in_time(agent)
        assert time.monotonic() - began < 3


@pytest.mark.fault(8)
def test_stop_while_the_database_hangs(tmp_path: Path, silent_port: int) -> None:
    """A tick that waits for a silent database is cut short by a stop."""
    url = f"jdbc:postgresql://127.0.0.1:{silent_port}/jira"
    database = DemoDatabase(url, "postgres72", "org.postgresql.Driver", "synthetic-password", port=silent_port)
    long = {"sampling__interval": "2m", "sampling__deadline": "1m", "hour__length": "1h"}
    with running_agent(tmp_path, database=database, **long) as agent:
        agent.start(ticks=0)
        agent.wait(lambda: agent.log_lines("agent.started"))
        connected(agent, silent_port)
        stopped_in_time(agent)


@pytest.mark.fault(42)
def test_stop_while_the_jvm_hangs(tmp_path: Path, silent_port: int) -> None:
    """A tick that waits for a silent JVM is cut short by a stop, and its Java child is gone (H8)."""
    require("java")
    long = {"sampling__interval": "2m", "sampling__deadline": "1m", "hour__length": "1h"}
    with running_agent(tmp_path, jmx__enabled=True, jmx__port=silent_port, **long) as agent:
        agent.start(ticks=0)
        connected(agent, silent_port)
        stopped_in_time(agent)


def connected(agent: RunningAgent, port: int) -> None:
    """Wait until a process of the agent has connected to the port."""
    text = f":{port:04X} "

    def there() -> bool:
        tables = [Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
        remote = [line.split()[2] + " " for table in tables for line in table.splitlines()[1:]]
        return any(address.endswith(text) for address in remote)

    agent.wait(there)


@pytest.mark.fault(8)
def test_stop_while_the_child_pushes_into_a_black_hole(tmp_path: Path) -> None:
    """A push whose receiver is silent does not delay a stop, and the batch waits (G10)."""
    with receiver(tmp_path / "receiver") as cloud, running_agent(tmp_path, cloud) as agent:
        agent.link()
        cloud.control(mode="blackhole", calls=["batches"])
        agent.start()
        agent.wait(lambda: [line for line in cloud.log() if line["call"] == "batches"])
        stopped_in_time(agent)
        assert agent.status()["waiting"]["batches"] >= 1


@pytest.mark.fault(8)
@pytest.mark.parametrize("after_s", [0.05, 0.2, 0.4, 0.8])
def test_stop_while_starting(tmp_path: Path, after_s: float) -> None:
    """A stop during start ends the process in time: by the signal before its handler is there, with 0 after."""
    with running_agent(tmp_path) as agent:
        agent.start(ticks=0)
        time.sleep(after_s)  # the moment itself is what is tried
        assert agent.stop(STOP_S) in (0, -signal.SIGTERM)
        wait_until(lambda: not agent.processes(), 5)


@pytest.mark.fault(9)
def test_hang_up_at_any_moment_is_harmless(tmp_path: Path) -> None:
    """From the first line of our own code on, through exec and imports to the ticks, SIGHUP ends nothing (C6)."""
    with running_agent(tmp_path) as agent:
        agent.start(ticks=0)
        assert agent.daemon is not None
        pid = agent.daemon.pid
        wait_until(lambda: handles_hang_up(pid), 10)
        while not agent.stored_ticks():
            assert agent.daemon.poll() is None, agent.log_text()
            os.kill(pid, signal.SIGHUP)
            time.sleep(0.002)
        agent.wait_ticks(2)
        assert agent.log_lines("reload.refused")
        assert agent.stop() == 0


@pytest.mark.fault(9)
def test_log_reader_that_goes_away_is_harmless(tmp_path: Path) -> None:
    """When nobody reads the log any more, sampling goes on."""
    with running_agent(tmp_path) as agent:
        command = [sys.executable, "-m", "agent.cli", "run", "--config", str(agent.config)]
        daemon = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
        try:
            assert daemon.stderr is not None
            daemon.stderr.readline()
            daemon.stderr.close()
            wait_until(lambda: (agent.state / "agent.sqlite3").exists())
            before = agent.query("SELECT count(*) FROM tick")[0][0]
            wait_until(lambda: agent.query("SELECT count(*) FROM tick")[0][0] >= before + 3)
            daemon.terminate()
            assert daemon.wait(10) == 0
        finally:
            daemon.kill()
            daemon.wait()
