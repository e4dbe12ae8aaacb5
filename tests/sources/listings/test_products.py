"""Apps, flags, links and nodes of Confluence, Bitbucket and Crowd, read for real on three databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from agent.aggregation import events_between
from agent.catalog import load_catalog
from agent.model import ConsentLevel, Reading, Tick
from agent.sources.listings.source import REST_ONLY, Listing
from agent.store.snapshots import Snapshot
from tests.support.listings import LINK, START, change, rows
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer, postgres
from tests.support.product_databases import PLANTED, fill_mariadb, fill_postgres, fill_sqlite, mariadb_engine
from tests.support.sources import postgres_engine, sqlite_engine

__all__ = ["mariadb", "postgres"]  # the fixtures
LISTED = {
    "confluence": ("apps", "flags", "links"),
    "bitbucket": ("apps", "links"),
    "crowd": ("nodes",),
}
STATES: dict[str, dict[str, tuple[object, dict[str, object]]]] = {
    "confluence": {"com.atlassian.chart": ("disabled", {}), "com.quibble.payroll": ("enabled", {})},
    "bitbucket": {"com.atlassian.x": ("disabled", {}), "com.quibble.payroll": ("enabled", {})},
}
LINKS = {LINK: ("https://jira.example.com/jira", {"family": "jira"})}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Engine]:
    """Opens an engine on a new database of a product."""

    def opened(product: str) -> Engine:
        if request.param == "sqlite":
            return sqlite_engine(fill_sqlite(product, tmp_path / "db"))
        if request.param == "mariadb":
            server: MariaDbServer = request.getfixturevalue("mariadb")
            return mariadb_engine(server, fill_mariadb(product, server))
        other: PostgresServer = request.getfixturevalue("postgres")
        return postgres_engine(other, fill_postgres(product, other))

    return opened


def read(product: str, name: str, engine: Engine, level: ConsentLevel = ConsentLevel.BASIC) -> Reading:
    """One reading of one listing source."""
    return Listing(name, load_catalog(product), lambda: engine, lambda: level, now=lambda: START).read(30)


@pytest.mark.parametrize("product", LISTED)
def test_the_lists_there_are(product: str) -> None:
    """A product has the lists that its tables are known for, and no other."""
    assert lists(product) == LISTED[product]
    assert lists("bamboo") == ()


def lists(product: str) -> tuple[str, ...]:
    """The lists that are read from the database; the app manager may know apps where no table does."""
    catalog = load_catalog(product)
    names = ("apps", "flags", "links", "nodes")
    return tuple(name for name in names if any(metric.sql is not None for metric in catalog.of_source(name)))


def of_the_database(reading: Reading) -> dict[str, str]:
    """What is missing, but for what only the app manager knows."""
    return {failure.metric: failure.reason for failure in reading.failures if failure.detail != REST_ONLY}


@pytest.mark.parametrize("product", ["confluence", "bitbucket"])
def test_app_states(engine: Callable[[str], Engine], product: str) -> None:
    """Each app whose state is not its default, with its state; modules are no apps."""
    reading = read(product, "apps", engine(product))
    assert rows(reading, "app.state") == STATES[product]
    assert [sample.value for sample in reading.samples if sample.series.metric == "app.state.count"] == [2]
    assert of_the_database(reading) == {}


def test_apps_of_confluence(engine: Callable[[str], Engine]) -> None:
    """The apps that a person installed, without their jars."""
    found = rows(read("confluence", "apps", engine("confluence")), "app.installed")
    by_hand = ("unknown", {"origin": "user-installed"})
    assert found == {"com.atlassian.x": by_hand, "com.quibble.payroll": by_hand}


def test_flags_of_confluence(engine: Callable[[str], Engine]) -> None:
    """The flags of the site, each a series; those of another context are not read."""
    reading = read("confluence", "flags", engine("confluence"))
    found = {flag: state for flag, (state, _) in rows(reading, "feature_flag.site").items()}
    assert found == {"com.atlassian.editor.new": "enabled", "quibble.own.flag": "enabled"}
    assert [sample.value for sample in reading.samples if sample.series.metric == "feature_flag.site.count"] == [2]


def test_nodes_of_crowd(engine: Callable[[str], Engine]) -> None:
    """A node whose sign of life is older than the newest by more than 5 minutes is offline; host names are not read."""
    reading = read("crowd", "nodes", engine("crowd"))
    assert rows(reading, "cluster.node") == {"crowd-node-1": ("active", {}), "crowd-node-2": ("offline", {})}
    assert PLANTED not in repr(reading)


@pytest.mark.parametrize("product", ["confluence", "bitbucket"])
def test_authentication_settings_of_links_are_not_read(engine: Callable[[str], Engine], product: str) -> None:
    """Keys, secrets and addresses of a link's authentication stand beside it: none is read, not for its name either."""
    opened = engine(product)
    reading = read(product, "links", opened)
    assert rows(reading, "link.application") == LINKS
    assert PLANTED not in repr(reading).lower()
    named = read(product, "links", opened, ConsentLevel.EXTENDED)
    assert rows(named, "link.application")[LINK] == (
        LINKS[LINK][0],
        {"family": "jira", "name": "Planted tracker of Quibble"},
    )
    assert PLANTED not in repr(named).replace("Planted tracker", "")


