"""A full disk under a running daemon: ticks wait in memory, the outbox drains, nothing acknowledged is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.store import reserve
from tests.support.agent import RunningAgent, arrived, running_agent
from tests.support.cloud import receiver
from tests.support.mounts import small_disk


def fill_up(folder: Path) -> Path:
    """A file that takes every byte of the file system."""
    path = folder / "somebody-elses-file"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for size in (1 << 20, 1 << 16, 1 << 12):
            try:
                while True:
                    os.write(handle, b"x" * size)
            except OSError:
                continue
    finally:
        os.close(handle)
    return path


def sound(agent: RunningAgent) -> bool:
    """Whether the store is whole."""
    return agent.query("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.fault(14)
def test_ticks_wait_in_memory_while_the_disk_is_full(tmp_path: Path) -> None:
    """While the disk is full ticks are kept in memory and said once; with room again all of them are stored."""
    state = tmp_path / "agent" / "state"
    state.mkdir(parents=True)
    with small_disk(state, "size=6m"), running_agent(tmp_path / "agent", hour__length="1h") as agent:
        agent.start(ticks=2)
        ballast = fill_up(state)
        agent.wait(lambda: agent.log_lines("store.failed"))
        agent.wait(lambda: len(lost(agent)) >= 4)
        (line,) = agent.log_lines("store.failed")
        assert "disk is full" in line["why"]
        assert line["do"]
        assert agent.problem("The disk is full")
        kept = agent.stored_ticks()
        assert {number for (number,) in agent.query("SELECT number FROM tick")} >= set(kept)
        waiting = len(lost(agent))
        ballast.unlink()
        agent.wait(lambda: agent.log_lines("store.healed"))
        assert len(agent.log_lines("store.healed")) == 1
        assert agent.problem("The disk is full") is None
        assert agent.stop() == 0
        count = agent.query("SELECT count(*) FROM tick")[0][0]
        assert count == len(agent.log_lines("tick.finished"))
        assert count >= len(kept) + waiting
        assert agent.query("SELECT count(*) FROM loss") == [(0,)]
        assert sound(agent)


@pytest.mark.fault(14)
def test_a_daemon_that_starts_on_a_full_disk_drains_first(tmp_path: Path) -> None:
    """With the reserve spent no tick can be stored, so the hourly run does not wait for one: it is what makes room."""
    state = tmp_path / "agent" / "state"
    state.mkdir(parents=True)
    with (
        small_disk(state, "size=8m"),
        receiver(tmp_path / "receiver") as cloud,
        running_agent(tmp_path / "agent", cloud) as agent,
    ):
        agent.link()
        cloud.kill()
        agent.start()
        agent.wait(lambda: agent.query("SELECT 1 FROM batch WHERE state = 'waiting'"))
        agent.wait(lambda: (state / reserve.FILE_NAME).exists())
        assert agent.stop() == 0
        (state / reserve.FILE_NAME).unlink()
        waiting = {row[0] for row in agent.query("SELECT id FROM batch WHERE state = 'waiting'")}
        ballast = fill_up(state)
        os.truncate(ballast, ballast.stat().st_size - 512 * 1024)  # some room, and kept for deliveries
        assert reserve.spent(state)
        cloud.start()
        agent.start(ticks=0)
        agent.wait(lambda: waiting <= cloud.stored())
        assert agent.problem("The disk is full")
        ballast.unlink()
        agent.wait_ticks(2)
        agent.wait(lambda: agent.status()["exitCode"] == 0)
        assert agent.stop() == 0
        assert sound(agent)


def lost(agent: RunningAgent) -> list[dict[str, object]]:
    """Ticks that could not be stored when they were taken."""
    return [line for line in agent.log_lines("tick.finished") if not line["stored"]]


@pytest.mark.fault(14)
def test_outbox_drains_on_a_full_disk(tmp_path: Path) -> None:
    """What waits is delivered although nothing can be written: deleting needs no room of its own (the reserve)."""
    state = tmp_path / "agent" / "state"
    state.mkdir(parents=True)
    with (
        small_disk(state, "size=8m"),
        receiver(tmp_path / "receiver") as cloud,
        running_agent(tmp_path / "agent", cloud) as agent,
    ):
        agent.link()
        agent.start()
        agent.wait(lambda: arrived(cloud))
        assert (state / reserve.FILE_NAME).exists()
        cloud.kill()
        # A failed run first: the last request before the kill may still be about to be acknowledged.
        agent.wait(lambda: agent.log_lines("delivery.failed"))
        agent.wait(lambda: agent.query("SELECT 1 FROM batch WHERE state = 'waiting'"))
        ballast = fill_up(state)
        agent.wait(lambda: agent.log_lines("store.failed"))
        waiting = {row[0] for row in agent.query("SELECT id FROM batch WHERE state = 'waiting'")}
        assert waiting
        cloud.start()
        agent.wait(lambda: waiting <= cloud.stored())
        ballast.unlink()
        agent.wait(lambda: agent.log_lines("store.healed"))
        agent.wait(lambda: agent.status()["exitCode"] == 0)
        assert agent.stop() == 0
        assert sound(agent)
        agent.run("deliver")
        closed = {row[0] for row in agent.query("SELECT DISTINCT start_s FROM hour")}
    windows = [(one["window"]["start"], one["window"]["revision"]) for one in arrived(cloud)]
    assert len(windows) == len(set(windows))
    assert len({start for start, _ in windows}) == len(closed)
