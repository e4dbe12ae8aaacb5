"""kill -9 at any moment: what was announced as stored is stored, and nothing is left behind."""

from __future__ import annotations

import random
import socket
import sqlite3
import time
from pathlib import Path

import pytest

from tests.support.agent import running_agent
from tests.support.cloud import receiver, wait_until
from tests.support.servers import require

# After how many ticks of a life it ends: four die while they start, on whatever machine, and six have stored something.
LIVES = (0, 0, 0, 0, 1, 1, 1, 1, 2, 2)


@pytest.mark.fault(1)
def test_no_announced_tick_is_missing_after_ten_kills(tmp_path: Path) -> None:
    """After ten kills at random moments every tick that the log called stored is there, and no child lives on (J4)."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    with running_agent(tmp_path, hour__length="1h") as agent:
        for ticks in moments.sample(LIVES, len(LIVES)):
            agent.start(ticks=ticks)
            time.sleep(moments.uniform(0.0, 1.1))  # the moment itself is what is tried, within one interval
            agent.kill()
            wait_until(lambda: not agent.processes())
        announced = set(agent.stored_ticks())
        assert len(announced) >= sum(LIVES), agent.log_text()
        connection = sqlite3.connect(f"file:{agent.state / 'agent.sqlite3'}?mode=ro", uri=True)
        stored = {number for (number,) in connection.execute("SELECT number FROM tick")}
        integrity = connection.execute("PRAGMA integrity_check").fetchall()
        connection.close()
        assert announced <= stored, f"seed {seed}: missing {announced - stored}"
        assert integrity == [("ok",)]
        agent.start()
        assert agent.stop() == 0


@pytest.mark.fault(3)
def test_killed_daemon_takes_a_pushing_child_along(tmp_path: Path) -> None:
    """kill -9 of the daemon while its child waits for a silent receiver: the child is gone within 5 s (J4)."""
    with receiver(tmp_path / "receiver") as cloud, running_agent(tmp_path, cloud, delivery__retry_for="1m") as agent:
        agent.link()
        cloud.control(mode="blackhole", calls=["batches"])
        agent.start()
        agent.wait(lambda: [line for line in cloud.log() if line["call"] == "batches"])
        assert len(agent.processes()) == 2
        agent.kill()
        wait_until(lambda: not agent.processes(), 5)


def test_killed_daemon_takes_java_along(tmp_path: Path) -> None:
    """kill -9 of the daemon while jmxquery's Java waits for a silent JVM: the Java is gone within 5 s (J4)."""
    require("java")
    long = {"sampling__interval": "2m", "sampling__deadline": "1m", "hour__length": "1h"}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with running_agent(tmp_path, jmx__enabled=True, jmx__transport="jmxquery", jmx__port=port, **long) as agent:
            agent.start(ticks=0)
            agent.wait(lambda: any("java" in process.name() for process in agent.processes()))
            agent.kill()
            wait_until(lambda: not agent.processes(), 5)
