"""`explain`: one metric, its values, what leaves of it, its hours, and why it is missing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.errors import UsageError
from agent.model import ConsentLevel, Failure, Outcome, Sample, Series, SourceReport, Tick
from agent.reasons import REASONS
from agent.store import open_store
from agent.store.costs import QueryCost, save_costs
from agent.store.ticks import TickWriter
from agent.system.clock import SystemClock
from agent.views.explain import ExplainView, read_explanation, render_explanation
from agent.views.reason_words import REASON_WORDS
from tests.support.agent import running_agent
from tests.support.site import Agent, link_as, make_site

ISSUES = "jira.guardrail.issues"
HEAP = "jvm.memory.heap.used"


def explained(agent: Agent, name: str, *, live: bool = False) -> ExplainView:
    """What `explain` says now."""
    return read_explanation(agent.settings, name, SystemClock().now(), live=live)


def store(agent: Agent, at: datetime, samples: tuple[Sample, ...], *reports: SourceReport) -> None:
    """One tick as the daemon stores it."""
    opened = open_store(agent.settings.agent.state_dir)
    TickWriter(opened, agent.settings.hour.length_s).append(Tick(at, samples, reports))
    opened.close()


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """An agent that never ran, linked under Basic."""
    site = make_site(tmp_path)
    link_as(site, ConsentLevel.BASIC)
    return site


def test_every_reason_has_words() -> None:
    """A reason that may stand in an answer is explained, and nothing else is; each sentence ends."""
    assert set(REASON_WORDS) == REASONS
    assert all(words.what.endswith(".") for words in REASON_WORDS.values())


def test_a_value_with_its_time_its_hours_and_what_leaves(agent: Agent) -> None:
    """The newest tick's value, its number, the closed hour before it, the statement of this site, the verdict."""
    now = datetime.now(UTC)
    agent.tick(heap=1000, at=now - timedelta(hours=2))
    agent.tick(heap=2000)
    agent.json("deliver", "--no-push")
    view = explained(agent, HEAP)
    (value,) = view.values
    assert (value.value, value.sent, value.tick, view.missing, view.exit_code) == (2000, True, 2, None, 0)
    (hour,) = view.hours
    assert (hour.figures["last"], hour.samples) == (1000, 1)
    assert view.read_from == ("MBean java.lang:type=Memory HeapMemoryUsage.used",)
    text = render_explanation(view)
    assert "2,000 By" in text
    assert "leaves with its hour" in text
    assert re.search(r"last 1,000 \(1 of \d+ samples", re.sub(r"\s+", " ", text))


def test_what_consent_hashes_is_named(agent: Agent) -> None:
    """A value whose tag leaves as a hash only says so, and shows no name that is not stored."""
    series = Series("apps", "app.installed", (("pluginKey", "com.example.public"),))
    store(agent, datetime.now(UTC), (Sample(series, "1.2"),), SourceReport("apps", Outcome.OK, 1))
    (value,) = explained(agent, "app.installed").values
    assert value.hashed == ("pluginKey",)
    assert "only as keyed hash: pluginKey" in render_explanation(explained(agent, "app.installed"))


@pytest.mark.parametrize(
    ("reports", "reason", "words"),
    [
        (
            (SourceReport("jmx", Outcome.FAILED, 0, (Failure("", "refused"),), 0.1, "Port 1.", "Start it."),),
            "refused",
            "Start it.",
        ),
        (
            (SourceReport("jmx", Outcome.PARTIAL, 1, (Failure(HEAP, "not-present", "no such bean"),)),),
            "not-present",
            "no such bean",
        ),
        ((SourceReport("jmx", Outcome.OK, 1),), "not-seen", "not in the answer"),
    ],
)
def test_why_it_is_missing(agent: Agent, reports: tuple[SourceReport, ...], reason: str, words: str) -> None:
    """The source's own words where it has some: for all, for this metric, or for nobody."""
    store(agent, datetime.now(UTC), (), *reports)
    view = explained(agent, HEAP)
    assert view.missing is not None
    assert (view.missing.reason, view.values, view.exit_code) == (reason, (), 1)
    assert words in " ".join(render_explanation(view).split())


