"""`sample`: one tick shown with its verdicts, stored nowhere."""

from __future__ import annotations

import re
from pathlib import Path

from agent.views.sample import read_sample, render_sample
from tests.support.agent import running_agent


def test_sample_shows_verdicts_and_stores_nothing(tmp_path: Path) -> None:
    """Each value has source, consent class and whether it would be sent; no store is made."""
    with running_agent(tmp_path, sampling__interval="1m", sampling__deadline="30s", hour__length="1h") as agent:
        view = read_sample(agent.settings)
        assert not agent.state.exists() or not list(agent.state.glob("agent.sqlite3*"))
    # The folders of this home are empty: what is not there is no row.
    assert {row.source for row in view.samples} == {"host", "guardrails", "apps", "flags", "links", "nodes", "home"}
    assert all(row.consent in ("none", "basic", "extended") and row.rule is not None for row in view.samples)
    assert any(row.sent for row in view.samples)
    assert view.exit_code == 0
    text = render_sample(view)
    assert "Nothing was stored or sent." in text
    assert "jira.guardrail.issues" in text
    (server,) = [row for row in view.samples if row.metric == "instance.server_id"]
    assert (server.sent, server.hashed) == (True, ("value",))
    assert "would be sent; value only as keyed hash" in text
    assert any(row.attributes for row in view.samples if row.metric == "app.installed")
    (line,) = [line for line in text.splitlines() if "jira.guardrail.issues " in line]
    assert re.match(r"  jira\.guardrail\.issues +\d+ \{issue\} basic", line[:80]), "the first 80 columns say what it is"


def test_sample_with_a_dead_source_says_what_to_do(tmp_path: Path) -> None:
    """A source that fails makes exit code 1 and stands in the text with its cause and what to do."""
    with running_agent(tmp_path, sampling__interval="1m", sampling__deadline="30s", hour__length="1h") as agent:
        assert agent.database.sqlite_file is not None
        agent.database.sqlite_file.rename(tmp_path / "aside")
        view = read_sample(agent.settings)
    assert view.exit_code == 1
    text = render_sample(view)
    assert "guardrails: failed" in text
    assert "Do: " in text
