"""Counts that take too long, through the real daemon on real servers with a million rows: they slide, are estimated,
say so in their row and in `status`, and a restart does not ask them again.
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

__all__ = ["mariadb", "postgres"]  # the fixtures

MILLION = 1_000_000
PASSWORD = "slow-Word-1"
WHOLE, CONDITION = "jira.guardrail.history.items", "jira.guardrail.issues.archived"
QUICK = "jira.guardrail.projects"
DAILY = "jira.guardrail.history.items_per_issue.max"


@pytest.fixture(params=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> Iterator[DemoDatabase]:
    """A Jira with a million single changes and issues or more, analysed, read by the product's own login."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        name = fill_postgres(server)
        server.execute(
            name,
            f"create role {USER} login superuser password '{PASSWORD}'",
            f"insert into changeitem (id, groupid) select 900000 + n, 1 from generate_series(1, {8 * MILLION}) n",
            f"insert into jiraissue (id, project, issuetype, archived) select 900000 + n, 1, '1',"
            f" case when n % 50 = 0 then 'Y' end from generate_series(1, {3 * MILLION}) n",
            "analyze changeitem",
            "analyze jiraissue",
        )
        url = f"jdbc:postgresql://{server.host}:{server.port}/{name}"
        yield DemoDatabase(url, "postgres72", "org.postgresql.Driver", PASSWORD)
        server.execute("postgres", f"drop database {name} with (force)", f"drop role {USER}")
        return
    other: MariaDbServer = request.getfixturevalue("mariadb")
    name = fill_mariadb(other)
    numbers = f"with recursive n (i) as (select 1 union all select i + 1 from n where i < {MILLION})"
    other.execute(
        f"create or replace user {USER}@'127.0.0.1' identified by '{PASSWORD}'",
        f"grant all privileges on {name}.* to {USER}@'127.0.0.1'",
        f"use {name}",
        "set session max_recursive_iterations = 2000000",
        f"insert into changeitem (id, groupid) {numbers} select 900000 + i, 1 from n",
        f"insert into jiraissue (id, project, issuetype, archived) {numbers}"
        " select 900000 + i, 1, '1', case when i % 50 = 0 then 'Y' end from n",
        "analyze table changeitem, jiraissue",
    )
    yield DemoDatabase(f"jdbc:mysql://{other.host}:{other.port}/{name}", "mysql8", "com.mysql.cj.jdbc.Driver", PASSWORD)
    other.execute(f"drop database {name}", f"drop user {USER}@'127.0.0.1'")


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


def test_a_million_rows_slide_and_are_estimated(tmp_path: Path, database: DemoDatabase) -> None:
    """Ended by the statement timeout, estimated in the same tick; the decision outlives a restart."""
    on_postgres = database.type == "postgres72"
    with running_agent(
        tmp_path, database=database, offline=True, database__statement_timeout="100ms", sampling__deadline="900ms"
    ) as agent:
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
        exact = (8 if on_postgres else 1) * MILLION + 18_000
        assert exact * 0.5 <= float(str(row.figures["last"])) <= exact * 1.5
        every_s = row.figures["every_s"]
        assert isinstance(every_s, int)
        assert every_s >= 10, "100 ms may be spent in 10 s"
        assert str(row.figures["as_of"]).endswith("Z") == on_postgres, "MariaDB does not tell a plain account"
        assert {"method", "as_of"} & found[QUICK].figures.keys() == set(), "what is counted at each tick"
        if on_postgres:
            condition = found[CONDITION]
            assert condition.figures["method"] == "estimate"
            assert 30_000 <= float(str(condition.figures["last"])) <= 120_000

        before = slow(agent)
        assert (before[WHOLE]["ended"], before[WHOLE]["estimated"]) == (True, True)
        assert (before[DAILY]["ended"], before[DAILY]["estimated"]) == (True, False), "nothing stands in for a maximum"
        assert before[DAILY]["everyS"] == 86_400
        assert QUICK not in before
        text = agent.run("status").stdout
        assert re.search(rf"Slow count +{WHOLE}: every \d+ s, last run was ended after 0\.\d+ s; estimated", text)
        assert re.search(rf"Slow count +{DAILY}: every 24 h, last run was ended after 0\.\d+ s$", text, re.MULTILINE)

        closed = newest(agent)
        assert agent.stop() == 0
        agent.start(ticks=2)
        agent.wait(lambda: newest(agent) > closed + timedelta(seconds=6) and counted(), 60)
        assert found[WHOLE].figures["method"] == "estimate"
        assert slow(agent)[DAILY]["lastRun"] == before[DAILY]["lastRun"], "not asked again after the restart"
        assert agent.stop() == 0
