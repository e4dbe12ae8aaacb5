"""Names before the store: the key and the level of the shared home, and hours stored under more than one level."""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.catalog import load_catalog
from agent.consent import Concealer, Pseudonyms
from agent.model import ConsentLevel, Outcome, Sample, Series, SourceReport, Tick, hour_of
from agent.product.instance.identity import pseudonym_key_path, read_instance
from agent.runtime.hourly.forget import WIDEST
from agent.runtime.resident.concealing import TickConcealer
from agent.store import open_store
from agent.store.meta import meta
from agent.store.ticks import TickWriter
from tests.support.planting import stored_bytes
from tests.support.site import Agent, link_as, make_site

BASIC, EXTENDED = ConsentLevel.BASIC, ConsentLevel.EXTENDED
KEY = "com.quibble.payroll"
POOL = Series("jmx", "pool.dbcp.active", (("pool", "Erika's pool"),))
CALLS = Series("jmx", "jira.app.http.rest.count", (("pluginKey", KEY),))
COUNT = Series("apps", "app.installed.count")
CATALOG = load_catalog("jira")
FIRST = hour_of(datetime.now(UTC)).start - timedelta(hours=3)


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """An offline agent, so Basic as long as it is not linked."""
    return make_site(tmp_path, mode="offline")


def as_read(at: datetime, calls: int, *, app: str = KEY) -> Tick:
    samples = (
        Sample(POOL, 5),
        Sample(CALLS, calls),
        Sample(Series("apps", "app.installed", (("pluginKey", app),)), "1.0", (("state", "enabled"),)),
        Sample(COUNT, 1),
    )
    reports = (SourceReport("jmx", Outcome.OK, 2), SourceReport("apps", Outcome.OK, 2))
    return Tick(at, samples, reports, {"jmx": "1"})


def store_ticks(agent: Agent, *ticks: tuple[ConsentLevel | None, Tick]) -> None:
    """Store ticks as a daemon under a level does; None: as one of an older version did."""
    store = open_store(agent.settings.agent.state_dir)
    for level, tick in ticks:
        given = tick if level is None else Concealer(CATALOG).conceal(tick, level, pseudonyms(agent))
        TickWriter(store, 3600).append(given)
    store.close()


def pseudonyms(agent: Agent) -> Pseudonyms:
    return Pseudonyms(read_instance(agent.settings.link_dir).pseudonym_key.reveal())


def entries(agent: Agent, name: str) -> list[dict[str, object]]:
    """The entries of a metric in the newest closed hour, as they leave."""
    agent.json("deliver")
    shown = agent.json("preview")
    return [e for batch in shown["batches"] for e in batch["document"]["entries"] if e["metricName"] == name]


def minutes(number: float) -> datetime:
    return FIRST + timedelta(minutes=number)


@pytest.mark.parametrize("levels", [(None, BASIC), (EXTENDED, BASIC), (BASIC, EXTENDED), (BASIC, BASIC)])
@pytest.mark.parametrize("in_force", [BASIC, EXTENDED])
def test_one_name_for_one_thing_in_an_hour_of_two_levels(
    agent: Agent, levels: tuple[ConsentLevel | None, ConsentLevel], in_force: ConsentLevel
) -> None:
    """An hour stored under two levels, or by an older agent first, has one entry for one app, under one pseudonym."""
    if in_force is EXTENDED:
        link_as(agent, EXTENDED)
    first, second = levels
    store_ticks(agent, (first, as_read(minutes(10), 100)), (second, as_read(minutes(12), 130)))
    (calls,) = entries(agent, CALLS.metric)
    assert calls["tags"] == {"pluginKey": pseudonyms(agent).app(KEY)}
    assert calls["attributes"]["delta"] == 30  # type: ignore[index]  # JSON
    (pool,) = entries(agent, POOL.metric)
    assert pool["attributes"]["samples"] == 2  # type: ignore[index]  # JSON


@pytest.mark.parametrize(("before", "after"), [(None, BASIC), (EXTENDED, BASIC), (BASIC, EXTENDED)])
def test_a_change_between_hours_invents_no_event_and_resets_no_counter(
    agent: Agent, before: ConsentLevel | None, after: ConsentLevel
) -> None:
    """Another level, or version, in the next hour: no app is removed or installed by it, and counters go on."""
    if EXTENDED in (before, after):
        link_as(agent, before or BASIC)
    store_ticks(agent, (before, as_read(minutes(60) - timedelta(seconds=1), 100)))
    assert entries(agent, CALLS.metric)
    if EXTENDED in (before, after):
        link_as(agent, after)
    store_ticks(agent, (after, as_read(minutes(60), 130)))
    (calls,) = entries(agent, CALLS.metric)
    assert calls["attributes"]["delta"] == 30  # type: ignore[index]  # JSON
    assert calls["tags"] == {"pluginKey": KEY if after is EXTENDED else pseudonyms(agent).app(KEY)}
    assert entries(agent, "event.app.installed") == entries(agent, "event.app.removed") == []
    store_ticks(agent, (after, as_read(minutes(125), 130, app="com.quibble.other")))
    (removed,) = entries(agent, "event.app.removed")
    assert removed["tags"] == calls["tags"]


