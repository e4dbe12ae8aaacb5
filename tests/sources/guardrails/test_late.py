"""A reading that came too late for its tick: what it learnt does not count, what it cost does (real PostgreSQL)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from agent.catalog import Catalog
from agent.model import Outcome, Tick
from agent.sampling import Sampler
from agent.sources.governor import DAY_S, CostGovernor
from agent.sources.guardrails.source import Guardrails
from tests.sources.guardrails.test_source import small
from tests.support.cloud import wait_until
from tests.support.jira_database import fill_postgres
from tests.support.postgres import PostgresServer
from tests.support.sources import postgres_engine
from tests.support.ticks import START, FunctionSource

TICK_S = 120.0
DEADLINE_S = 0.5
SLOW_S = 1.5
PACED = "select count(*) as n from (select pg_sleep(seconds) from pace) x"


class Site:
    """One slow count of class XL, one quick count, a clock that can be set forward, and the daemon's way to read."""

    def __init__(self, server: PostgresServer) -> None:
        self.server, self.name = server, fill_postgres(server)
        server.execute(self.name, "create table pace (seconds double precision)", "insert into pace values (0)")
        self.later_s = 0.0
        self.governor = CostGovernor(tick_s=TICK_S, costs={"xl": "XL", "quick": "S"})
        self.guardrails = guardrails = Guardrails(
            xl(small(xl=PACED, quick="select count(*) as n from project")),
            lambda: postgres_engine(server, self.name),
            governor=self.governor,
            clock=self.now_s,
        )
        self.source = FunctionSource("guardrails", lambda: guardrails.read(30))
        self.sampler = Sampler([self.source])

    def now_s(self) -> float:
        return time.monotonic() + self.later_s

    def pace(self, seconds: float) -> None:
        """How long the slow count takes."""
        self.server.execute(self.name, f"update pace set seconds = {seconds}")

    def tick(self, deadline_s: float = DEADLINE_S) -> Tick:
        """One tick; when its reading was late, that has ended before this returns, unseen by anybody."""
        while True:
            tick = self.sampler.take(START, deadline_s)
            wait_until(lambda: self.source.running == 0, 30)
            if {failure.reason for failure in tick.reports[0].failures} != {"busy"}:
                return tick  # else the worker had not yet noted the end


def xl(own: Catalog) -> Catalog:
    """The catalog with the slow count in the largest class."""
    return replace(own, queries={**own.queries, "xl": replace(own.queries["xl"], cost="XL")})


@pytest.fixture
def site(postgres: PostgresServer) -> Iterator[Site]:
    site = Site(postgres)
    yield site
    site.sampler.close()


def values(tick: Tick) -> dict[str, object]:
    return {sample.series.metric: sample.value for sample in tick.samples}


def test_a_late_first_reading_is_made_up(site: Site) -> None:
    """The count that ran too late is due again once its share of time has passed, not in a day; then a day it is."""
    site.pace(SLOW_S)
    late = site.tick()
    assert (late.samples, late.reports[0].outcome) == ((), Outcome.FAILED)
    assert late.reports[0].failures[0].reason == "timeout"
    wait_s = site.governor.wait_s("xl", site.now_s())
    assert SLOW_S * 90 < wait_s <= SLOW_S * 110
    assert site.governor.wait_s("quick", site.now_s()) == 0, "as if it had not been read"

    site.pace(0)
    site.later_s += TICK_S
    assert values(site.tick(30)) == {"test.quick": 12}, "too early for the slow one"
    site.later_s += TICK_S
    assert values(site.tick(30)) == {"test.quick": 12, "test.xl": 1}
    assert DAY_S - 60 < site.governor.wait_s("xl", site.now_s()) <= DAY_S


def test_a_count_that_always_outlives_its_tick_is_not_asked_each_tick(site: Site) -> None:
    """In two hours of ticks its share of the database's time stays under 1 %, and the others are counted in between."""
    site.pace(SLOW_S)
    site.tick()
    asked_s = [0.0]
    for _ in range(60):
        site.later_s += TICK_S
        tick = site.tick()
        if tick.reports[0].outcome is Outcome.FAILED:
            asked_s.append(site.later_s)
        else:
            assert values(tick) == {"test.quick": 12}
    waits_s = [later - earlier for earlier, later in pairwise(asked_s)]
    assert waits_s[0] == 2 * TICK_S, "150 s, in whole ticks"
    assert all(later > 1.4 * earlier for earlier, later in pairwise(waits_s)), "then twice as long each time"
    assert len(asked_s) * SLOW_S < 0.01 * 60 * TICK_S


def test_what_was_lost_is_not_accepted_with_the_next_reading(site: Site) -> None:
    """That one had no time to begin the slow count: it has still not been read, and a day must not pass for it."""
    site.pace(SLOW_S)
    site.tick()
    site.later_s += 2 * TICK_S
    reading = site.guardrails.read(1.0)
    reading.commit()
    assert {failure.reason for failure in reading.failures} == {"deadline"}
    assert site.governor.wait_s("xl", site.now_s()) == 0
    site.pace(0)
    site.later_s += TICK_S
    assert values(site.tick(30)) == {"test.quick": 12, "test.xl": 1}


def test_what_a_lost_reading_cost_outlives_a_restart(site: Site) -> None:
    """The next process neither runs the count at once nor waits a day for it."""
    site.pace(SLOW_S)
    site.tick()
    after = CostGovernor(tick_s=TICK_S, costs={"xl": "XL"})
    after.recall(site.governor.remember(site.now_s(), START), 50.0, START)
    assert SLOW_S * 90 < after.wait_s("xl", 50.0) <= SLOW_S * 110


def test_a_table_that_only_a_lost_reading_missed_is_asked_for_again(site: Site) -> None:
    """An absent table is left alone for an hour, but not because of a reading that nobody accepted."""
    site.server.execute(site.name, "drop table project")
    site.pace(SLOW_S)
    site.tick()
    site.pace(0)
    site.later_s += TICK_S
    site.server.execute(site.name, "create table project (id int)")
    assert values(site.tick(30))["test.quick"] == 0


def test_a_tick_that_was_cut_short_teaches_nothing(site: Site) -> None:
    """The daemon is stopped while it reads: that tick is not stored, so the count was not read."""
    stopping = threading.Event()
    stopping.set()
    site.sampler.take(START, 30, stopping)
    wait_until(lambda: site.governor.last("xl") is not None, 30)
    run = site.governor.last("xl")
    assert run is not None
    assert run.lost == 1
