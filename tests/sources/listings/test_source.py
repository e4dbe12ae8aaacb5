"""Listings: apps, flags, links and nodes from real databases, and what consent Basic never asks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from agent.errors import SourceError
from agent.model import ConsentLevel
from agent.sources.listings.source import Listing
from tests.support.listings import START, change, jira_postgres, jira_sqlite, listing, reasons, rows
from tests.support.mariadb import mariadb
from tests.support.postgres import PostgresServer
from tests.support.sources import accepted, catalog, postgres_engine, sqlite_engine

__all__ = ["mariadb"]
REST_ONLY = {"instance.sen": "not-due"}  # only the app manager knows it


def extended_statements() -> list[str]:
    """Jira's statements for consent extended, as PostgreSQL logs them."""
    queries = [query for query in catalog().queries.values() if query.consent is ConsentLevel.EXTENDED]
    assert len(queries) > 1
    return [" ".join((query.text("postgresql") or "").split()).lower() for query in queries]


@pytest.mark.parametrize(("level", "asked"), [(ConsentLevel.BASIC, False), (ConsentLevel.EXTENDED, True)])
def test_server_never_sees_a_statement_for_names_under_basic(
    postgres: PostgresServer, level: ConsentLevel, asked: bool
) -> None:
    """PostgreSQL's own log of all statements: none for names under Basic, and no key of a private app as parameter."""
    name = jira_postgres(postgres)
    before = len(postgres.log())
    postgres.execute("postgres", f"alter database {name} set log_statement = 'all'")
    for source in ("apps", "flags", "links", "nodes"):
        listing(source, lambda: postgres_engine(postgres, name), level).read(30)
    postgres.execute("postgres", f"alter database {name} reset log_statement")
    log = " ".join(postgres.log()[before:].split()).lower()
    assert "from pluginversion" in log
    assert "groovyrunner" in log
    assert ("quibble" in log) is False
    assert ("applinks.admin.%.name" in log) is asked
    assert [words for words in extended_statements() if words in log] == (extended_statements() if asked else [])


def test_consent_is_asked_at_each_read(tmp_path: Path) -> None:
    """A level that is lowered between two reads counts at once: the next read asks for no names."""
    path = jira_sqlite(tmp_path / "jira.db")
    now = [START]
    levels = [ConsentLevel.EXTENDED]
    source = Listing("apps", catalog(), lambda: sqlite_engine(path), lambda: levels[0], now=lambda: now[0])
    assert "Planted" in repr(accepted(source))
    levels[0] = ConsentLevel.BASIC
    now[0] += timedelta(hours=1)
    assert "Planted" not in repr(accepted(source))


def test_once_an_hour(tmp_path: Path) -> None:
    """Apps are read at the first tick of an hour and are not-due at the others; nodes are read at each tick."""
    path = jira_sqlite(tmp_path / "jira.db")
    now = [START]
    apps = listing("apps", lambda: sqlite_engine(path), now=lambda: now[0])
    nodes = listing("nodes", lambda: sqlite_engine(path), now=lambda: now[0])
    for minutes, due in ((0, True), (2, False), (58, False), (59, False), (60, True), (62, False), (119.9, True)):
        now[0] = START + timedelta(minutes=minutes)
        reading = accepted(apps)
        assert bool(reading.samples) is due, minutes
        assert due or set(reasons(reading).values()) == {"not-due"}
        assert accepted(nodes).samples


def test_rows_that_came_too_late_are_asked_for_again(tmp_path: Path) -> None:
    """Not once an hour, since they do not count; nor each tick, when reading them takes longer than a tick's share."""
    path = jira_sqlite(tmp_path / "jira.db")
    now_s, took_s = [0.0], [0.0]

    def slow() -> Engine:
        engine = sqlite_engine(path)
        event.listen(engine, "before_cursor_execute", lambda *_: now_s.__setitem__(0, now_s[0] + took_s[0]))
        return engine

    def due(apps: Listing) -> bool:
        return bool(apps.read(30).samples)

    apps = Listing(
        "apps", catalog(), slow, lambda: ConsentLevel.BASIC, tick_s=120, now=lambda: START, clock=lambda: now_s[0]
    )
    assert [due(apps) for _ in range(3)] == [True] * 3, "quick ones: as if they had not been read"
    took_s[0] = 20.0
    assert due(apps)
    reading = apps.read(30)
    assert "came too late" in next(failure.detail for failure in reading.failures if failure.metric == "app.installed")
    now_s[0] += 100 * 20 * 8 * 3  # its share of time for the statements of this list, doubled for the runs in a row
    assert accepted(apps).samples
    assert not due(apps), "good for the hour"


