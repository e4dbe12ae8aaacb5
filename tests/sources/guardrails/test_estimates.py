"""What stands in for a count: the noted size of a table, and what a planner expects of a condition."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import Engine

from agent.catalog import load_catalog, products
from agent.product.database.engine import open_engine
from agent.sources.guardrails.estimates import EXPLAIN, Estimates, Guess, planned_rows
from tests.support import roles, sources
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres
from tests.support.product_databases import COUNTS, fill_mariadb, fill_postgres, mariadb_engine
from tests.support.roles import drop_postgres_role, make_mariadb_role, make_postgres_role, postgres_login
from tests.support.sources import postgres_engine

__all__ = ["mariadb", "postgres"]  # the fixtures


def guesses(engine: Engine, product: str, query: str, dialect: str) -> dict[str, Guess]:
    catalog = load_catalog(product)
    with engine.connect() as connection:
        return Estimates(catalog.estimates, time.monotonic).ask(connection, dialect, catalog.queries[query])


def mysql(**table: object) -> dict[str, object]:
    return {"query_block": {"select_id": 1, "table": {"table_name": "t", **table}}}


@pytest.mark.parametrize(
    ("dialect", "answer", "rows"),
    [
        ("postgresql", [{"Plan": {"Node Type": "Seq Scan", "Plan Rows": 1234}}], 1234),
        ("postgresql", '[{"Plan": {"Plan Rows": 5}}]', 5),
        ("postgresql", [{"Plan": {"Plan Rows": -1}}], None),
        ("postgresql", [{"Plan": {"Plan Rows": True}}], None),
        ("postgresql", [{"Plan": []}], None),
        ("postgresql", [], None),
        ("postgresql", None, None),
        ("postgresql", "{not json", None),
        ("mysql", mysql(access_type="ref", used_key_parts=["a"], rows=70), 70),
        ("mysql", mysql(access_type="ref", used_key_parts=["a"], rows_examined_per_scan=80, filtered="100.00"), 80),
        ("mysql", mysql(access_type="ALL", rows=70, attached_condition="t.a = 'x'"), None),
        ("mysql", mysql(access_type="index", used_key_parts=["a"], rows=70), None),
        ("mysql", mysql(access_type="ref", used_key_parts=["a"], rows=7, attached_condition="t.b is null"), None),
        ("mysql", mysql(access_type="range", used_key_parts=["A"], rows=7, attached_condition="(`d`.`t`.`a` > 2)"), 7),
        ("mysql", mysql(access_type="ref", used_key_parts=["a"], rows=7, index_condition="t.a = 'x.y'"), 7),
        ("mysql", {"query_block": {"nested_loop": [{"table": {"access_type": "ref", "rows": 3}}]}}, 3),
        ("mysql", {"query_block": {"nested_loop": [{"table": {}}, {"table": {}}]}}, None),
        ("mysql", {"query_block": {"table": {"message": "Impossible WHERE"}}}, None),
        ("mysql", {"query_block": []}, None),
        ("mysql", b'{"query_block": {"table": {"access_type": "ref", "rows": 9}}}', 9),
    ],
)
def test_answers_of_planners(dialect: str, answer: object, rows: float | None) -> None:
    """Each server's form is read; a guess that no index decides, and what is no number, is no estimate."""
    assert planned_rows(dialect, answer) == rows


def test_content_by_kind_on_postgresql(postgres: PostgresServer) -> None:
    """Seven conditions on Confluence's largest table, each near the count, with the instant of the analysis."""
    name = fill_postgres("confluence", postgres)
    engine = postgres_engine(postgres, name)
    assert guesses(engine, "confluence", "content", "postgresql") == {}, "nobody knows a table never analysed"
    postgres.execute(name, "analyze content")
    found = guesses(engine, "confluence", "content", "postgresql")
    counted = COUNTS["confluence"]
    exact = {"pages": "pages", "blog_posts": "blog_posts", "comments": "comments", "attachments": "attachments"}
    exact |= {"indexed": "index.objects", "drafts": "drafts", "trash": "pages.trash"}
    assert found.keys() == exact.keys()
    for column, guess in found.items():
        count = counted[f"confluence.guardrail.{exact[column]}"]
        assert isinstance(count, int)
        assert guess.rows is not None
        assert count / 2 <= guess.rows <= count * 2, column
        assert guess.as_of.endswith("Z")


