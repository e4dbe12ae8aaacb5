"""The words of `status`, from a Health that was read already."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agent.views.health import Health
from agent.views.health_text import render_health

NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)


def health(**facts: Any) -> Health:
    """An offline agent that runs and lacks nothing, but for `facts`."""
    return Health(NOW, "jira", "offline", running=True, link={"state": "not linked"}, **facts)


def source(*failures: tuple[str, str]) -> dict[str, Any]:
    """One source that is well, with (metric, reason) of what is missing."""
    missing = [{"metric": metric, "reason": reason, "detail": ""} for metric, reason in failures]
    return {"name": "jmx", "outcome": "ok", "since": NOW, "samples": 9, "tookS": 0.1, "failures": missing}


def test_guardrails_that_stand_out_are_no_fault_of_the_agent() -> None:
    """Above a threshold the last line says whose affair that is; without one all is well."""
    near = {"metric": "jira.guardrail.users", "level": "approaching", "value": 80_000, "warn": 75_000, "limit": 100_000}
    near |= {"hour": NOW, "method": "exact", "source": "https://example.com/limits"}
    assert "All is well." in render_health(health(guardrails=[near | {"level": "optimal"}]))
    text = render_health(health(guardrails=[near]))
    assert "All is well." not in text
    assert "The agent is well; the guardrails above are the product's." in text


def test_what_the_product_does_not_have_is_counted() -> None:
    """An absent feature is a number, what fails is named, what is not due is neither."""
    found = source(("pool.dbcp.active", "not-present"), ("jvm.threads", "timeout"), ("event.x", "not-due"))
    text = render_health(health(sources=[found]))
    assert "0.1 s; 1 it does not have" in text
    assert "without: jvm.threads (timeout)\n" in text
    assert "pool.dbcp.active" not in text
