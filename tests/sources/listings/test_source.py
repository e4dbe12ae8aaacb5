"""Listings: apps, flags, links and nodes from real databases, and what consent Basic never asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from agent.catalog import load_catalog
from agent.errors import SourceError
from agent.model import ConsentLevel
from agent.sources.listings.source import Listing
from tests.support.listings import LINK, START, change, jira_postgres, jira_sqlite, listing, reasons, rows
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.mariadb_engine import mariadb_engine
from tests.support.postgres import PostgresServer
from tests.support.sources import accepted, catalog, postgres_engine, sqlite_engine

__all__ = ["mariadb"]
REST_ONLY = {"instance.sen": "not-due"}  # only the app manager knows it
APPS = {
    "com.atlassian.jira.plugins.webhooks": ("5.1-SNAPSHOT", {"state": "default", "name": "Webhooks"}),
    "com.atlassian.tutorial.planted": ("1.0", {"state": "default"}),
    "com.example.demo": ("1.0.0", {"state": "default"}),
    "com.onresolve.jira.groovy.groovyrunner": ("8.20.0", {"state": "disabled", "name": "ScriptRunner"}),
    "com.pyxis.greenhopper.jira": ("9.12.4", {"state": "default", "name": "Jira Software"}),
    "com.quibble.planted-payroll": ("2.1", {"state": "enabled"}),
    "planted key with spaces": ("unknown", {"state": "default"}),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Engine]:
    """The same rows on each database."""
    if request.param == "sqlite":
        path = jira_sqlite(tmp_path / "jira.db")
        return lambda: sqlite_engine(path)
    server: PostgresServer = request.getfixturevalue("postgres")
    name = jira_postgres(server)
    return lambda: postgres_engine(server, name)


def test_apps_under_basic(engine: Callable[[], Engine]) -> None:
    """Each app with version and state; the name of public ones only, of others only the numbers of the version."""
    reading = listing("apps", engine).read(30)
    assert rows(reading, "app.installed") == APPS
    assert [sample.value for sample in reading.samples if sample.series.metric == "app.installed.count"] == [7]
    assert reasons(reading) == REST_ONLY


def test_apps_under_extended(engine: Callable[[], Engine]) -> None:
    """Under Extended each app has its name."""
    found = rows(listing("apps", engine, ConsentLevel.EXTENDED).read(30), "app.installed")
    assert {key: value for key, (value, _) in found.items()} == {key: value for key, (value, _) in APPS.items()}
    assert found["com.quibble.planted-payroll"][1]["name"] == "Planted payroll of Quibble"
    assert all("name" in attributes for _, attributes in found.values())


def test_links(engine: Callable[[], Engine]) -> None:
    """Address without user, query and fragment, product family of a known word; a link without address is left out."""
    reading = listing("links", engine).read(30)
    assert rows(reading, "link.application") == {
        LINK: ("https://wiki.example.com/wiki", {"family": "confluence"}),
        f"9999{LINK[4:]}": ("http://build.example.com", {"family": "other"}),
    }
    assert "planted" not in repr(reading)
    named = rows(listing("links", engine, ConsentLevel.EXTENDED).read(30), "link.application")
    assert named[LINK][1]["name"] == "Planted wiki of Quibble"


def test_flags_of_the_site_only(engine: Callable[[], Engine]) -> None:
    """Flags of users are not read; empty and missing user keys both mean the site."""
    assert rows(listing("flags", engine).read(30), "feature_flag.site").keys() == {
        "com.atlassian.jira.agile.darkfeature.splitissue",
        "planted.flag.of.quibble",
    }


def test_nodes(engine: Callable[[], Engine]) -> None:
    """Nodes with state, version and build."""
    assert rows(listing("nodes", engine).read(30), "cluster.node") == {
        "node-one": ("active", {"version": "9.12.4", "build": "9120004"}),
        "node-three": ("active", {"version": "9.12.4", "build": "9120004"}),
        "node-two": ("offline", {"version": "9.12.4", "build": "9120004"}),
    }


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


CONFLUENCE = (
    "create table BANDANA (BANDANAID bigint primary key, BANDANACONTEXT varchar(255), BANDANAKEY varchar(100),"
    " BANDANAVALUE longtext)",
    "create table PLUGINDATA (PLUGINDATAID bigint primary key, PLUGINKEY varchar(255), FILENAME varchar(255),"
    " LASTMODDATE datetime, DATA longblob)",
    "insert into PLUGINDATA values (1, 'com.quibble.planted', 'planted.jar', null, 'planted'),"
    " (2, 'com.atlassian.x', 'x.jar', null, null)",
    f"insert into BANDANA values (1, '_GLOBAL', 'applinks.admin.{LINK}.display.url',"
    " '<string>https://planted@jira.example.com/jira?planted=1</string>'),"
    f" (2, '_GLOBAL', 'applinks.admin.{LINK}.type', '<string>jira</string>'),"
    f" (3, '_GLOBAL', 'applinks.admin.{LINK}.name', '<string>Planted</string>'),"
    " (4, '_GLOBAL', 'synchrony_collaborative_editor_app_secret', '<string>planted-secret</string>')",
)
BITBUCKET = (
    "create table plugin_setting (namespace varchar(255), key_name varchar(255), key_value text, id bigint)",
    "create table plugin_state (name varchar(255), enabled boolean, updated_timestamp bigint)",
    f"insert into plugin_setting values ('x', 'applinks.admin.{LINK}.rpc.url', 'https://jira.example.com/', 1),"
    f" ('x', 'applinks.admin.{LINK}.type', 'jira', 2), ('x', 'applinks.admin.{LINK}.name', 'Planted', 3)",
    "insert into plugin_state values ('com.atlassian.x', false, 1), ('com.quibble.planted', true, 2),"
    " ('com.atlassian.x:planted-module', false, 3)",
)
HERE = {LINK: ("https://jira.example.com", {"family": "jira"})}


def product_listing(product: str, name: str, engine: Callable[[], Engine], level: ConsentLevel) -> Listing:
    return Listing(name, load_catalog(product), engine, lambda: level, now=lambda: START)


def test_confluence_on_mariadb(mariadb: MariaDbServer) -> None:
    """Confluence on MySQL has upper-case tables; values are unwrapped; the jar and other keys are not read."""
    open_engine = mariadb_engine(mariadb, "confluence_apps", *CONFLUENCE)
    reading = product_listing("confluence", "links", open_engine, ConsentLevel.BASIC).read(30)
    assert rows(reading, "link.application") == {LINK: ("https://jira.example.com/jira", {"family": "jira"})}
    assert "lanted" not in repr(reading)
    named = product_listing("confluence", "links", open_engine, ConsentLevel.EXTENDED).read(30)
    assert rows(named, "link.application")[LINK][1]["name"] == "Planted"
    apps = product_listing("confluence", "apps", open_engine, ConsentLevel.BASIC).read(30)
    assert rows(apps, "app.installed") == {
        "com.atlassian.x": ("unknown", {"origin": "user-installed"}),
        "com.quibble.planted": ("unknown", {"origin": "user-installed"}),
    }


def test_confluence_on_postgresql(postgres: PostgresServer) -> None:
    """The same on PostgreSQL, where the names are lower-case."""
    name = postgres.create_database("confluence")
    types = (("longtext", "text"), ("longblob", "bytea"), ("datetime", "timestamp"))
    for statement in CONFLUENCE:
        for old, new in types:
            statement = statement.replace(old, new)
        postgres.execute(name, statement)
    open_engine = lambda: postgres_engine(postgres, name)  # noqa: E731  # one word for two uses
    reading = product_listing("confluence", "links", open_engine, ConsentLevel.BASIC).read(30)
    assert rows(reading, "link.application") == {LINK: ("https://jira.example.com/jira", {"family": "jira"})}
    apps = product_listing("confluence", "apps", open_engine, ConsentLevel.BASIC).read(30)
    assert rows(apps, "app.installed").keys() == {"com.atlassian.x", "com.quibble.planted"}


def test_bitbucket_on_postgresql(postgres: PostgresServer) -> None:
    """Links from plugin_setting, apps whose state was changed from plugin_state; modules are no apps."""
    name = postgres.create_database("bitbucket")
    postgres.execute(name, *BITBUCKET)
    open_engine = lambda: postgres_engine(postgres, name)  # noqa: E731  # one word for two uses
    reading = product_listing("bitbucket", "links", open_engine, ConsentLevel.BASIC).read(30)
    assert rows(reading, "link.application") == HERE
    apps = product_listing("bitbucket", "apps", open_engine, ConsentLevel.BASIC).read(30)
    assert rows(apps, "app.state") == {"com.atlassian.x": ("disabled", {}), "com.quibble.planted": ("enabled", {})}


def test_jira_on_mariadb(mariadb: MariaDbServer) -> None:
    """Jira's listings run on MySQL's dialect too, per cent signs of LIKE included."""
    tables = (
        "create table pluginversion (id bigint, pluginname varchar(255), pluginkey varchar(255),"
        " pluginversion varchar(255))",
        "create table pluginstate (pluginkey varchar(255), pluginenabled varchar(60))",
        "create table feature (id bigint, feature_name varchar(255), feature_type varchar(10), user_key varchar(255))",
        "create table clusternode (node_id varchar(60), node_state varchar(60), node_build_number bigint,"
        " node_version varchar(60))",
        "create table propertyentry (id bigint, entity_name varchar(255), entity_id bigint,"
        " property_key varchar(255), propertytype bigint)",
        "create table propertystring (id bigint, propertyvalue text)",
    )
    planted = Path(__file__).parents[2] / "support" / "jira_apps.sql"
    statements = [line for line in planted.read_text().splitlines() if line.startswith("insert")]
    open_engine = mariadb_engine(mariadb, "jira_apps", *tables, *statements)
    for source, metric, count in (("apps", "app.installed", 5), ("flags", "feature_flag.site", 2)):
        reading = listing(source, open_engine).read(30)
        assert len(rows(reading, metric)) == count
        assert reasons(reading) == (REST_ONLY if source == "apps" else {})
    assert rows(listing("links", open_engine).read(30), "link.application")[LINK][0] == "https://wiki.example.com/wiki"
    assert listing("nodes", open_engine).read(30).samples[0].value == 0


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
