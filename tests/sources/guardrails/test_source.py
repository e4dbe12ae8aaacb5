"""Guardrails: what happens when a query cannot run, costs too much or answers oddly; test_counts.py has the counts."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, event, text

from agent.catalog import Catalog, DataType, Estimate, NullMeans, SqlBinding, SqlQuery
from agent.errors import SourceError
from agent.model import Kind, Reading, Sample
from agent.sources.governor import CostGovernor
from agent.sources.guardrails.source import Guardrails
from tests.support import filled
from tests.support.jira_database import fill_mariadb, fill_postgres, fill_sqlite
from tests.support.mariadb import MariaDbServer
from tests.support.postgres import PostgresServer
from tests.support.sources import (
    accepted,
    catalog,
    guardrails_source,
    jmx_metric,
    mariadb_engine,
    postgres_engine,
    sqlite_engine,
)
from tests.support.stopwatch import Stopwatch


def counts(reading: Reading) -> dict[str, object]:
    return {sample.series.metric: sample.value for sample in reading.samples}


def reasons(reading: Reading) -> dict[str, str]:
    return {failure.metric: failure.reason for failure in reading.failures}


def small(**statements: str) -> Catalog:
    """A catalog of one query each, column n, cheap names for odd statements."""
    metrics, queries = {}, {}
    for name, sql in statements.items():
        metric = replace(
            jmx_metric(f"test.{name}", "x", "y", Kind.GAUGE), source="guardrails", bindings=(SqlBinding(name, "n"),)
        )
        metrics[metric.name] = metric
        queries[name] = SqlQuery(name, {"": sql}, "", "S", "", NullMeans.NOT_PRESENT)
    return Catalog("jira", metrics, "f-test", queries)


def test_index_is_not_judged_before_jira_9(tmp_path: Path) -> None:
    """A healthy 8.11 has many issues without an index version, so there they are not counted at all."""
    path = fill_sqlite(tmp_path / "jira.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("update propertystring set propertyvalue = '811001' where id = 4")
        connection.commit()
    found = reasons(guardrails_source(path).read(30))
    assert found["jira.guardrail.index.missing.issues"] == "not-present"


def test_missing_table_is_not_present(tmp_path: Path) -> None:
    """Without Jira Software the sprint guardrails are not-present, the others stand, and it is not asked each tick."""
    now = [1000.0]
    path = fill_sqlite(tmp_path / "jira.db", without="AO_60DB71_SPRINT")
    asked: list[str] = []
    engine = sqlite_engine(path)
    event.listen(engine, "before_cursor_execute", lambda c, k, statement, *rest: asked.append(statement))
    source = Guardrails(catalog(), lambda: engine, clock=lambda: now[0])
    first = accepted(source)
    assert reasons(first) == {
        "jira.guardrail.sprints": "not-present",
        "jira.guardrail.sprints.closed": "not-present",
    }
    assert counts(first)["jira.guardrail.issues"] == 3000
    now[0] += 120
    assert reasons(accepted(source)) == reasons(first)
    now[0] += 3600
    accepted(source)
    assert len([statement for statement in asked if "AO_60DB71_SPRINT" in statement]) == 2


def test_missing_column_on_postgresql_costs_only_itself(postgres: PostgresServer) -> None:
    """A column that an older Jira lacks is not-present; the transaction after it works."""
    name = fill_postgres(postgres)
    postgres.execute(name, "alter table customfield drop column issueswithvalue")
    reading = Guardrails(catalog(), lambda: postgres_engine(postgres, name)).read(30)
    assert reasons(reading) == {"jira.guardrail.custom_fields.unused": "not-present"}
    assert counts(reading)["jira.guardrail.custom_fields"] == 60


def test_permission_denied_is_named(request: pytest.FixtureRequest, postgres: PostgresServer) -> None:
    """A table without a grant is permission-denied, not missing and not zero."""
    name = filled.shared(request, "jira", "postgresql").name
    postgres.execute(
        name,
        f"create role reader_{name} login password 'pw-{name}'",
        f"grant select on all tables in schema public to reader_{name}",
        f"revoke select on cwd_user from reader_{name}",
    )
    engine = postgres_engine(postgres, name, user=f"reader_{name}", password=f"pw-{name}")
    reading = Guardrails(catalog(), lambda: engine).read(30)
    assert reasons(reading) == {
        "jira.guardrail.users": "permission-denied",
        "jira.guardrail.users.active": "permission-denied",
    }


def test_slow_query_costs_only_itself(request: pytest.FixtureRequest, postgres: PostgresServer) -> None:
    """The statement timeout ends the slow one on the server; the others give their samples."""
    name = filled.shared(request, "jira", "postgresql").name
    own = small(slow="select 1 as n from (select pg_sleep(60)) x", quick="select count(*) as n from project")
    watch = Stopwatch()
    reading = Guardrails(own, lambda: postgres_engine(postgres, name, timeout_s=0.3)).read(30)
    assert watch.elapsed_s < 10
    assert counts(reading) == {"test.quick": 12}
    assert reasons(reading) == {"test.slow": "timeout"}
    left = postgres.execute(
        name,
        "select count(*) from pg_stat_activity"
        " where query like '%pg_sleep%' and state = 'active' and pid <> pg_backend_pid()",
    )
    assert left == [(0,)]


def test_slow_query_on_sqlite_is_interrupted(tmp_path: Path) -> None:
    """SQLite has no server to end a statement: its progress handler does."""
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) as n from n"
    path = fill_sqlite(tmp_path / "jira.db")
    own = small(endless=endless, quick="select count(*) as n from project")
    reading = Guardrails(own, lambda: sqlite_engine(path, 0.2)).read(30)
    assert counts(reading) == {"test.quick": 12}
    assert reasons(reading) == {"test.endless": "timeout"}


def test_cannot_write(request: pytest.FixtureRequest, postgres: PostgresServer) -> None:
    """A statement that writes is refused by the session, even with the right to."""
    name = filled.shared(request, "jira", "postgresql").name
    own = small(writes="with gone as (delete from project returning 1) select count(*) as n from gone")
    with_reason = Guardrails(own, lambda: postgres_engine(postgres, name)).read(30)
    assert reasons(with_reason) == {"test.writes": "read-only"}
    assert postgres.execute(name, "select count(*) from project") == [(12,)]


def test_lost_connection_keeps_what_came_before(request: pytest.FixtureRequest, postgres: PostgresServer) -> None:
    """A backend that is ended in the middle: samples before it count, the rest is named, the next read works."""
    name = filled.shared(request, "jira", "postgresql").name
    own = small(
        a="select count(*) as n from project",
        b="select count(*) as n from (select pg_terminate_backend(pg_backend_pid())) x where 1 = 1",
        c="select count(*) as n from cwd_group",
    )
    own.queries["b"].texts[""]
    source = Guardrails(own, lambda: postgres_engine(postgres, name))
    reading = accepted(source)
    assert counts(reading) == {"test.a": 12}
    assert reasons(reading) == {"test.b": "connection-lost", "test.c": "connection-lost"}
    assert counts(accepted(source))["test.c"] == 20


def test_one_connection_and_none_between_reads(postgres: PostgresServer) -> None:
    """At most one connection while reading, none afterwards."""
    name = postgres.create_database("lone")
    own = small(n=f"select count(*) as n from pg_stat_activity where datname = '{name}'")
    source = Guardrails(own, lambda: postgres_engine(postgres, name))
    assert counts(accepted(source)) == {"test.n": 1}
    with psycopg.connect(postgres.superuser_dsn) as other:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            row = other.execute("select count(*) from pg_stat_activity where datname = %s", (name,)).fetchone()
            other.rollback()
            if row == (0,):
                break
        assert row == (0,)


def test_refused_login_is_one_error_without_the_password(
    request: pytest.FixtureRequest, postgres: PostgresServer
) -> None:
    """A wrong password is a SourceError with cause and advice; the password is nowhere in it or behind it."""
    name = filled.shared(request, "jira", "postgresql").name
    source = Guardrails(catalog(), lambda: postgres_engine(postgres, name, password="planted-wrong-word"))
    with pytest.raises(SourceError) as caught:
        accepted(source)
    assert caught.value.reason == "login-refused"
    assert caught.value.do
    assert "planted-wrong-word" not in f"{caught.value!r}{caught.value}{caught.value.__cause__!r}"


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select null as n", "not-present"),
        ("select 'many' as n", "not-a-number"),
        ("select 9e999 as n", "not-finite"),
        ("select 1 as n where 1 = 0", "not-present"),
        ("select 1 as other", "not-present"),
        ("selec 1 as n", "database-error"),
    ],
)
def test_odd_answers_are_failures(tmp_path: Path, sql: str, reason: str) -> None:
    """NULL, text, infinity, no row, another column, an error: each a reason, never a number."""
    path = fill_sqlite(tmp_path / "jira.db")
    reading = Guardrails(small(odd=sql, fine="select 1 as n"), lambda: sqlite_engine(path)).read(30)
    assert reasons(reading) == {"test.odd": reason}
    assert counts(reading) == {"test.fine": 1}


@pytest.mark.parametrize(("sql", "value"), [("select '42' as n", 42), ("select 1.5 as n", 1.5), ("select 3.0 as N", 3)])
def test_numbers_in_other_clothes(tmp_path: Path, sql: str, value: float) -> None:
    """Numbers as text, fractions and columns in capitals are read; a whole number is an int."""
    path = fill_sqlite(tmp_path / "jira.db")
    found = counts(Guardrails(small(odd=sql), lambda: sqlite_engine(path)).read(30))["test.odd"]
    assert found == value
    assert isinstance(found, int) == (value == int(value))


def test_query_over_its_budget_is_not_due(tmp_path: Path) -> None:
    """A query whose last run took more than 1 % of the time since then waits, and says so."""
    path = fill_sqlite(tmp_path / "jira.db")
    now = [0.0]
    governor = CostGovernor()
    governor.note("costly", 0.0, 3.0)
    own = small(costly="select 1 as n", cheap="select 2 as n")
    source = Guardrails(own, lambda: sqlite_engine(path), governor=governor, clock=lambda: now[0])
    now[0] = 120.0
    reading = accepted(source)
    assert counts(reading) == {"test.cheap": 2}
    (failure,) = reading.failures
    assert (failure.metric, failure.reason) == ("test.costly", "not-due")
    assert "180 s" in failure.detail
    now[0] = 301.0
    assert counts(accepted(source))["test.costly"] == 1


def test_query_that_cannot_end_in_time_is_not_begun(tmp_path: Path) -> None:
    """With less time left than its last run took, a query is left out with the reason deadline."""
    path = fill_sqlite(tmp_path / "jira.db")
    governor = CostGovernor()
    governor.note("costly", -1000.0, 3.0)
    own = small(costly="select 1 as n", cheap="select 2 as n")
    reading = Guardrails(own, lambda: sqlite_engine(path), governor=governor, clock=lambda: 0.0).read(2.0)
    assert counts(reading) == {"test.cheap": 2}
    assert reasons(reading) == {"test.costly": "deadline"}


def test_dialect_without_a_statement_is_not_supported(tmp_path: Path) -> None:
    """A query that has only an Oracle form is named on SQLite, not guessed."""
    own = small(odd="select 1 as n")
    own.queries["odd"].texts.clear()  # type: ignore[attr-defined]  # the test's own dict
    path = fill_sqlite(tmp_path / "jira.db")
    reading = Guardrails(own, lambda: create_engine(f"sqlite:///{os.fspath(path)}")).read(30)
    assert reasons(reading) == {"test.odd": "not-supported"}


def test_missing_apps_cost_postgresql_no_error(postgres: PostgresServer) -> None:
    """Tables of apps that are not installed are looked up, not asked for: the server's log stays free of errors."""
    name = fill_postgres(postgres)
    for table in ("AO_54307E_QUEUE", "AO_8542F1_IFJ_OBJ", "AO_8542F1_IFJ_OBJ_TYPE", "AO_319474_MESSAGE"):
        postgres.execute(name, f'drop table "{table}"')
    with engine_with_errors(postgres_engine(postgres, name)) as (engine, errors):
        source = Guardrails(catalog(), lambda: engine)
        found = reasons(accepted(source))
        assert set(found.values()) == {"not-present"}
        assert {metric.split(".")[0] for metric in found} == {"jsm", "assets"}
        assert len(found) == 9
        later = reasons(accepted(source))
        assert {metric for metric, reason in later.items() if reason == "not-present"} == found.keys()
    assert errors == []
    postgres.execute(name, 'create table "AO_54307E_QUEUE" ("ID" integer, "PROJECT_ID" bigint)')
    assert counts(Guardrails(catalog(), lambda: postgres_engine(postgres, name)).read(30))["jsm.guardrail.queues"] == 0


