"""kill -9 at any moment: what was announced as stored is stored, and nothing is left behind."""

from __future__ import annotations

import random
import sqlite3
import time
from pathlib import Path

import pytest

from tests.support.agent import running_agent
from tests.support.cloud import wait_until

KILLS = 10


@pytest.mark.fault(1)
def test_no_announced_tick_is_missing_after_ten_kills(tmp_path: Path) -> None:
    """After ten kills at random moments every tick that the log called stored is there, and no child lives on (J4)."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    with running_agent(tmp_path, hour__length="1h") as agent:
        for _ in range(KILLS):
            agent.start(ticks=0)
            time.sleep(moments.uniform(0.1, 2.5))  # the moment itself is what is tried
            agent.kill()
            wait_until(lambda: not agent.processes(), 5)
        announced = set(agent.stored_ticks())
        assert announced, agent.log_text()
        connection = sqlite3.connect(f"file:{agent.state / 'agent.sqlite3'}?mode=ro", uri=True)
        stored = {number for (number,) in connection.execute("SELECT number FROM tick")}
        integrity = connection.execute("PRAGMA integrity_check").fetchall()
        connection.close()
        assert announced <= stored, f"seed {seed}: missing {announced - stored}"
        assert integrity == [("ok",)]
        agent.start()
        assert agent.stop() == 0