def test_an_older_value_stands_beside_why_it_is_missing_now(agent: Agent) -> None:
    """A count that is not due keeps its last value with its time, and says when it runs again."""
    now = datetime.now(UTC)
    series = Series("guardrails", ISSUES)
    store(agent, now - timedelta(minutes=4), (Sample(series, 7),), SourceReport("guardrails", Outcome.OK, 1))
    late = SourceReport("guardrails", Outcome.PARTIAL, 0, (Failure(ISSUES, "not-due", "its last run took 24 s"),))
    store(agent, now, (), late)
    opened = open_store(agent.settings.agent.state_dir)
    with opened.transaction() as connection:
        save_costs(connection, [QueryCost("issues", ISSUES, now - timedelta(minutes=4), 24.0, 2400.0)])
    opened.close()
    view = explained(agent, ISSUES)
    assert [value.value for value in view.values] == [7]
    assert view.missing is not None
    assert view.missing.reason == "not-due"
    assert view.cost is not None
    assert view.cost.due - view.cost.last_run == timedelta(seconds=2400)
    text = render_explanation(view)
    assert "Now it is missing" in text
    assert "at most every 40 minutes" in text


def test_nothing_yet_off_and_not_yet_happened(agent: Agent) -> None:
    """Before the first tick, with its source off, and for an event: three reasons, each with what to do if anything."""
    nothing = explained(agent, HEAP).missing
    assert nothing is not None
    assert (nothing.reason, "systemctl start" in nothing.do) == ("no-tick", True)
    agent.tick()
    off = explained(agent, "clientside.requests").missing
    assert off is not None
    assert (off.reason, "[clientside] install" in off.do) == ("off", True)
    event = explained(agent, "event.app.installed").missing
    assert event is not None
    assert (event.reason, event.do) == ("no-event", "")


@pytest.mark.parametrize(
    "name", ["heap.used", "jvm.memory.*", "jvm.memory.heap.usd", "JVM.memory.heap.used", "nonsense", ""]
)
def test_an_unknown_name_names_those_like_it(agent: Agent, name: str) -> None:
    """A part, a pattern, a slip: the metric that was meant is named, and the command that shows it works."""
    with pytest.raises(UsageError) as caught:
        explained(agent, name)
    if name == "nonsense":
        assert caught.value.do == "See them all: portfolio-agent catalog show"
    else:
        assert agent.run(*caught.value.do.removeprefix("Run: portfolio-agent ").split()).code in (0, 1)
        assert not name or "jvm.memory.heap" in caught.value.why


def test_read_now(tmp_path: Path) -> None:
    """`--now` asks the metric's own source, on a real database, and stores nothing."""
    with running_agent(tmp_path, sampling__interval="1m", sampling__deadline="30s", hour__length="1h") as agent:
        view = read_explanation(agent.settings, ISSUES, SystemClock().now(), live=True)
        assert agent.database.sqlite_file is not None
        agent.database.sqlite_file.rename(tmp_path / "aside")
        gone = read_explanation(agent.settings, ISSUES, SystemClock().now(), live=True)
        assert not list(agent.state.glob("agent.sqlite3*"))
    (value,) = view.values
    assert (value.tick, view.missing, view.dialect) == (None, None, "sqlite")
    assert isinstance(value.value, int)
    assert value.value > 0
    assert gone.missing is not None
    assert gone.missing.do
    assert gone.exit_code == 1


def test_an_event_cannot_be_read_now(agent: Agent) -> None:
    """What is noticed between hours has no source to ask."""
    with pytest.raises(UsageError, match="not read but noticed"):
        explained(agent, "event.app.installed", live=True)


def test_it_fits_80_columns(agent: Agent) -> None:
    """All but addresses and statements, which are shown whole."""
    agent.tick()
    for name in (HEAP, ISSUES, "app.installed", "event.app.installed", "jira.guardrail.comments.per_issue.max"):
        text = render_explanation(explained(agent, name)).partition("\nStatement ")[0]
        assert [line for line in text.splitlines() if len(line) > 80 and "https://" not in line] == []