def test_missing_apps_on_mariadb(mariadb: MariaDbServer) -> None:
    """Without the tables of an app its guardrails are not-present, the others stand, and each is asked for once."""
    name = fill_mariadb(mariadb)
    mariadb.execute(f"drop table {name}.AO_54307E_SERVICEDESK", f"alter table {name}.customfield drop issueswithvalue")
    with engine_with_errors(mariadb_engine(mariadb, name)) as (engine, errors):
        source = Guardrails(catalog(), lambda: engine)
        first = accepted(source)
        second = accepted(source)
    assert reasons(first).items() <= reasons(second).items()
    assert reasons(first) == dict.fromkeys(
        (
            *("jsm.guardrail.service_desks", "jsm.guardrail.service_desks.active"),
            *("jsm.guardrail.sla.metrics", "jsm.guardrail.sla.goals"),
            "jira.guardrail.custom_fields.unused",
        ),
        "not-present",
    )
    assert counts(first)["jsm.guardrail.queues"] == 14
    assert len(errors) == 4


def test_restricted_text_stands_in_for_a_forbidden_column(postgres: PostgresServer) -> None:
    """An account that may not read authors counts through the view of its role script, each time without an error."""
    name = fill_postgres(postgres)
    reader, password = f"narrow_{name}", f"pw-{name}"
    postgres.execute(
        name,
        f"create role {reader} login password '{password}'",
        f"grant select on all tables in schema public to {reader}",
        f"revoke select on jiraaction from {reader}",
        f"grant select (id, issueid, actiontype) on jiraaction to {reader}",
    )
    refused = "permission denied for table jiraaction"
    before = postgres.log().count(refused)  # the server is one for all files: others are refused there too
    source = Guardrails(catalog(), lambda: postgres_engine(postgres, name, user=reader, password=password))
    lacking = reasons(accepted(source))
    assert lacking == {"jira.guardrail.comments.per_author.max": "permission-denied"}, "not that the view is missing"
    view = "select count(*) as n from jiraaction where actiontype = 'comment' group by author"
    postgres.execute(
        name, f"create view comments_by_author as {view}", f"grant select on comments_by_author to {reader}"
    )
    source = Guardrails(catalog(), lambda: postgres_engine(postgres, name, user=reader, password=password))
    reading = accepted(source)
    assert reasons(reading) == {}
    assert counts(reading)["jira.guardrail.comments.per_author.max"] == 1100
    assert postgres.log().count(refused) - before == 2