def test_more_rows_than_allowed_are_cut_and_said(tmp_path: Path) -> None:
    """The first rows are taken, the rest is rows-cut, and there is no count to take the list for whole."""
    path = jira_sqlite(tmp_path / "jira.db")
    full = catalog()
    own = replace(full, queries={**full.queries, "apps": replace(full.queries["apps"], rows=3)})
    reading = Listing("apps", own, lambda: sqlite_engine(path), lambda: ConsentLevel.BASIC, now=lambda: START).read(30)
    assert len(rows(reading, "app.installed")) == 3
    assert reasons(reading) == {"app.installed": "rows-cut", "app.installed.count": "rows-cut", **REST_ONLY}
    assert len(reading.samples) == 3


def test_missing_table_is_asked_once_an_hour(tmp_path: Path) -> None:
    """A table that is not there is not-present at each tick and costs one statement an hour."""
    path = jira_sqlite(tmp_path / "jira.db")
    change(path, "drop table clusternode")
    asked: list[str] = []
    opened = sqlite_engine(path)
    event.listen(opened, "before_cursor_execute", lambda c, k, statement, *rest: asked.append(statement))
    now = [START]
    source = listing("nodes", lambda: opened, now=lambda: now[0])
    for minutes in (0, 2, 4, 60):
        now[0] = START + timedelta(minutes=minutes)
        assert reasons(accepted(source)) == {"cluster.node": "not-present", "cluster.nodes": "not-present"}
    assert len(asked) == 2


def test_odd_text_is_cleaned(tmp_path: Path) -> None:
    """Control and bidi characters are gone, long text is cut, a row without a key is told."""
    path = jira_sqlite(tmp_path / "jira.db")
    change(
        path,
        "insert into feature values (9, 'a\u202e' || char(27) || '[31mb', 'site', ''), (10, '', 'site', '')",
        f"insert into feature values (11, '{'x' * 5000}', 'site', '')",
    )
    reading = listing("flags", lambda: sqlite_engine(path)).read(30)
    found = rows(reading, "feature_flag.site")
    assert "a[31mb" in found
    assert max(map(len, found)) == 200
    assert reasons(reading) == {"feature_flag.site": "not-present"}
    assert [s.value for s in reading.samples if s.series.metric == "feature_flag.site.count"] == [4]


def test_database_that_is_away_is_an_error_and_asked_again(tmp_path: Path) -> None:
    """Nothing read is a SourceError; the hour is not spent, so the next tick asks again."""
    path = tmp_path / "jira.db"
    source = listing("apps", lambda: sqlite_engine(path))
    with pytest.raises(SourceError):
        accepted(source)
    jira_sqlite(path)
    assert accepted(source).samples


def test_restricted_text_of_a_listing(tmp_path: Path) -> None:
    """A list may have a restricted text as a guardrail has; where both fail, the first failure is told."""
    path = jira_sqlite(tmp_path / "jira.db")
    full = catalog()
    viewed = replace(full.queries["flags"], restricted={"": "select flag, 'stored' as state from site_flags"})
    own = replace(full, queries={**full.queries, "flags": viewed})
    change(path, "alter table feature rename to gone")
    source = Listing("flags", own, lambda: sqlite_engine(path), lambda: ConsentLevel.BASIC, now=lambda: START)
    assert reasons(accepted(source)) == {"feature_flag.site": "not-present", "feature_flag.site.count": "not-present"}
    change(path, "create view site_flags as select feature_name as flag from gone where feature_type = 'site'")
    source = Listing("flags", own, lambda: sqlite_engine(path), lambda: ConsentLevel.BASIC, now=lambda: START)
    assert len(rows(accepted(source), "feature_flag.site")) == 2
