"""`preview`: the bytes of an hour before they leave; of the open hour too, and nothing is stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.errors import Degraded
from agent.model import ConsentLevel, hour_of
from agent.store import open_store, outbox
from agent.store.hours import closed_hours
from agent.views.preview import SO_FAR, STAYS, read_preview
from tests.support.site import Agent, link_as, make_site

NOON = datetime(2026, 11, 26, 12, 30, tzinfo=UTC)


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """An agent that never ran and is not linked."""
    return make_site(tmp_path)


def test_the_open_hour_is_what_closing_it_would_seal(agent: Agent) -> None:
    """The document of `--now` is, byte for byte, what is sealed when no further tick comes; the look stores nothing."""
    link_as(agent, ConsentLevel.BASIC)
    for minute in (0, 2, 4):
        agent.tick(heap=1000 + minute, at=NOON + timedelta(minutes=minute))
    view = read_preview(agent.settings, datetime.now(UTC), so_far=True)
    with_store = open_store(agent.settings.agent.state_dir, read_only=True)
    assert (closed_hours(with_store), outbox.rows(with_store)) == ([], [])
    with_store.close()
    assert [batch.state for batch in view.batches] == [SO_FAR]
    agent.json("deliver", "--no-push")
    (sealed,) = read_preview(agent.settings, datetime.now(UTC)).batches
    assert json.loads(view.batches[0].document)["entries"] == json.loads(sealed.document)["entries"]
    assert (view.window.start, view.batches[0].batch_id) == (hour_of(NOON, 3600).start, sealed.batch_id)


def test_before_linking_it_shows_what_basic_would_send(agent: Agent) -> None:
    """Unlinked: Basic, and Extended when asked for; nothing says that it would stay."""
    agent.tick()
    for level in (None, ConsentLevel.EXTENDED):
        view = read_preview(agent.settings, datetime.now(UTC), level, so_far=True)
        assert view.level == (level or ConsentLevel.BASIC)
        assert [batch.state for batch in view.batches] == [SO_FAR]


def test_what_was_measured_before_consent_stays(agent: Agent) -> None:
    """A tick from before the link is shown with what becomes of it: nothing."""
    agent.tick(at=NOON)
    link_as(agent, ConsentLevel.BASIC, NOON + timedelta(minutes=1))
    view = read_preview(agent.settings, datetime.now(UTC), so_far=True)
    assert {batch.state for batch in view.batches} <= {STAYS}


@pytest.mark.parametrize("so_far", [True, False])
def test_nothing_measured_says_what_to_do(agent: Agent, so_far: bool) -> None:
    """No store, or one without a tick: what to start, not a missing file."""
    for _ in range(2):
        with pytest.raises(Degraded) as caught:
            read_preview(agent.settings, datetime.now(UTC), so_far=so_far)
        assert "systemctl start portfolio-agent" in caught.value.do
        open_store(agent.settings.agent.state_dir).close()


def test_each_points_to_the_other(agent: Agent) -> None:
    """Before the first hour closes `preview` names `--now`; with every tick counted `--now` names `preview`."""
    agent.tick(at=NOON)
    with pytest.raises(Degraded) as caught:
        read_preview(agent.settings, datetime.now(UTC))
    assert caught.value.do.endswith("portfolio-agent preview --now")
    assert agent.run("preview", "--now").code == 0
    agent.json("deliver", "--no-push", code=0)
    with pytest.raises(Degraded) as caught:
        read_preview(agent.settings, datetime.now(UTC), so_far=True)
    assert caught.value.do.endswith("portfolio-agent preview")
    assert agent.run("preview").code == 0


def test_difference_and_now_do_not_go_together(agent: Agent) -> None:
    """Said, rather than one of the two left out silently."""
    done = agent.run("preview", "--now", "--diff")
    assert done.code == 2
    assert "do not go together" in done.err
