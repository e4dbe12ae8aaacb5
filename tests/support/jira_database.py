"""A small invented Jira database, with the schema of the demo, on SQLite or PostgreSQL."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.support.postgres import PostgresServer

SCHEMA = Path(__file__).parents[2] / "scripts" / "demo_product" / "jira_schema.sql"
ROWS = Path(__file__).with_name("jira_rows.sql")
TIME_ZONE = """
insert into propertyentry (id, entity_name, entity_id, property_key, propertytype)
values (20, 'jira.properties', 1, 'jvm.system.timezone', 5);
insert into propertystring (id, propertyvalue) values (20, 'Etc/UTC')
"""
# What jira_rows.sql puts in, counted by hand.
COUNTS = {
    "jira.guardrail.projects": 12,
    "jira.guardrail.issues": 3000,
    "jira.guardrail.issues.archived": 60,
    "jira.guardrail.users": 250,
    "jira.guardrail.users.active": 225,
    "jira.guardrail.groups": 20,
    "jira.guardrail.memberships": 596,
    "jira.guardrail.memberships.nested": 4,
    "jira.guardrail.custom_fields": 60,
    "jira.guardrail.custom_fields.unused": 15,
    "jira.guardrail.custom_fields.contexts": 68,
    "jira.guardrail.custom_fields.global_contexts": 22,
    "jira.guardrail.comments": 7000,
    "jira.guardrail.attachments": 800,
    "jira.guardrail.attachments.size.max": 20_000_000,
    "jira.guardrail.attachments.big": 8,
    "jira.guardrail.boards": 14,
    "jira.guardrail.sprints": 120,
    "jira.guardrail.sprints.closed": 100,
    "jira.guardrail.schemes.workflow": 3,
    "jira.guardrail.statuses": 6,
    "jira.guardrail.nodes": 2,
    "jira.guardrail.nodes.active": 1,
}


def fill_sqlite(path: Path, *, without: str = "", rows: bool = True) -> Path:
    """A new SQLite database at `path`; `without` names a table that is dropped afterwards."""
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA.read_text())
    if rows:
        connection.executescript(ROWS.read_text())
        connection.executescript(TIME_ZONE)
    if without:
        connection.execute(f'drop table "{without}"')
    connection.commit()
    connection.close()
    return path


def fill_postgres(server: PostgresServer) -> str:
    """The name of a new PostgreSQL database with the demo's tables and rows."""
    name = server.create_database("jira")
    server.execute(name, SCHEMA.read_text(), ROWS.read_text(), TIME_ZONE)
    return name
