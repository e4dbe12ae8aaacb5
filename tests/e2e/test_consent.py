"""Consent and deliveries by hand beside a daemon that runs."""

from __future__ import annotations

import json
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


def test_lowered_consent_holds_for_what_waits(tmp_path: Path, cloud: Receiver) -> None:
    """What was sealed under Extended and waits for a dead cloud arrives as Basic once consent is lowered."""
    with running_agent(tmp_path, cloud) as agent:
        agent.link("extended")
        cloud.kill()
        agent.start()
        agent.wait(lambda: agent.query("SELECT 1 FROM batch WHERE state = 'waiting' AND level = 'extended'"))
        done = agent.run("consent", "set", "basic", "--yes")
        assert done.returncode == 0, done.stderr
        cloud.start()
        agent.wait(lambda: len(arrived(cloud)) >= 2)
        agent.wait(lambda: agent.query("SELECT 1 FROM batch WHERE state = 'replaced'"))
        assert agent.stop() == 0
        bodies = agent.query("SELECT count(*) FROM batch WHERE level = 'extended' AND body IS NOT NULL")
    assert {one["consent"]["level"] for one in arrived(cloud)} == {"basic"}
    assert bodies == [(0,)]


def test_delivery_by_hand_beside_the_daemons_own(tmp_path: Path, cloud: Receiver) -> None:
    """A second delivery run says that one is at work (exit 13) and disturbs nothing."""
    with running_agent(tmp_path, cloud) as agent:
        agent.link()
        cloud.control(mode="blackhole", calls=["batches"])
        agent.start()
        agent.wait(lambda: [line for line in cloud.log() if line["call"] == "batches"])
        done = agent.run("deliver")
        assert done.returncode == 13
        assert "Another delivery run is at work." in done.stderr
        assert "Do:" in done.stderr
        assert agent.stop() == 0
        cloud.control()
        report = json.loads(agent.run("deliver", "--json").stdout)
        assert report["batchesWaiting"] == 0
        assert len(arrived(cloud)) == report["batchesAcknowledged"] >= 1
