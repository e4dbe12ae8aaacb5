"""A small invented Jira database, with the schema of the demo, on SQLite, PostgreSQL or MariaDB."""

from __future__ import annotations

import re
import sqlite3
import uuid
from contextlib import closing
from functools import cache
from pathlib import Path

from tests.support.mariadb import MariaDbServer
from tests.support.postgres import PostgresServer

SCHEMA = Path(__file__).parents[2] / "scripts" / "demo_product" / "jira_schema.sql"
ROWS = Path(__file__).with_name("jira_rows.sql")
# What jira_rows.sql puts in, counted by hand.
COUNTS = {
    "jira.safeguard.issue_comments.limit": 500,
    "jira.guardrail.projects": 12,
    "jira.guardrail.projects.active": 10,
    "jira.guardrail.projects.archived": 2,
    "jira.guardrail.issues": 3000,
    "jira.guardrail.issues.archived": 60,
    "jira.guardrail.issues.per_project.max": 1000,
    "jira.guardrail.epics": 260,
    "jira.guardrail.users": 250,
    "jira.guardrail.users.active": 225,
    "jira.guardrail.groups": 20,
    "jira.guardrail.memberships": 596,
    "jira.guardrail.memberships.nested": 4,
    "jira.guardrail.users_per_group.max": 119,
    "jira.guardrail.custom_fields": 60,
    "jira.guardrail.custom_fields.unused": 15,
    "jira.guardrail.custom_fields.contexts": 67,
    "jira.guardrail.custom_fields.global_contexts": 21,
    "jira.guardrail.custom_fields.values": 500,
    "jira.guardrail.comments": 8100,
    "jira.guardrail.comments.per_issue.max": 1105,
    "jira.guardrail.comments.issues_over_limit": 1,
    "jira.guardrail.comments.per_author.max": 1100,
    "jira.guardrail.history.per_issue.max": 5,
    "jira.guardrail.history.items_per_issue.max": 10,
    "jira.guardrail.history.groups": 9000,
    "jira.guardrail.history.items": 18000,
    "jira.guardrail.worklogs": 120,
    "jira.guardrail.links": 430,
    "jira.guardrail.links.per_issue.max": 30,
    "jira.guardrail.links.per_issue.incoming.max": 30,
    "jira.guardrail.attachments": 800,
    "jira.guardrail.attachments.bytes": 476_800_000,
    "jira.guardrail.attachments.size.max": 20_000_000,
    "jira.guardrail.attachments.big": 8,
    "jira.guardrail.boards": 14,
    "jira.guardrail.sprints": 120,
    "jira.guardrail.sprints.closed": 100,
    "jira.guardrail.workflows": 9,
    "jira.guardrail.schemes.workflow": 3,
    "jira.guardrail.schemes.permission": 2,
    "jira.guardrail.schemes.notification": 1,
    "jira.guardrail.schemes.security": 1,
    "jira.guardrail.schemes.screen": 2,
    "jira.guardrail.schemes.screens": 4,
    "jira.guardrail.schemes.field": 1,
    "jira.guardrail.statuses": 6,
    "jira.guardrail.issue_types": 5,
    "jira.guardrail.priorities": 4,
    "jira.guardrail.resolutions": 2,
    "jira.guardrail.screens": 15,
    "jira.guardrail.components": 40,
    "jira.guardrail.versions": 90,
    "jira.guardrail.filters": 110,
    "jira.guardrail.dashboards": 25,
    "jira.guardrail.subscriptions": 8,
    "jira.guardrail.nodes": 3,
    "jira.guardrail.nodes.active": 2,
    "jira.guardrail.index_operations": 505,
    "jira.guardrail.index_backlog": 45,
    "jira.guardrail.index_backlog.max": 40,
    "jira.guardrail.index.missing.issues": 7,
    "jira.guardrail.index.missing.comments": 11,
    "jira.guardrail.index.missing.worklogs": 3,
    "jira.guardrail.webhooks": 6,
    "jira.guardrail.webhooks.active": 4,
    "jira.guardrail.webhooks.listeners": 3,
    "jira.guardrail.webhooks.listeners.active": 1,
    "jira.guardrail.webhooks.plugin": 2,
    "jira.guardrail.webhooks.plugin.active": 2,
    "jira.guardrail.automation.rules": 9,
    "jira.guardrail.automation.rules.enabled": 5,
    "jira.guardrail.automation.rules.disabled": 3,
    "jira.guardrail.automation.queue": 17,
    "jsm.guardrail.service_desks": 5,
    "jsm.guardrail.service_desks.active": 4,
    "jsm.guardrail.request_types": 20,
    "jsm.guardrail.request_types.per_project.max": 11,
    "jsm.guardrail.queues": 14,
    "jsm.guardrail.queues.per_project.max": 10,
    "jsm.guardrail.sla.metrics": 4,
    "jsm.guardrail.sla.goals": 13,
    "jsm.guardrail.legacy_rules.sets": 3,
    "jsm.guardrail.legacy_rules": 4,
    "jsm.guardrail.legacy_rules.enabled": 3,
    "jsm.guardrail.message_queue.queues": 3,
    "jsm.guardrail.message_queue.messages": 14,
    "jsm.guardrail.message_queue.drift": 5,
    "assets.guardrail.objects": 100,
    "assets.guardrail.object_types": 6,
    "assets.guardrail.attributes": 250,
    "assets.guardrail.values": 400,
    "assets.guardrail.history": 320,
    "assets.guardrail.issue_links": 45,
    "assets.guardrail.schemas": 2,
    "assets.guardrail.objects.per_schema.max": 67,
}


def fill_sqlite(path: Path, *, without: str = "", rows: bool = True) -> Path:
    """A new SQLite database at `path`; `without` names a table that is dropped afterwards."""
    return write_sqlite(path, SCHEMA.read_text(), *([ROWS.read_text()] if rows else []), without=without)


def write_sqlite(path: Path, *scripts: str, without: str = "") -> Path:
    """A new SQLite database at `path` in which these scripts were run; they are run once, then copied."""
    path.write_bytes(_image(scripts))
    if without:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f'drop table "{without}"')
            connection.commit()
    return path


@cache
def _image(scripts: tuple[str, ...]) -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        for script in scripts:
            connection.executescript(script)
        return connection.serialize()


def fill_postgres(server: PostgresServer, *, rows: bool = True) -> str:
    """The name of a new PostgreSQL database with the demo's tables and rows."""
    return server.filled_database("jira", SCHEMA.read_text(), *([ROWS.read_text()] if rows else []))


def fill_mariadb(server: MariaDbServer) -> str:
    """The name of a new MariaDB database with the demo's tables and rows."""
    name = f"jira_{uuid.uuid4().hex[:8]}"
    # ANSI quotes are for filling only: the agent's own sessions keep the server's default, back-ticks.
    server.execute(
        f"create database {name} character set utf8mb4 collate utf8mb4_bin",
        f"use {name}",
        "set session sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT', max_recursive_iterations = 1000000",
        *(in_mariadb_words(line) for file in (SCHEMA, ROWS) for line in statements(file)),
    )
    return name


def statements(file: Path) -> list[str]:
    """The statements of a file that has one a line."""
    return [line.rstrip(";") for line in file.read_text().splitlines() if line.strip() and not line.startswith("--")]


def in_mariadb_words(sql: str) -> str:
    """A statement of ours as MariaDB has its types: a column of instants is a datetime there, as in Jira on MySQL."""
    return re.sub(r" timestamp(?=[,)])", " datetime", sql) if sql.startswith("create table") else sql