def estimating(costly: str) -> Catalog:
    """A catalog of one costly count whose table can be estimated."""
    own = small(costly=costly)
    (metric,) = own.metrics.values()
    listed = {"method": DataType.STATE, "as_of": DataType.STATE, "every_s": DataType.MEASUREMENT}
    query = replace(own.queries["costly"], cost="L", estimate=Estimate("jiraissue", "n"))
    return replace(
        own,
        metrics={metric.name: replace(metric, attributes=listed)},
        queries={"costly": query},
        estimates=catalog().estimates,
    )


def only(reading: Reading) -> Sample:
    """The one sample there is."""
    (sample,) = reading.samples
    return sample


def test_exact_says_so(request: pytest.FixtureRequest, postgres: PostgresServer) -> None:
    """A count that could be estimated says that it was counted, and how often at most."""
    name = filled.shared(request, "jira", "postgresql").name
    governor = CostGovernor(tick_s=120)
    own = estimating("select count(*) as n from jiraissue")
    sample = only(Guardrails(own, lambda: postgres_engine(postgres, name), governor=governor).read(30))
    assert sample.value == 3000
    assert dict(sample.attributes) == {"method": "exact", "every_s": 120}


def test_estimate_after_a_timeout(request: pytest.FixtureRequest, postgres: PostgresServer) -> None:
    """A count that the statement timeout ended is estimated in the same tick and until it is due again."""
    name = filled.shared(request, "jira", "postgresql").name
    postgres.execute(name, "analyze jiraissue")
    governor = CostGovernor(tick_s=120)
    own = estimating("select count(*) as n from jiraissue, (select pg_sleep(60)) x")
    later = [0.0]
    source = Guardrails(
        own,
        lambda: postgres_engine(postgres, name, timeout_s=0.3),
        governor=governor,
        clock=lambda: time.monotonic() + later[0],
    )
    for later[0] in (0.0, 10.0):
        sample = only(accepted(source))
        assert sample.value == 3000
        facts = dict(sample.attributes)
        assert facts["method"] == "estimate"
        assert str(facts["as_of"]).endswith("Z")
        assert str(facts["as_of"])[:4].isdigit()
    (cost,) = governor.remember(time.monotonic(), datetime.now(UTC))
    assert cost.timeouts == 1
    assert cost.estimated


