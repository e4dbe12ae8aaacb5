"""A lasting fault makes few lines."""

from __future__ import annotations

import logging

import pytest

from agent.runtime.resident.faults import REMINDER_S, FaultLog

LOG = logging.getLogger("agent.test-faults")


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The events written so far."""
    return [record.getMessage() for record in caplog.records]


def test_told_at_first_hourly_and_when_healed(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of three hours makes one line, hourly reminders with the count, and one line when it heals (G11)."""
    caplog.set_level(logging.INFO, "agent.test-faults")
    faults = FaultLog(LOG)
    for minute in range(0, 181, 2):
        faults.failed("source.jmx", "refused", minute * 60.0, why="closed port", do="open it")
    faults.works("source.jmx", 182 * 60.0)
    faults.works("source.jmx", 184 * 60.0)
    assert events(caplog) == ["source.jmx.failed", *["source.jmx.still_failing"] * 3, "source.jmx.healed"]
    first, healed = caplog.records[0], caplog.records[-1]
    assert first.__dict__["facts"] == {"reason": "refused", "why": "closed port", "do": "open it"}
    assert healed.__dict__["facts"]["times"] == 91
    assert healed.__dict__["facts"]["for_s"] == 182 * 60


def test_another_cause_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """When the cause changes that is news; subjects do not disturb each other."""
    caplog.set_level(logging.INFO, "agent.test-faults")
    faults = FaultLog(LOG)
    faults.failed("a", "refused", 0.0, why="", do="")
    faults.failed("b", "refused", 1.0, why="", do="")
    faults.failed("a", "timeout", 2.0, why="", do="")
    faults.failed("a", "timeout", 3.0, why="", do="")
    assert events(caplog) == ["a.failed", "b.failed", "a.failed"]
    assert REMINDER_S == 3600
