"""The cloud goes away and comes back: every hour arrives, none twice, oldest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agent import arrived, running_agent
from tests.support.cloud import Receiver, receiver


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Receiver]:
    """A running reference receiver."""
    with receiver(tmp_path / "receiver") as running:
        yield running


@pytest.mark.fault(71)
def test_killed_receiver_loses_no_hour_and_gets_none_twice(tmp_path: Path, cloud: Receiver) -> None:
    """The receiver is killed for two hours in the middle: all hours arrive once, oldest first; nothing waits (G3)."""
    with running_agent(tmp_path, cloud) as agent:
        agent.link()
        agent.start()
        agent.wait(lambda: arrived(cloud))
        cloud.kill()
        before = len(agent.log_lines("hour.closed"))
        agent.wait(lambda: len(agent.log_lines("hour.closed")) >= before + 3)
        down = agent.status()
        assert down["exitCode"] == 3
        (problem,) = [one for one in down["problems"] if one["what"].startswith("Pushes fail since")]
        assert "refused" in problem["why"]
        assert problem["do"]
        cloud.start()
        agent.wait(lambda: len(arrived(cloud)) >= before + 4)
        assert agent.stop() == 0
        assert agent.run("deliver").returncode == 0
        closed = agent.query("SELECT DISTINCT start_s FROM hour ORDER BY start_s")
        waiting = agent.status()["waiting"]["batches"]
    documents = arrived(cloud)
    windows = Counter((one["window"]["start"], one["window"]["revision"], one.get("part", "")) for one in documents)
    assert set(windows.values()) == {1}
    assert len({one["window"]["start"] for one in documents}) == len(closed)
    starts = [one["window"]["start"] for one in documents]
    assert starts == sorted(starts)
    assert waiting == 0
    shas: dict[str, set[str]] = {}
    for line in cloud.log():
        if line["call"] == "batches":
            shas.setdefault(line["id"], set()).add(line["sha256"])
    assert {len(found) for found in shas.values()} == {1}
