"""The hourly child: one at a time, ended when it hangs, told nothing it need not know."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from agent.runtime.resident.child import DAEMON, GRACE_S, HourlyChild
from tests.support.cloud import wait_until


@pytest.fixture
def hanging(tmp_path: Path) -> HourlyChild:
    """A child that never ends by itself."""
    child = HourlyChild(tmp_path / "agent.toml", 0.0)
    child._command = ["sleep", "1000"]
    return child


@pytest.mark.fault(71)
def test_child_that_hangs_is_ended(hanging: HourlyChild, caplog: pytest.LogCaptureFixture) -> None:
    """A child that outstays its retry time and the grace is ended and said; the next one may start."""
    caplog.set_level(logging.INFO, "agent.daemon")
    hanging.start(1000.0)
    hanging.watch(1000.0 + GRACE_S - 1)
    assert hanging.running()
    hanging.watch(1000.0 + GRACE_S + 1)
    assert not hanging.running()
    assert [record.getMessage() for record in caplog.records] == ["deliver.hung"]


def test_stop_ends_it_even_when_it_does_not_listen(hanging: HourlyChild) -> None:
    """SIGTERM first; a child that is stopped and cannot listen is killed after a few seconds."""
    hanging.start(0.0)
    assert hanging._process is not None
    os.kill(hanging._process.pid, signal.SIGSTOP)
    began = time.monotonic()
    hanging.stop()
    assert not hanging.running()
    assert time.monotonic() - began < 8


def test_environment_holds_no_secret(hanging: HourlyChild, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child gets a few named variables and its daemon's id, whatever the daemon's environment holds."""
    monkeypatch.setenv("SOME_TOKEN", "canary-environment")
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    hanging.start(0.0)
    try:
        assert hanging._process is not None
        process = psutil.Process(hanging._process.pid)
        wait_until(lambda: process.name() == "sleep")
        environment = process.environ()
        assert set(environment) <= {"PATH", "LANG", "LC_ALL", "TZ", "CREDENTIALS_DIRECTORY", "TMPDIR", DAEMON}
        assert environment[DAEMON] == str(os.getpid())
    finally:
        hanging.stop()


def test_missing_program_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When no child can be started the daemon goes on and says why."""
    child = HourlyChild(tmp_path / "agent.toml", 0.0)
    child._command = [str(tmp_path / "no-such-program")]
    child.start(0.0)
    assert not child.running()
    assert [record.getMessage() for record in caplog.records] == ["deliver.not_started"]
