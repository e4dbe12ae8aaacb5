"""Which tables a statement reads, and which of them PostgreSQL has."""

from __future__ import annotations

import pytest

from agent.sources.guardrails.tables import missing_tables, tables_of
from tests.support.jira_database import fill_postgres
from tests.support.postgres import PostgresServer
from tests.support.sources import catalog, postgres_engine


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("select count(*) from project", {"project"}),
        ("select count(*) from PROJECT p JOIN  Component c on 1 = 1", {"project", "component"}),
        ('select 1 from "AO_1_A" a left join "ao_b" b on true', {"AO_1_A", "ao_b"}),
        ("select max(n) from (select count(*) as n from jiraissue group by project) x", {"jiraissue"}),
        ("select 1 from dc_view.dc_props", set()),
        ("select 1 from generate_series(1, 2) g", set()),
        ("with x as (select 1 from project) select 1 from x", {"project"}),
    ],
)
def test_tables_of_a_statement(sql: str, tables: set[str]) -> None:
    """Names as PostgreSQL spells them; views of another schema, functions and the statement's own tables are none."""
    assert tables_of(sql) == tables


def test_every_statement_names_a_table() -> None:
    """Nothing of the catalog slips through: each statement for PostgreSQL reads at least one table."""
    for query in catalog().queries.values():
        sql = query.text("postgresql")
        assert sql is not None
        assert tables_of(sql) or query.name == "database", query.name  # the server's own version stands in no table


def test_what_postgresql_lacks(postgres: PostgresServer) -> None:
    """Only what is not there is missing; a table that the account may not read is there."""
    name = fill_postgres(postgres)
    postgres.execute(name, f"create role blind_{name} login password 'pw-{name}'")
    engine = postgres_engine(postgres, name, user=f"blind_{name}", password=f"pw-{name}")
    with engine.connect() as connection:
        wanted = ["jiraissue", "AO_60DB71_SPRINT", "AO_NONE_X", "ao_60db71_sprint"]
        assert missing_tables(connection, wanted) == {"AO_NONE_X", "ao_60db71_sprint"}