@pytest.mark.parametrize("product", LISTED)
def test_nothing_planted_is_read(engine: Callable[[str], Engine], product: str) -> None:
    """Secrets, jars, names and texts of the same tables are in no reading of any list under Basic."""
    opened = engine(product)
    for name in LISTED[product]:
        assert PLANTED not in repr(read(product, name, opened)).lower()


@pytest.mark.parametrize(("name", "key"), [("flags", "confluence.darkfeature"), ("apps", "plugin.manager.state.Map")])
def test_form_that_is_not_known(tmp_path: Path, name: str, key: str) -> None:
    """A stored text that is not understood is not-supported, without a word of it, and there is no count."""
    path = fill_sqlite("confluence", tmp_path / "db")
    change(path, f"update bandana set bandanavalue = 'planted words' where bandanakey = '{key}'")
    reading = read("confluence", name, sqlite_engine(path))
    assert set(of_the_database(reading).values()) == {"not-supported"}
    assert PLANTED not in repr(reading)


def test_no_flag_was_ever_set(tmp_path: Path) -> None:
    """Without the row there are no flags, and the count says so."""
    path = fill_sqlite("confluence", tmp_path / "db")
    change(path, "delete from bandana where bandanakey = 'confluence.darkfeature'")
    reading = read("confluence", "flags", sqlite_engine(path))
    assert [(sample.series.metric, sample.value) for sample in reading.samples] == [("feature_flag.site.count", 0)]


CHANGES = {
    "confluence": (
        "flags",
        "update bandana set bandanavalue = '<string>quibble.own.flag,new.flag</string>'"
        " where bandanakey = 'confluence.darkfeature' and bandanacontext = '_GLOBAL'",
        {("event.feature_flag.set", "new.flag"), ("event.feature_flag.cleared", "com.atlassian.editor.new")},
    ),
    "bitbucket": (
        "apps",
        "update plugin_state set enabled = not enabled",
        {("event.app.enabled", "com.atlassian.x"), ("event.app.disabled", "com.quibble.payroll")},
    ),
    "crowd": (
        "nodes",
        "update cwd_cluster_heartbeat set hearbeat_timestamp = 1770000000000 where node_id = 'crowd-node-2';"
        " delete from cwd_cluster_heartbeat where node_id = 'crowd-node-1'",
        {("event.node.joined", "crowd-node-2"), ("event.node.left", "crowd-node-1")},
    ),
}


@pytest.mark.parametrize("product", CHANGES)
def test_changes_are_events(tmp_path: Path, product: str) -> None:
    """What changes between two readings of a real database is an event, with what changed as its tag."""
    name, statement, expected = CHANGES[product]
    path = fill_sqlite(product, tmp_path / "db")
    ticks = []
    for number in (1, 2):
        reading = read(product, name, sqlite_engine(path))
        ticks.append(Tick(START + timedelta(hours=number), reading.samples, (), number=number))
        change(path, statement)
    events, _ = events_between(Snapshot(), ticks)
    assert {(event.metric, event.tags[0][1]) for event in events} == expected


def test_disabled_app_of_confluence_is_an_event(tmp_path: Path) -> None:
    """An app that leaves the map of states is enabled again, one that enters it as false is disabled."""
    path = fill_sqlite("confluence", tmp_path / "db")
    ticks = []
    for number in (1, 2):
        reading = read("confluence", "apps", sqlite_engine(path))
        ticks.append(Tick(START + timedelta(hours=number), reading.samples, (), number=number))
        change(
            path,
            "update bandana set bandanavalue = '<map><entry><string>com.quibble.other</string>"
            "<boolean>false</boolean></entry></map>' where bandanakey = 'plugin.manager.state.Map'",
        )
    events, _ = events_between(Snapshot(), ticks)
    assert {(event.metric, event.tags[0][1]) for event in events} == {
        ("event.app.enabled", "com.atlassian.chart"),
        ("event.app.disabled", "com.quibble.other"),
    }
