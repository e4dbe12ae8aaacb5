"""The Jira database of the other tests with apps, flags and links, and the sources that list them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from agent.model import ConsentLevel, Reading
from agent.sources.listings.source import Listing
from tests.support.jira_database import ROWS, SCHEMA, write_sqlite
from tests.support.licences import licence_text
from tests.support.postgres import PostgresServer
from tests.support.sources import catalog

APPS = Path(__file__).with_name("jira_apps.sql")
START = datetime(2026, 11, 22, 19, 0, 30, tzinfo=UTC)
LICENCE = f"insert into productlicense values (7, '{licence_text()}');"
LINK = "0a0b0c0d-1111-3222-8333-444455556666"


def jira_sqlite(path: Path) -> Path:
    """A new SQLite database with every row."""
    return write_sqlite(path, SCHEMA.read_text(), ROWS.read_text(), APPS.read_text(), LICENCE)


def jira_postgres(server: PostgresServer) -> str:
    """The name of a new PostgreSQL database with every row."""
    return server.filled_database("jira", SCHEMA.read_text(), ROWS.read_text(), APPS.read_text(), LICENCE)


def change(path: Path, *statements: str) -> None:
    """Change a SQLite database as the product would."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.executescript(statement)
    connection.commit()
    connection.close()


def listing(
    name: str,
    engine: Callable[[], Engine],
    level: ConsentLevel = ConsentLevel.BASIC,
    now: Callable[[], datetime] = lambda: START,
    tick_s: float = 120.0,
) -> Listing:
    """A listing source of Jira."""
    return Listing(name, catalog(), engine, lambda: level, tick_s=tick_s, now=now)


def rows(reading: Reading, metric: str) -> dict[str, tuple[object, dict[str, object]]]:
    """Value and attributes of a metric by the value of its one tag."""
    return {
        sample.series.tags[0][1]: (sample.value, dict(sample.attributes))
        for sample in reading.samples
        if sample.series.metric == metric
    }


def reasons(reading: Reading) -> dict[str, str]:
    """Why something is missing."""
    return {failure.metric: failure.reason for failure in reading.failures}