def test_estimate_when_the_budget_allows_less_than_hourly(
    request: pytest.FixtureRequest, postgres: PostgresServer
) -> None:
    """A count of 40 s may run each 67 minutes: in between the planner speaks, then the count again."""
    name = filled.shared(request, "jira", "postgresql").name
    postgres.execute(name, "analyze jiraissue")
    now = [100_000.0]
    governor = CostGovernor(tick_s=120)
    governor.note("costly", 99_000.0, 40.0)
    own = estimating("select count(*) as n from jiraissue")
    source = Guardrails(own, lambda: postgres_engine(postgres, name), governor=governor, clock=lambda: now[0])
    assert dict(only(accepted(source, 60)).attributes)["method"] == "estimate"
    assert dict(only(accepted(source, 60)).attributes)["every_s"] == 4080
    now[0] = 103_000.0
    assert dict(only(accepted(source, 60)).attributes) == {"method": "exact", "every_s": 120}


def test_no_estimate_is_not_present(postgres: PostgresServer) -> None:
    """A table that was never analysed has -1 rows for the planner: nobody knows, and that is no number."""
    name = postgres.create_database("bare")
    postgres.execute(
        name, "create table bare (id integer) with (autovacuum_enabled = off)", "insert into bare values (1), (2)"
    )
    governor = CostGovernor()
    governor.note("costly", time.monotonic(), 60.0)
    own = estimating("select count(*) as n from bare")
    own = replace(own, queries={"costly": replace(own.queries["costly"], estimate=Estimate("bare", "n"))})
    reading = Guardrails(own, lambda: postgres_engine(postgres, name), governor=governor).read(30)
    assert reading.samples == ()
    assert reasons(reading) == {"test.costly": "not-present"}


