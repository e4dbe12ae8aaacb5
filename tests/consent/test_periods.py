"""What leaves was measured under consent, in the detail that held then; no change loses a finished hour."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.batching import open_document
from agent.consent.periods import MeasuredHour, consent_of, consent_throughout, covered
from agent.link.flow import link_folder_of, set_consent
from agent.link.record import LinkRecord, remove_link, with_consent
from agent.model import Consent, ConsentLevel, Hour, Tick
from agent.product.instance.identity import read_instance
from agent.runtime.hourly.bundle import bundle_now
from agent.runtime.hourly.close import close_hours
from agent.runtime.pipeline import open_pipeline
from agent.store import open_store, outbox
from agent.views.preview import read_preview
from tests.support.clock import reckoned
from tests.support.site import Agent, link_as, make_site

NONE, BASIC, EXTENDED = ConsentLevel
NINE = datetime(2026, 11, 22, 9, tzinfo=UTC)
TEN = NINE + timedelta(hours=1)
HALF_A_MINUTE = timedelta(seconds=30)
ORDER = list(ConsentLevel)


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """An agent in linked mode, not linked yet, with hours of one hour that close at once."""
    return make_site(tmp_path)


def consent(agent: Agent, level: ConsentLevel, at: datetime) -> None:
    """`consent set` at this moment."""
    settings = agent.settings
    place = link_folder_of(settings.link_dir, settings.agent.state_dir, read_instance(settings.link_dir).instance_id)
    set_consent(place, Consent(level, "fields", at))


def close(agent: Agent, now: datetime) -> int:
    """Close what is over; how many batches that made."""
    with open_pipeline(agent.settings) as pipeline:
        return close_hours(pipeline, reckoned(pipeline.store, now)).batches


def sealed(agent: Agent) -> list[dict[str, Any]]:
    """Every document that waits to be sent, oldest hour first."""
    store = open_store(agent.settings.agent.state_dir, read_only=True)
    found = [open_document(batch.body) for batch in outbox.waiting(store)]
    store.close()
    return found


def heap(document: dict[str, Any]) -> dict[str, Any]:
    """What a document says of the heap."""
    (entry,) = (item for item in document["entries"] if item["metricName"] == "jvm.memory.heap.used")
    found: dict[str, Any] = entry["attributes"]
    return found


@pytest.mark.parametrize(
    ("before", "after", "level"),
    [(BASIC, EXTENDED, "basic"), (EXTENDED, BASIC, "basic"), (BASIC, BASIC, "basic"), (EXTENDED, EXTENDED, "extended")],
)
def test_a_change_after_an_hour_does_not_lose_it(
    agent: Agent, before: ConsentLevel, after: ConsentLevel, level: str
) -> None:
    """Consent set half a minute after an hour's end: the hour leaves, narrower of both; the next under the new one."""
    link_as(agent, before)
    agent.tick(at=NINE)
    consent(agent, after, TEN + HALF_A_MINUTE)
    assert close(agent, TEN + 2 * HALF_A_MINUTE) == 1
    agent.tick(at=TEN + timedelta(minutes=2))
    close(agent, TEN + timedelta(hours=2))
    assert [item["consent"]["level"] for item in sealed(agent)] == [level, after.value]


def test_a_wider_consent_within_an_hour_widens_the_next_one(agent: Agent) -> None:
    """One tick measured under Basic keeps the whole hour at Basic, and the batch names the consent that held then."""
    link_as(agent, BASIC, NINE - timedelta(minutes=30))
    agent.tick(at=NINE)
    consent(agent, EXTENDED, NINE + timedelta(minutes=1))
    for minute in (2, 62):
        agent.tick(at=NINE + timedelta(minutes=minute))
    close(agent, TEN + timedelta(hours=1))
    assert [(item["consent"]["level"], item["consent"]["grantedAt"]) for item in sealed(agent)] == [
        ("basic", "2026-11-22T08:30:00Z"),
        ("extended", "2026-11-22T09:01:00Z"),
    ]


