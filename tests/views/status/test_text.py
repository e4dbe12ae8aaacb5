"""The words of `status`, from a view that was read already."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from agent.model import Outcome
from agent.settings import Mode
from agent.store.thresholds import ThresholdStatus
from agent.views.status import StatusView, render_status
from agent.views.status.view import FailureRow, LinkAbsent, NoLink, SourceStatus
from tests.support.words import flat

NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
WELL = StatusView(NOW, "jira", Mode.OFFLINE, "1.0", running=True, link=LinkAbsent(NoLink.NOT_LINKED))
USERS = ThresholdStatus(
    "jira.guardrail.users", "approaching", 80_000, 75_000, 100_000, "https://example.com/limits", NOW, "exact"
)


def source(*failures: tuple[str, str]) -> SourceStatus:
    """One source that is well, with (metric, reason) of what is missing."""
    missing = tuple(FailureRow(metric, reason, "") for metric, reason in failures)
    return SourceStatus("jmx", Outcome.OK, NOW, 9, 0.1, NOW, missing)


def test_guardrails_that_stand_out_are_no_fault_of_the_agent() -> None:
    """Above a threshold the last line says whose affair that is; without one all is well."""
    assert "All is well." in render_status(replace(WELL, guardrails=(replace(USERS, level="optimal"),)))
    text = render_status(replace(WELL, guardrails=(USERS,)))
    assert "All is well." not in text
    assert "The agent is well; the guardrails above are the product's." in text


def test_what_the_product_does_not_have_is_counted() -> None:
    """An absent feature is a number, what fails is named, what is not due is neither."""
    found = source(("pool.dbcp.active", "not-present"), ("jvm.threads", "timeout"), ("event.x", "not-due"))
    text = flat(render_status(replace(WELL, sources=(found,))))
    assert "0.1 s; 1 it does not have" in text
    assert "without: jvm.threads (timeout)" in text
    assert "pool.dbcp.active" not in text
