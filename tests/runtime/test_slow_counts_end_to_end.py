"""Counts that take too long, through the real daemon on real servers: they slide, are estimated, say so in their row
and in `status`, and a restart does not ask them again.

The tables are small and stand in for large ones: what reads one sleeps until it is ended, and the server's own notes
say millions of rows. So a slow count is slow and a quick one quick whatever else the machine does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.model import HourlyAggregate
from agent.store.hours import aggregates_of, closed_hours
from scripts.demo_product.database import USER, DemoDatabase
from tests.support.agent import RunningAgent, running_agent
from tests.support.jira_database import fill_mariadb, fill_postgres
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres
from tests.support.words import flat

__all__ = ["mariadb", "postgres"]  # the fixtures

ROWS = 8_000_000
PASSWORD = "slow-Word-1"
WHOLE, CONDITION = "jira.guardrail.history.items", "jira.guardrail.issues.archived"
QUICK = "jira.guardrail.projects"
DAILY = "jira.guardrail.history.items_per_issue.max"


@pytest.fixture(params=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> Iterator[DemoDatabase]:
    """A Jira whose changes (and on PostgreSQL issues) nobody can count in time, read by the product's own login."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        name = fill_postgres(server)
        server.execute(
            name,
            f"create role {USER} login password '{PASSWORD}'",
            f"grant select on all tables in schema public to {USER}",
            "create function sleeps() returns boolean volatile language plpgsql"
            " as 'begin perform pg_sleep(3600); return true; end'",
            *(words for table in ("changeitem", "jiraissue") for words in _slow_on_postgres(table)),
        )
        url = f"jdbc:postgresql://{server.host}:{server.port}/{name}"
        yield DemoDatabase(url, "postgres72", "org.postgresql.Driver", PASSWORD)
        server.execute("postgres", f"drop database {name} with (force)", f"drop role {USER}")
        return
    other: MariaDbServer = request.getfixturevalue("mariadb")
    name = fill_mariadb(other)
    other.execute(
        f"create or replace user {USER}@'127.0.0.1' identified by '{PASSWORD}'",
        f"grant all privileges on {name}.* to {USER}@'127.0.0.1'",
        f"use {name}",
        "rename table changeitem to changeitem_rows",
        "create view changeitem as select * from changeitem_rows where sleep(3600) = 0",
        # InnoDB notes nothing of a view; an account of views has the notes through this one.
        f"create view table_estimates as select 'changeitem' as table_name, {ROWS} as n_rows, now() as last_update",
    )
    yield DemoDatabase(f"jdbc:mysql://{other.host}:{other.port}/{name}", "mysql8", "com.mysql.cj.jdbc.Driver", PASSWORD)
    other.execute(f"drop database {name}", f"drop user {USER}@'127.0.0.1'")


def _slow_on_postgres(table: str) -> Iterator[str]:
    """Nobody but its owner reads a row of the table without a sleep, and the planner believes in `ROWS` of them."""
    yield f"alter table {table} set (autovacuum_enabled = false)"
    yield f"analyze {table}"
    yield f"update pg_class set reltuples = {ROWS} where oid = '{table}'::regclass"
    yield f"create policy slow on {table} using (sleeps() is not null)"
    yield f"alter table {table} enable row level security"


def rows(agent: RunningAgent) -> dict[str, HourlyAggregate]:
    """The row of each metric in the newest closed hour; {} before the first."""
    with agent.store() as store:
        closed = closed_hours(store)
        if not closed:
            return {}
        return {item.series.metric: item for item in aggregates_of(store, closed[-1].hour, closed[-1].revision)}


def slow(agent: RunningAgent) -> dict[str, dict[str, Any]]:
    """The slow counts of `status` by metric."""
    return {item["metric"]: item for item in agent.status()["slowQueries"]}


def newest(agent: RunningAgent) -> datetime:
    """When the newest closed hour began."""
    with agent.store() as store:
        return closed_hours(store)[-1].hour.start


def test_slow_counts_slide_and_are_estimated(tmp_path: Path, database: DemoDatabase) -> None:
    """Ended by the statement timeout, estimated in the same tick; the decision outlives a restart."""
    on_postgres = database.type == "postgres72"
    # A second is a thousand times what a quick count takes, so that it is quick on a busy machine as well.
    lengths = {"sampling__interval": "4s", "sampling__deadline": "3900ms", "hour__length": "8s"}
    with running_agent(tmp_path, database=database, offline=True, database__statement_timeout="1s", **lengths) as agent:
        agent.start(ticks=2)
        found: dict[str, HourlyAggregate] = {}
        wanted = {WHOLE, QUICK, CONDITION} if on_postgres else {WHOLE, QUICK}

        def counted() -> bool:
            found.clear()
            found.update(rows(agent))
            return all(name in found and found[name].samples for name in wanted)

        agent.wait(counted, 60)
        row = found[WHOLE]
        assert row.figures["method"] == "estimate"
        assert ROWS * 0.5 <= float(str(row.figures["last"])) <= ROWS * 1.5
        every_s = row.figures["every_s"]
        assert isinstance(every_s, int)
        assert every_s >= 100, "1 s may be spent in 100 s"
        assert str(row.figures["as_of"]).endswith("Z")
        assert {"method", "as_of"} & found[QUICK].figures.keys() == set(), "what is counted at each tick"
        if on_postgres:
            condition = found[CONDITION]
            assert condition.figures["method"] == "estimate"
            assert 0.01 * ROWS <= float(str(condition.figures["last"])) <= 0.04 * ROWS, "one in fifty is archived"

        before = slow(agent)
        assert (before[WHOLE]["ended"], before[WHOLE]["estimated"]) == (True, True)
        assert (before[DAILY]["ended"], before[DAILY]["estimated"]) == (True, False), "nothing stands in for a maximum"
        assert before[DAILY]["everyS"] == 86_400
        assert QUICK not in before
        text = flat(agent.run("status").stdout)
        assert re.search(rf"Slow count +{WHOLE}: every [\d.]+ \w+, last run was ended after [\d.]+ s; estimated", text)
        assert re.search(rf"Slow count +{DAILY}: every 24 h, last run was ended after [\d.]+ s(?!; est)", text)

        closed = newest(agent)
        assert agent.stop() == 0
        agent.start(ticks=2)
        agent.wait(lambda: newest(agent) > closed + timedelta(seconds=16) and counted(), 60)
        assert found[WHOLE].figures["method"] == "estimate"
        assert slow(agent)[DAILY]["lastRun"] == before[DAILY]["lastRun"], "not asked again after the restart"
        assert agent.stop() == 0