def test_nothing_is_run(postgres: PostgresServer) -> None:
    """The statements are explained only: the table is not touched, which the server's own figures show."""
    name = fill_postgres("bitbucket", postgres)
    postgres.execute(name, "analyze sta_pull_request", "select pg_stat_reset()")
    found = guesses(postgres_engine(postgres, name), "bitbucket", "pull_requests", "postgresql")
    assert {column: guess.rows for column, guess in found.items()} == {
        "total": 500,
        "open_now": 120,
        "merged": 330,
        "declined": 50,
    }
    postgres.execute(name, "select pg_stat_force_next_flush()")
    scans = "select seq_scan + coalesce(idx_scan, 0) from pg_stat_user_tables where relname = 'sta_pull_request'"
    assert postgres.execute(name, scans) == [(0,)]


def test_conditions_on_mariadb(mariadb: MariaDbServer) -> None:
    """Without an index MariaDB would guess blindly and is not believed; with one it counts pages of it."""
    name = fill_mariadb("bamboo", mariadb)
    mariadb.execute(f"analyze table {name}.BUILDRESULTSUMMARY")
    engine = mariadb_engine(mariadb, name)
    assert guesses(engine, "bamboo", "results", "mysql").keys() == {"total"}
    mariadb.execute(f"create index by_type on {name}.BUILDRESULTSUMMARY (build_type)")
    found = guesses(engine, "bamboo", "results", "mysql")
    assert found.keys() == {"total", "jobs", "plans", "branches"}
    assert {column: guess.rows for column, guess in found.items()}["branches"] == 50
    assert 300 <= (found["jobs"].rows or 0) <= 900
    assert found["total"].as_of == "unknown", "MariaDB does not tell a plain account since when it believes so"


def test_an_account_of_views_has_estimates_too(mariadb: MariaDbServer, postgres: PostgresServer) -> None:
    """On MariaDB by InnoDB's own notes, which say since when; on PostgreSQL as the product's account."""
    name = fill_mariadb("bamboo", mariadb)
    mariadb.execute(f"analyze table {name}.BUILDRESULTSUMMARY")
    login = make_mariadb_role(mariadb, name)
    guess = guesses(open_engine(login, 5), "bamboo", "results", "mysql")["total"]
    assert 800 <= (guess.rows or 0) <= 1000
    assert guess.as_of.endswith("Z")
    database = fill_postgres("bamboo", postgres)
    postgres.execute(database, "analyze buildresultsummary")
    make_postgres_role(postgres, database)
    try:
        found = guesses(open_engine(postgres_login(postgres, database), 5), "bamboo", "results", "postgresql")
        assert {column: guess.rows for column, guess in found.items()} == {
            "total": 900,
            "jobs": 600,
            "plans": 250,
            "branches": 50,
        }
    finally:
        drop_postgres_role(postgres, database)


@pytest.mark.parametrize("product", products())
def test_every_planned_statement_is_explained(postgres: PostgresServer, mariadb: MariaDbServer, product: str) -> None:
    """PostgreSQL and MariaDB explain each of them without an error, under the names the tables have there."""
    planned = [planned for query in load_catalog(product).queries.values() for planned in query.planned]
    if not planned:
        assert product == "crowd"
        return
    engines = {
        "postgresql": postgres_engine(postgres, roles.fill_postgres(product, postgres)),
        "mysql": sources.mariadb_engine(mariadb, roles.fill_mariadb(product, mariadb)),
    }
    for dialect, engine in engines.items():
        with engine.connect() as connection:
            for one in planned:
                words = EXPLAIN[dialect] + (one.texts.get(dialect) or one.texts[""])
                assert connection.exec_driver_sql(words).scalar()
