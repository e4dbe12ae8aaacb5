"""Guardrails: real queries on SQLite and PostgreSQL, and what happens when they cannot run."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, event

from agent.catalog import Catalog, NullMeans, SqlBinding, SqlQuery
from agent.errors import SourceError
from agent.model import Kind, Reading
from agent.sources.governor import CostGovernor
from agent.sources.guardrails import Guardrails
from tests.support.jira_database import COUNTS, fill_postgres, fill_sqlite
from tests.support.postgres import PostgresServer
from tests.support.sources import catalog, guardrails_source, jmx_metric, postgres_engine, sqlite_engine

INSTANCE = {
    "product.version": "9.12.4",
    "product.build": "9120004",
    "instance.base_url": "https://jira.example.com",
    "instance.server_id": "BDEM-0000-TEST-0000",
    "instance.time_zone": "Etc/UTC",
    "database.kind": "sqlite",
}


def counts(reading: Reading) -> dict[str, object]:
    return {sample.series.metric: sample.value for sample in reading.samples}


def reasons(reading: Reading) -> dict[str, str]:
    return {failure.metric: failure.reason for failure in reading.failures}


def small(**statements: str) -> Catalog:
    """A catalog of one query each, column n, cheap names for odd statements."""
    metrics, queries = {}, {}
    for name, sql in statements.items():
        metric = replace(
            jmx_metric(f"test.{name}", "x", "y", Kind.GAUGE), source="guardrails", jmx=None, sql=SqlBinding(name, "n")
        )
        metrics[metric.name] = metric
        queries[name] = SqlQuery(name, {"": sql}, "", "S", "", NullMeans.NOT_PRESENT)
    return Catalog("jira", metrics, "f-test", queries)


def test_counts_on_sqlite(tmp_path: Path) -> None:
    """Every guardrail is right on the embedded database."""
    reading = guardrails_source(fill_sqlite(tmp_path / "jira.db")).read(30)
    found = counts(reading)
    assert {name: found.get(name) for name in COUNTS} == COUNTS
    assert reading.failures == ()
    assert reading.costs_s.keys() == {metric.sql.query for metric in catalog().of_source("guardrails") if metric.sql}


def test_counts_on_postgresql(postgres: PostgresServer) -> None:
    """Every guardrail is right on PostgreSQL, quoted upper-case tables and numeric sums as plain ints included."""
    name = fill_postgres(postgres)
    reading = Guardrails(catalog(), lambda: postgres_engine(postgres, name)).read(30)
    found = counts(reading)
    assert {metric: found.get(metric) for metric in COUNTS} == COUNTS
    assert reading.failures == ()
    assert re.match(r"\d+\.\d+", str(found.pop("database.version")))
    texts = {metric: found.pop(metric) for metric in INSTANCE}
    assert texts == INSTANCE | {"database.kind": "postgresql"}
    assert {type(value) for value in found.values()} == {int}


def test_both_databases_agree(tmp_path: Path, postgres: PostgresServer) -> None:
    """SQLite and PostgreSQL give the same for the same rows, every metric of the catalog."""
    name = fill_postgres(postgres)
    ours = counts(guardrails_source(fill_sqlite(tmp_path / "jira.db")).read(30))
    theirs = counts(Guardrails(catalog(), lambda: postgres_engine(postgres, name)).read(30))
    assert {metric for metric in ours if ours[metric] != theirs.get(metric)} == {"database.kind", "database.version"}
    assert len(ours) == len(theirs) == len(catalog().of_source("guardrails"))


def test_empty_database_gives_zeros(tmp_path: Path) -> None:
    """Tables without rows count 0, sums too where the header says so; nothing fails."""
    reading = guardrails_source(fill_sqlite(tmp_path / "jira.db", rows=False)).read(30)
    found = counts(reading)
    assert found.pop("database.kind") == "sqlite"
    assert found.pop("database.version")
    assert set(found.values()) == {0}
    assert reasons(reading) == dict.fromkeys(INSTANCE.keys() - {"database.kind"}, "not-present")


def test_missing_table_is_not_present(tmp_path: Path) -> None:
    """Without Jira Software the sprint guardrails are not-present, the others stand, and it is not asked each tick."""
    now = [1000.0]
    path = fill_sqlite(tmp_path / "jira.db", without="AO_60DB71_SPRINT")
    asked: list[str] = []
    engine = sqlite_engine(path)
    event.listen(engine, "before_cursor_execute", lambda c, k, statement, *rest: asked.append(statement))
    source = Guardrails(catalog(), lambda: engine, clock=lambda: now[0])
    first = source.read(30)
    assert reasons(first) == {
        "jira.guardrail.sprints": "not-present",
        "jira.guardrail.sprints.closed": "not-present",
    }
    assert counts(first)["jira.guardrail.issues"] == 3000
    now[0] += 120
    assert reasons(source.read(30)) == reasons(first)
    now[0] += 3600
    source.read(30)
    assert len([statement for statement in asked if "AO_60DB71_SPRINT" in statement]) == 2


def test_missing_column_on_postgresql_costs_only_itself(postgres: PostgresServer) -> None:
    """A column that an older Jira lacks is not-present; the transaction after it works."""
    name = fill_postgres(postgres)
    postgres.execute(name, "alter table customfield drop column issueswithvalue")
    reading = Guardrails(catalog(), lambda: postgres_engine(postgres, name)).read(30)
    assert reasons(reading) == {"jira.guardrail.custom_fields.unused": "not-present"}
    assert counts(reading)["jira.guardrail.custom_fields"] == 60


def test_permission_denied_is_named(postgres: PostgresServer) -> None:
    """A table without a grant is permission-denied, not missing and not zero."""
    name = fill_postgres(postgres)
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


def test_slow_query_costs_only_itself(postgres: PostgresServer) -> None:
    """The statement timeout ends the slow one on the server; the others give their samples."""
    name = fill_postgres(postgres)
    own = small(slow="select 1 as n from (select pg_sleep(60)) x", quick="select count(*) as n from project")
    began = time.monotonic()
    reading = Guardrails(own, lambda: postgres_engine(postgres, name, timeout_s=0.3)).read(30)
    assert time.monotonic() - began < 10
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


def test_cannot_write(postgres: PostgresServer) -> None:
    """A statement that writes is refused by the session, even with the right to."""
    name = fill_postgres(postgres)
    own = small(writes="with gone as (delete from project returning 1) select count(*) as n from gone")
    with_reason = Guardrails(own, lambda: postgres_engine(postgres, name)).read(30)
    assert reasons(with_reason) == {"test.writes": "read-only"}
    assert postgres.execute(name, "select count(*) from project") == [(12,)]


def test_lost_connection_keeps_what_came_before(postgres: PostgresServer) -> None:
    """A backend that is ended in the middle: samples before it count, the rest is named, the next read works."""
    name = fill_postgres(postgres)
    own = small(
        a="select count(*) as n from project",
        b="select count(*) as n from (select pg_terminate_backend(pg_backend_pid())) x where 1 = 1",
        c="select count(*) as n from cwd_group",
    )
    own.queries["b"].texts[""]
    source = Guardrails(own, lambda: postgres_engine(postgres, name))
    reading = source.read(30)
    assert counts(reading) == {"test.a": 12}
    assert reasons(reading) == {"test.b": "connection-lost", "test.c": "connection-lost"}
    assert counts(source.read(30))["test.c"] == 20


def test_one_connection_and_none_between_reads(postgres: PostgresServer) -> None:
    """At most one connection while reading, none afterwards."""
    name = fill_postgres(postgres)
    own = small(n=f"select count(*) as n from pg_stat_activity where datname = '{name}'")
    source = Guardrails(own, lambda: postgres_engine(postgres, name))
    assert counts(source.read(30)) == {"test.n": 1}
    with psycopg.connect(postgres.superuser_dsn) as other:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            row = other.execute("select count(*) from pg_stat_activity where datname = %s", (name,)).fetchone()
            other.rollback()
            if row == (0,):
                break
        assert row == (0,)


def test_refused_login_is_one_error_without_the_password(postgres: PostgresServer) -> None:
    """A wrong password is a SourceError with cause and advice; the password is nowhere in it or behind it."""
    name = fill_postgres(postgres)
    source = Guardrails(catalog(), lambda: postgres_engine(postgres, name, password="planted-wrong-word"))
    with pytest.raises(SourceError) as caught:
        source.read(30)
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
    reading = source.read(30)
    assert counts(reading) == {"test.cheap": 2}
    (failure,) = reading.failures
    assert (failure.metric, failure.reason) == ("test.costly", "not-due")
    assert "180 s" in failure.detail
    now[0] = 301.0
    assert counts(source.read(30))["test.costly"] == 1


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
