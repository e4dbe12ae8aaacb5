"""Counts that take too long, through the real daemon on real servers with a million rows: they slide, are estimated,
say so in their row and in `status`, and a restart does not ask them again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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


@pytest.fixture(params=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> Iterator[DemoDatabase]:
    """A Jira with a million single changes and a million issues, analysed, read by the product's own login."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        name = fill_postgres(server)
        server.execute(
            name,
            f"create role {USER} login superuser password '{PASSWORD}'",
            f"insert into changeitem (id, groupid) select 900000 + n, 1 from generate_series(1, {MILLION}) n",
            f"insert into jiraissue (id, project, issuetype, archived) select 900000 + n, 1, '1',"
            f" case when n % 50 = 0 then 'Y' end from generate_series(1, {MILLION}) n",
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


def attributes(agent: RunningAgent, metric: str) -> list[dict[str, Any]]:
    """The attributes of every closed hour's row of a metric, oldest first."""
    return [
        json.loads(str(row[0]))
        for row in agent.query(f"select attributes from aggregate where metric = '{metric}' order by rowid")
    ]


def slow(agent: RunningAgent) -> dict[str, dict[str, Any]]:
    """The slow counts of `status` by metric."""
    return {item["metric"]: item for item in agent.status()["slowQueries"]}


def test_a_million_rows_slide_and_are_estimated(tmp_path: Path, database: DemoDatabase) -> None:
    """Ended by the statement timeout, estimated in the same tick; the decision outlives a restart."""
    with running_agent(
        tmp_path, database=database, offline=True, database__statement_timeout="100ms", sampling__deadline="900ms"
    ) as agent:
        agent.start(ticks=3)
        agent.wait(lambda: attributes(agent, WHOLE) and attributes(agent, QUICK), 60)
        first = slow(agent)
        print(json.dumps(first, indent=1)[:3000])
        print(attributes(agent, WHOLE), attributes(agent, CONDITION), attributes(agent, QUICK))
        print(agent.run("status").stdout)
        assert agent.stop() == 0