@pytest.mark.parametrize("way", ["first link", "unlink and link", "none and basic"])
def test_what_was_measured_without_consent_is_counted_in_nothing_that_leaves(agent: Agent, way: str) -> None:
    """An hour in which consent begins holds what was measured since, and no increase from before."""
    if way != "first link":
        link_as(agent, BASIC)
    agent.tick(100_000, at=NINE - timedelta(minutes=1))
    agent.tick(200_000, at=NINE + timedelta(minutes=10))
    if way == "none and basic":
        consent(agent, NONE, NINE + timedelta(minutes=20))
    remove_link(agent.settings.link_dir) if way == "unlink and link" else None
    agent.tick(300_000, at=NINE + timedelta(minutes=30))
    if way == "none and basic":
        consent(agent, BASIC, NINE + timedelta(minutes=40))
    else:
        link_as(agent, BASIC, NINE + timedelta(minutes=40))
    agent.tick(400_000, at=NINE + timedelta(minutes=50))
    agent.tick(500_000, at=NINE + timedelta(minutes=52))
    close(agent, TEN)
    (document,) = sealed(agent)
    assert {name: heap(document)[name] for name in ("min", "max", "samples")} == {
        "min": 400_000,
        "max": 500_000,
        "samples": 2,
    }
    (rejected,) = (e for e in document["entries"] if e["metricName"] == "tomcat.sessions.rejected")
    assert rejected["attributes"]["delta"] == 1_000
    assert not [e for e in document["entries"] if e["metricName"].startswith("event.")]
    assert close(agent, TEN + timedelta(minutes=5)) == 0


def test_an_hour_between_two_links_stays_here(agent: Agent) -> None:
    """What was measured after `unlink` is not sent under the next link, closed before it or after."""
    link_as(agent, BASIC)
    remove_link(agent.settings.link_dir)
    agent.tick(at=NINE)
    close(agent, TEN)
    agent.tick(at=TEN)
    link_as(agent, EXTENDED, TEN + timedelta(hours=1, seconds=30))
    assert close(agent, TEN + timedelta(hours=1, seconds=60)) == 0
    assert close(agent, TEN + timedelta(hours=3)) == 0


def test_an_hour_closed_while_a_key_was_being_proved_leaves_only_whole(agent: Agent) -> None:
    """Consent given, the cloud slow to answer: hours closed meanwhile leave once linked, if covered whole."""
    agent.tick(at=NINE + timedelta(minutes=50))
    agent.tick(at=TEN)
    close(agent, TEN + timedelta(hours=1))
    link_as(agent, BASIC, NINE + timedelta(minutes=30))
    assert close(agent, TEN + timedelta(hours=1, minutes=1)) == 1
    assert [item["window"]["start"] for item in sealed(agent)] == ["2026-11-22T10:00:00Z"]


def test_preview_says_that_an_hour_from_before_consent_stays(agent: Agent) -> None:
    """The newest closed hour was measured before the link: what it holds is shown, and that it is not sent."""
    agent.tick(at=NINE)
    close(agent, TEN)
    assert {item.state for item in read_preview(agent.settings, TEN).batches} == {"would be sent"}
    link_as(agent, BASIC, TEN + HALF_A_MINUTE)
    close(agent, TEN + timedelta(minutes=5))
    assert {item.state for item in read_preview(agent.settings, TEN).batches} == {"not sent: measured before consent"}


def test_a_late_tick_corrects_its_hour_under_the_consent_of_then(agent: Agent) -> None:
    """A revision after consent was widened says no more than the hour did."""
    link_as(agent, BASIC)
    agent.tick(at=NINE)
    close(agent, TEN)
    consent(agent, EXTENDED, TEN + HALF_A_MINUTE)
    agent.tick(at=NINE + timedelta(minutes=2))
    close(agent, TEN + timedelta(minutes=5))
    assert [item["consent"]["level"] for item in sealed(agent)] == ["basic", "basic"]