def test_estimate_on_mariadb(request: pytest.FixtureRequest, mariadb: MariaDbServer) -> None:
    """InnoDB's own number, quoted upper-case tables too; here it does not tell since when it believes so."""
    name = filled.shared(request, "jira", "mariadb").name
    mariadb.execute(f"analyze table {name}.jiraissue")
    governor = CostGovernor(tick_s=120)
    governor.note("costly", time.monotonic(), 60.0)
    own = estimating("select count(*) as n from jiraissue")
    sample = only(Guardrails(own, lambda: mariadb_engine(mariadb, name), governor=governor).read(30))
    assert isinstance(sample.value, int)
    assert 1500 < sample.value < 4500
    assert dict(sample.attributes) == {"method": "estimate", "as_of": "unknown", "every_s": 6000}


def test_without_an_estimate_the_reason_stays(tmp_path: Path) -> None:
    """SQLite has no idea of its tables: what is not due stays not due."""
    path = fill_sqlite(tmp_path / "jira.db")
    governor = CostGovernor()
    governor.note("costly", time.monotonic(), 60.0)
    own = estimating("select count(*) as n from jiraissue")
    assert reasons(Guardrails(own, lambda: sqlite_engine(path), governor=governor).read(30)) == {
        "test.costly": "not-due"
    }


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
def test_estimated_tables_exist(request: pytest.FixtureRequest, dialect: str) -> None:
    """Each table that the catalog would estimate is found by PostgreSQL and MariaDB under that very name."""
    wanted = [query.estimate.table for query in catalog().queries.values() if query.estimate is not None]
    assert wanted
    sql = text(catalog().estimates[dialect])
    database = {"mysql": "mariadb"}.get(dialect, dialect)
    with filled.shared(request, "jira", database).engine().connect() as connection:
        found = {table: len(connection.execute(sql, {"wanted": table}).all()) for table in wanted}
    assert found == dict.fromkeys(wanted, 1)


@contextmanager
def engine_with_errors(engine: Engine) -> Iterator[tuple[Engine, list[str]]]:
    """The engine, and every error that a statement on it made the server report."""
    errors: list[str] = []
    event.listen(engine, "handle_error", lambda context: errors.append(str(context.statement)))
    yield engine, errors
    engine.dispose()
