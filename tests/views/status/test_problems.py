"""What `status` tells: every problem with what to do, the gravest one's exit code, and never a false "all is well"."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.link.record import LinkRecord, read_link
from agent.model import Failure, Outcome, SourceReport, Tick
from agent.store import InstanceLock, delivery_state, open_store, outbox
from agent.store.delivery_state import DeliveryState
from agent.store.losses import count_loss
from agent.store.ticks import TickWriter
from agent.views.status import StatusView, read_status, render_status
from agent.views.status.view import LinkPresent
from tests.support.batches import batch, hour
from tests.support.clock import HandClock, moment_at
from tests.support.cloud import KEY, Receiver, receiver
from tests.support.site import Agent, make_site
from tests.support.words import flat


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A running reference receiver."""
    with receiver(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture
def linked(tmp_path: Path, cloud: Receiver) -> Iterator[Agent]:
    """A linked agent whose daemon runs and stored a tick just now."""
    text = f'endpoint = "{cloud.settings.endpoint}"\nca_file = "{cloud.settings.ca_file}"'
    agent = make_site(tmp_path, cloud=text)
    done = agent.run("link", "--consent", "basic", "--yes", key=KEY.reveal() + "\n")
    assert done.code == 0, done.err
    agent.tick()
    lock = InstanceLock(agent.settings.agent.state_dir)
    yield agent
    lock.release()


def status_of(agent: Agent, now: datetime | None = None) -> StatusView:
    """The status now; every problem it has says what to do and is printed."""
    view = read_status(agent.settings, moment_at(now or datetime.now(UTC)))
    text = render_status(view)
    for problem in view.problems:
        assert problem.what
        assert problem.do
        assert flat(problem.what) in flat(text)
        assert flat(problem.do) in flat(text)
    assert ("All is well." in text) == (not view.problems)
    return view


def link_of(agent: Agent) -> LinkRecord:
    """The link in force."""
    record = read_link(agent.settings.link_dir)
    assert record is not None
    return record


def test_all_is_well(linked: Agent) -> None:
    """Linked, running, a fresh tick, nothing waits: 0, and the text says so."""
    view = status_of(linked)
    assert (view.exit_code, view.problems) == (0, ())
    assert isinstance(view.link, LinkPresent)
    assert view.link.organisation == "Example Organisation"
    assert KEY.reveal() not in render_status(view)


def test_never_ran_and_not_linked(tmp_path: Path) -> None:
    """Before the first run: exit 4, and what to start and to link."""
    view = status_of(make_site(tmp_path))
    assert view.exit_code == 4
    assert {problem.what for problem in view.problems} == {
        "Not linked: nothing is sent.",
        "The agent has not run yet.",
    }


def test_dead_daemon(tmp_path: Path) -> None:
    """Nobody holds the lock: exit 1 offline, and where to look."""
    agent = make_site(tmp_path, mode="offline")
    agent.tick()
    view = status_of(agent)
    assert view.exit_code == 1
    assert "The agent is not running." in [problem.what for problem in view.problems]


def test_stale_tick(linked: Agent) -> None:
    """A daemon that runs without storing ticks is not well."""
    view = status_of(linked, datetime.now(UTC) + timedelta(seconds=10))
    assert view.exit_code == 1
    assert [problem.what for problem in view.problems] == ["No fresh tick."]


def test_failing_source(linked: Agent) -> None:
    """A dead source is named with its own words and when it last answered."""
    report = SourceReport("jmx", Outcome.FAILED, 0, (Failure("", "refused"),), 0.1, "Nobody listens.", "Start it.")
    store = open_store(linked.settings.agent.state_dir)
    TickWriter(store, 3600).append(Tick(datetime.now(UTC), (), (report,)))
    store.close()
    (problem,) = status_of(linked).problems
    assert problem.what.startswith("jmx gives nothing (last answered ")
    assert (problem.why, problem.do, problem.exit_code) == ("Nobody listens.", "Start it.", 1)


def test_what_a_source_does_not_give_and_a_person_can_mend(linked: Agent) -> None:
    """One cause is one problem, whatever its reason, with the words behind "Do:"; a cause without them is none. Of
    several logs the one that is not read is named and is no problem."""
    told = "The log is of another form. Do: Restart the product."
    failures = (
        Failure("clientside.requests", "mostly-unread", told),
        Failure("clientside.response.p50", "mostly-unread", told),
        Failure("clientside.response.p95", "too-coarse", "whole seconds"),
        Failure("", "passed-over", "Engine is read. Not read: Host: it says the same"),
    )
    store = open_store(linked.settings.agent.state_dir)
    report = SourceReport("clientside", Outcome.PARTIAL, 3, failures, 0.1)
    TickWriter(store, 3600).append(Tick(datetime.now(UTC), (), (report,)))
    store.close()
    view = status_of(linked)
    (problem,) = view.problems
    assert problem.what == "clientside does not give clientside.requests and 1 more."
    assert (problem.why, problem.do) == ("The log is of another form.", "Restart the product.")
    assert "passed-over: Engine is read. Not read: Host" in render_status(view)


def put_waiting(agent: Agent, state: DeliveryState | None = None) -> None:
    """One batch waits, and what deliveries left behind."""
    store = open_store(agent.settings.agent.state_dir)
    with store.transaction() as connection:
        outbox.put(connection, batch())
        if state is not None:
            delivery_state.save(connection, state)
    store.close()


def forget_ticks(agent: Agent) -> None:
    """Nothing was measured yet."""
    store = open_store(agent.settings.agent.state_dir)
    store.connection.execute("DELETE FROM tick")
    store.close()


def test_nothing_confirmed_for_two_hours(linked: Agent) -> None:
    """Linked, and something waits for more than two hours after its hour without a word from the cloud: exit 3 (X1)."""
    put_waiting(linked)
    forget_ticks(linked)  # they are of today, and the clock of this test is not
    soon, late = hour().end + timedelta(hours=1), hour().end + timedelta(hours=2, minutes=1)
    assert status_of(linked, soon).exit_code != 3
    view = status_of(linked, late)
    assert view.exit_code == 3
    assert any(problem.what.startswith("1 batches wait since the hour") for problem in view.problems)


def test_failing_pushes_and_refused_key(linked: Agent) -> None:
    """A failing push and a refused key are exit 3, each with its cause."""
    now = datetime.now(UTC)
    put_waiting(linked, DeliveryState(failing_since=now, last_answer="connection refused", do="Check the proxy."))
    view = status_of(linked, hour().end)
    assert view.exit_code == 3
    assert "connection refused" in [problem.why for problem in view.problems]
    put_waiting(linked, DeliveryState(hold="401", hold_key="0", do="Run: portfolio-agent link"))
    assert "The cloud refuses the key; everything is held." in [problem.what for problem in status_of(linked).problems]


@pytest.mark.fault(91)
def test_key_that_ends(linked: Agent) -> None:
    """A key that ends soon is a warning (1), one that ended stops deliveries (3); both say how to renew."""
    ends = link_of(linked).key_expires_at
    assert ends is not None
    for instant, code in ((ends - timedelta(days=2), 1), (ends + timedelta(minutes=1), 3)):
        (problem,) = [one for one in status_of(linked, instant).problems if "portfolio-agent link" in one.do]
        assert problem.exit_code == code


def test_losses_are_listed(linked: Agent) -> None:
    """What was lost is said with its count."""
    store = open_store(linked.settings.agent.state_dir)
    with store.transaction() as connection:
        count_loss(connection, "tick-not-stored", 3, datetime.now(UTC))
    store.close()
    view = status_of(linked)
    assert [(loss.reason, loss.count) for loss in view.losses] == [("tick-not-stored", 3)]
    assert "3 x tick-not-stored" in render_status(view)


def test_unclosed_hours(linked: Agent) -> None:
    """Hours that nobody closes are told, with the command that shows why."""
    linked.tick(at=datetime.now(UTC) - timedelta(hours=5))
    view = status_of(linked)
    assert view.exit_code == 3
    assert any(problem.what.startswith("Hours are not closed since") for problem in view.problems)


@pytest.mark.fault(34)
@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(days=-40)])
def test_a_clock_in_doubt(linked: Agent, ahead: timedelta) -> None:
    """While it lasts it is a problem, with both times; nothing is called old by the clock that was set."""
    clock = HandClock(datetime.now(UTC))
    store = open_store(linked.settings.agent.state_dir)
    TickWriter(store, 3600).append(Tick(clock.true, (), (), moment=clock.now()))
    store.close()
    clock.set(ahead)
    (problem,) = read_status(linked.settings, clock.now()).problems
    how = "3 hours ahead of" if ahead > timedelta(0) else "40 days behind"
    assert problem.what == f"This machine's clock is {how} where it should be."
    assert f"{clock.true:%Y-%m-%d %H:%M} UTC" in problem.why
    assert f"{clock.true + ahead:%Y-%m-%d %H:%M} UTC" in problem.why
    assert "timedatectl" in problem.do
    assert problem.exit_code == 1
    clock.set(timedelta(0))
    assert read_status(linked.settings, clock.now()).problems == ()


@pytest.mark.fault(105)
def test_hostile_texts_are_escaped(linked: Agent) -> None:
    """What a product or the cloud says cannot steer the terminal."""
    put_waiting(linked, DeliveryState(failing_since=datetime.now(UTC), last_answer="a\x1b[2J\nb", do="c\u202ed"))
    text = render_status(read_status(linked.settings, moment_at(datetime.now(UTC))))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[2J\\nb" in text