def test_a_snapshot_of_an_older_agent_is_understood(agent: Agent) -> None:
    """A snapshot that names apps as read is compared by their pseudonyms: no event."""
    store_ticks(agent, (BASIC, as_read(minutes(58), 100)))
    agent.json("deliver")
    store = open_store(agent.settings.agent.state_dir)
    at = int(minutes(58).timestamp() * 1000)
    old = {"seen": {"app.installed": [at, {KEY: ["1.0", "enabled"]}]}, "audit": 0}
    with store.transaction() as connection:
        connection.execute("UPDATE snapshot SET body = ?", (zlib.compress(json.dumps(old).encode()),))
    store.close()
    store_ticks(agent, (BASIC, as_read(minutes(60), 130)))
    assert entries(agent, "event.app.installed") == entries(agent, "event.app.removed") == []


def test_the_stored_mark_survives_the_store(agent: Agent) -> None:
    """A name that looks like a pseudonym and a real pseudonym are two things after reading the store again."""
    hostile = pseudonyms(agent).app(KEY)
    ticks = [as_read(minutes(10), 100), as_read(minutes(11), 100, app=hostile)]
    store_ticks(agent, *[(BASIC, tick) for tick in ticks])
    found = {str(e["tags"]) for e in entries(agent, "app.installed")}
    assert found == {str({"pluginKey": pseudonyms(agent).app(name)}) for name in (KEY, hostile)}


def test_without_a_key_no_name_is_stored_and_all_is_well_again_with_it(agent: Agent) -> None:
    """The shared home is gone at start: private series are left out with the reason; once it is back they come."""
    conceal = TickConcealer(agent.settings, CATALOG, lambda: BASIC)
    path = pseudonym_key_path(agent.settings.link_dir)
    path.rename(path.with_name("away"))
    stored = conceal(as_read(minutes(1), 1))
    assert [sample.series for sample in stored.samples] == [COUNT]
    assert {f.reason for report in stored.reports for f in report.failures} == {"key-away"}
    path.with_name("away").rename(path)
    assert len(conceal(as_read(minutes(2), 1)).samples) == 4
    path.rename(path.with_name("away"))
    assert len(conceal(as_read(minutes(3), 1)).samples) == 4, "the key in memory stays good"


def test_a_home_that_hangs_means_basic_and_does_not_hold_the_tick(agent: Agent) -> None:
    """While the shared home does not answer, ticks go on under Basic, and one look waits for it, not many."""
    answer, looks = threading.Event(), []

    def level() -> ConsentLevel:
        looks.append(1)
        if len(looks) > 1:
            answer.wait(30)
        return EXTENDED

    conceal = TickConcealer(agent.settings, CATALOG, level, wait_s=0.05)
    assert named(conceal, as_read(minutes(1), 1)) is True
    assert [named(conceal, as_read(minutes(2), 1)) for _ in range(3)] == [False, False, False]
    assert len(looks) == 2
    answer.set()


def named(conceal: Callable[[Tick], Tick], tick: Tick) -> bool:
    """Whether the app's key is readable in what would be stored."""
    return KEY in repr(conceal(tick))


def test_the_key_is_read_again_when_it_is_another_one(agent: Agent) -> None:
    """A restored or replaced key counts from the next tick on, so that store and door hash alike."""
    conceal = TickConcealer(agent.settings, CATALOG, lambda: BASIC)
    before = conceal(as_read(minutes(1), 1))
    path = pseudonym_key_path(agent.settings.link_dir)
    path.unlink()
    path.write_bytes(os.urandom(32))
    path.chmod(0o400)
    after = conceal(as_read(minutes(2), 1))
    assert before.samples != after.samples
    assert dict(after.samples[1].series.tags)["pluginKey"] == pseudonyms(agent).app(KEY)


@pytest.mark.parametrize("before", [None, EXTENDED])
def test_names_stored_before_are_taken_out(agent: Agent, before: ConsentLevel | None) -> None:
    """After an upgrade, or once Extended is lowered, no name is left in any file of the store, and nothing is lost."""
    if before is EXTENDED:
        link_as(agent, EXTENDED)
        agent.json("deliver")
    store_ticks(agent, *[(before, as_read(minutes(at), 100 + at)) for at in (1, 2, 61)])
    if before is EXTENDED:
        assert entries(agent, CALLS.metric)[0]["tags"] == {"pluginKey": KEY}
        assert KEY.encode() in b"".join(stored_bytes(agent.settings.agent.state_dir))
        link_as(agent, BASIC)
    (calls,) = entries(agent, CALLS.metric)
    assert calls["tags"] == {"pluginKey": pseudonyms(agent).app(KEY)}
    for bundle in agent.settings.bundle_folder.glob("*.zip"):
        bundle.unlink()  # written under Extended, for somebody to carry: theirs
    left = b"".join(stored_bytes(agent.settings.agent.state_dir))
    assert KEY.encode() not in left
    assert b"Erika" not in left
    store = open_store(agent.settings.agent.state_dir, read_only=True)
    assert store.execute("SELECT count(*) FROM tick")[0][0] == 3
    assert store.execute("SELECT count(*) FROM hour")[0][0] == 2
    assert meta(store, WIDEST) == "basic"
    store.close()
