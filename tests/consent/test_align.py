"""An hour that was stored under two levels has one name for one thing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agent.aggregation import list_of
from agent.catalog import load_catalog
from agent.consent import Concealer, Material, Pseudonyms, align_names
from agent.model import ConsentLevel, Hour, HourlyAggregate, Outcome, Sample, Series, SourceReport, Tick
from agent.store.snapshots import Key, ListState, Snapshot

BASIC, EXTENDED = ConsentLevel.BASIC, ConsentLevel.EXTENDED
JIRA = load_catalog("jira")
KEY = Pseudonyms(b"k" * 32)
HOUR = Hour(datetime(2026, 1, 5, 19, tzinfo=UTC))
POOL = Series("jmx", "pool.dbcp.active", (("pool", "payroll"),))
APP = Series("apps", "app.installed", (("pluginKey", "com.quibble.payroll"),))


def stored(level: ConsentLevel, minute: int = 0) -> Tick:
    """A tick with one pool and one app, as the store holds it under `level`."""
    samples = (Sample(POOL, 3), Sample(APP, "1.0"))
    reports = (SourceReport("apps", Outcome.OK, 1), SourceReport("jmx", Outcome.OK, 1))
    tick = Tick(HOUR.start + timedelta(minutes=minute), samples, reports)
    return Concealer(JIRA).conceal(tick, level, KEY)


def pool_under(level: ConsentLevel) -> Series:
    named = Concealer(JIRA).series(POOL, level, KEY)
    assert named is not None
    return named


def app_key(level: ConsentLevel) -> Key:
    key = "com.quibble.payroll"
    return Key(key) if level is EXTENDED else Key(KEY.app(key), hashed=True)


def material(level: ConsentLevel, *ticks: Tick) -> Material:
    """Those ticks, with what is known of the hour before it stored under `level`."""
    row = HourlyAggregate(pool_under(level), HOUR, {"max": 3}, 1, 30, {})
    lists = {"app.installed": ListState(HOUR.start, {app_key(level): ("1.0",)})}
    return Material(list(ticks), stored(level, -2), [row], Snapshot(lists))


def aligned(level: ConsentLevel, given: Material) -> Material:
    return align_names(given, JIRA, level, KEY, list_of)


def names(given: Material) -> set[Series]:
    """Every name of the pool in it."""
    series = {sample.series for tick in given.ticks for sample in tick.samples}
    series |= {sample.series for sample in given.before.samples} if given.before is not None else set()
    return {one for one in series | {row.series for row in given.known} if one.metric == POOL.metric}


@pytest.mark.parametrize("before", [BASIC, EXTENDED])
def test_an_hour_of_extended_has_names(before: ConsentLevel) -> None:
    """What came before under Basic is told by its name now, so that no counter starts anew and no app is a new one."""
    done = aligned(EXTENDED, material(before, stored(EXTENDED), stored(EXTENDED, 2)))
    assert names(done) == {pool_under(EXTENDED)}
    assert list(done.snapshot.lists["app.installed"].items) == [app_key(EXTENDED)]


@pytest.mark.parametrize("ticks", [(BASIC, BASIC), (EXTENDED, BASIC), (BASIC, EXTENDED), (EXTENDED, EXTENDED)])
@pytest.mark.parametrize("before", [BASIC, EXTENDED])
def test_an_hour_that_is_partly_basic_is_basic(before: ConsentLevel, ticks: tuple[ConsentLevel, ConsentLevel]) -> None:
    """A pseudonym cannot be turned back, so every name becomes one; under Basic all of it does in any case."""
    given = material(before, *(stored(level, minute) for minute, level in enumerate(ticks)))
    levels = (BASIC,) if ticks == (EXTENDED, EXTENDED) else (BASIC, EXTENDED)
    for level in levels:
        done = aligned(level, given)
        assert names(done) == {pool_under(BASIC)}
        assert list(done.snapshot.lists["app.installed"].items) == [app_key(BASIC)]


def test_one_strange_name_does_not_make_an_hour_basic() -> None:
    """A pool whose name Extended hashes, because it has not the look of one, costs the other names nothing."""
    strange = replace(POOL, tags=(("pool", "erika@example.com"),))
    tick = replace(stored(EXTENDED), samples=(Sample(POOL, 3), Sample(strange, 1), Sample(APP, "1.0")))
    tick = Concealer(JIRA).conceal(tick, EXTENDED, KEY)
    assert pool_under(EXTENDED) in names(aligned(EXTENDED, material(EXTENDED, tick)))


def test_an_aligned_hour_is_not_copied() -> None:
    """Ticks that have their names already stay the same objects: an hour of them lies in memory at once."""
    given = material(BASIC, stored(BASIC), stored(BASIC, 2))
    assert all(new is old for new, old in zip(aligned(BASIC, given).ticks, given.ticks, strict=True))


def test_an_hour_without_anything_before_it() -> None:
    """The first hour has no tick before it, no rows and no lists."""
    done = aligned(EXTENDED, replace(material(BASIC, stored(EXTENDED)), before=None, known=[], snapshot=Snapshot()))
    assert (done.before, done.known, done.snapshot) == (None, [], Snapshot())
