"""The shared home's server goes away: the daemon goes on, says so, and is itself again when the server is back."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.store.source_states import source_states
from tests.support.agent import RunningAgent, running_agent
from tests.support.hung_mount import hung_mount


def host_reasons(agent: RunningAgent) -> set[str]:
    """Why host figures are missing at present."""
    with agent.store() as store:
        (state,) = [one for one in source_states(store) if one.source == "host"]
    return {reason for _, reason, _ in state.failures}


@pytest.mark.fault(96)
def test_daemon_beside_a_hung_shared_home(tmp_path: Path) -> None:
    """Mounted over a running agent, a file system that never answers: ticks go on with processor, memory and the local
    disk, status names the folder and what to run, SIGTERM is obeyed at once, a start works too, and all heals when it
    answers."""
    with running_agent(tmp_path, sampling__interval="1s", sampling__deadline="900ms", hour__length="1h") as agent:
        agent.start(ticks=2)
        with hung_mount(agent.shared_home):
            agent.wait(lambda: "hung" in host_reasons(agent))
            agent.wait_ticks(3)
            with agent.store() as store:
                (host,) = [one for one in source_states(store) if one.source == "host"]
            assert host.outcome.value == "partial"
            assert host.samples > 20
        agent.wait(lambda: "hung" not in host_reasons(agent))
        with hung_mount(agent.shared_home):
            agent.wait(lambda: "hung" in host_reasons(agent))
            assert agent.stop(10) == 0
            agent.start(ticks=2)  # the hourly child hangs where no signal reaches it
            assert agent.stop(15) == 0
        problem = next(one for one in agent.status()["problems"] if "hangs" in one["why"])
        assert str(agent.shared_home) in problem["why"]
        assert problem["do"].startswith("Run: ")
