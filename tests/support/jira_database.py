"""A small invented Jira database, with the schema of the demo, on SQLite, PostgreSQL or MariaDB."""

from __future__ import annotations

import sqlite3
import uuid
from pathlib import Path

from tests.support.mariadb import MariaDbServer
from tests.support.postgres import PostgresServer

SCHEMA = Path(__file__).parents[2] / "scripts" / "demo_product" / "jira_schema.sql"
ROWS = Path(__file__).with_name("jira_rows.sql")
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
    if without:
        connection.execute(f'drop table "{without}"')
    connection.commit()
    connection.close()
    return path


def fill_postgres(server: PostgresServer) -> str:
    """The name of a new PostgreSQL database with the demo's tables and rows."""
    name = server.create_database("jira")
    for file in (SCHEMA, ROWS):
        server.execute(name, file.read_text())
    return name


def fill_mariadb(server: MariaDbServer) -> str:
    """The name of a new MariaDB database with the demo's tables and rows."""
    import pymysql

    name = f"jira_{uuid.uuid4().hex[:8]}"
    server.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    with (
        pymysql.connect(unix_socket=str(server.folder / "socket"), user="root", database=name) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SET sql_mode = 'ANSI', max_recursive_iterations = 100000")
        for file in (SCHEMA, ROWS):
            for statement in file.read_text().split(";\n"):
                lines = [line for line in statement.splitlines() if line and not line.startswith("--")]
                if lines:
                    cursor.execute("\n".join(lines))
        connection.commit()
    return name