def test_a_bundle_by_hand_holds_earlier_hours_as_without_a_link(agent: Agent) -> None:
    """Hours from before consent, which only a person can carry out, are written under Basic, whatever holds now."""
    agent.tick(at=NINE)
    close(agent, TEN)
    link_as(agent, EXTENDED, TEN)
    agent.tick(at=TEN + timedelta(minutes=2))
    close(agent, TEN + timedelta(hours=1))
    with open_pipeline(agent.settings) as pipeline:
        path = bundle_now(pipeline, agent.settings.bundle_folder, TEN + timedelta(hours=2), actor="test")
    store = open_store(agent.settings.agent.state_dir, read_only=True)
    written = [row["level"] for row in store.execute("SELECT level FROM ledger WHERE way = 'bundle' ORDER BY number")]
    store.close()
    assert sorted(written) == ["basic", "extended"]
    with zipfile.ZipFile(path) as bundle:
        assert bundle.testzip() is None


def test_a_clock_set_back_opens_nothing() -> None:
    """A consent never begins before the one it follows."""
    record = with_consent(LinkRecord("i", Consent(BASIC, "f", TEN)), Consent(EXTENDED, "f", NINE))
    assert [item.granted_at for item in (*record.earlier, record.consent)] == [TEN, TEN]
    assert covered((*record.earlier, record.consent), [at_minute(30)]) == []


def at_minute(minute: float) -> Tick:
    """An empty tick, so many minutes after nine."""
    return Tick(NINE + timedelta(minutes=minute), (), (), {})


audit_events = st.lists(
    st.tuples(st.integers(1, 89).map(lambda n: n + 0.5), st.sampled_from([*ConsentLevel, None])), max_size=8
)


@given(st.sampled_from([*ConsentLevel, None]), audit_events, st.integers(61, 90))
def test_consent_covers_exactly_what_it_was_given_for(
    first: ConsentLevel | None, changes: list[tuple[float, ConsentLevel | None]], closing: int
) -> None:
    """Nothing from before consent leaves, nothing in more detail than held, and no hour with unbroken consent is lost.

    `None` is `unlink`, a level after it a new link; ticks come every minute, the hour is closed up to 30 minutes late.
    """
    record = None if first is None else LinkRecord("i", Consent(first, "f", NINE - timedelta(days=1)))
    held: dict[int, ConsentLevel | None] = {}
    left = sorted(changes, key=lambda change: change[0])
    for minute in range(closing + 1):
        while left and left[0][0] <= minute:
            at, level = left.pop(0)
            given_now = None if level is None else Consent(level, "f", NINE + timedelta(minutes=at))
            if given_now is None:
                record = None
            else:
                record = LinkRecord("i", given_now) if record is None else with_consent(record, given_now)
        held[minute] = None if record is None else record.consent.level
    consents = () if record is None else (*record.earlier, record.consent)
    ticks = [at_minute(minute) for minute in range(60)]
    counted = [ticks.index(tick) for tick in covered(consents, ticks)]
    found = consent_of(consents, ticks)
    assert (found is None) == (counted == [])
    for minute in counted:
        now_on = [held[later] for later in range(minute, closing + 1)]
        assert found is not None
        assert None not in now_on
        assert NONE not in now_on
        assert ORDER.index(found.level) <= ORDER.index(now_on[0] or NONE)
    if all(level not in (None, NONE) for level in held.values()) and not any(
        level in (None, NONE) for at, level in changes if at <= closing
    ):
        assert len(counted) == 60
        assert found is not None
        assert found.level is min((level for level in levels_of(held, closing)), key=ORDER.index)
    whole = consent_throughout(consents, MeasuredHour(Hour(NINE)))
    assert whole is None or (found is not None and ORDER.index(whole.level) <= ORDER.index(found.level))


def levels_of(held: dict[int, ConsentLevel | None], closing: int) -> set[ConsentLevel]:
    """The levels that a tick of the hour was taken under, and the one at closing."""
    return {level for minute, level in held.items() if level is not None and (minute < 60 or minute == closing)}


def test_equal_consents_name_the_newest() -> None:
    """The same level agreed again, for a newer field list: what leaves names the newest agreement."""
    old, new = Consent(BASIC, "old", NINE), Consent(BASIC, "new", NINE + timedelta(minutes=30))
    assert consent_of((old, new), [at_minute(10), at_minute(50)]) == new
    assert consent_of((replace(old, level=NONE), new), [at_minute(50)]) == new
