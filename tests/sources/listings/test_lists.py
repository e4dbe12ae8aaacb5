"""Apps, flags, links and nodes of every product that lists them, read for real on every database that runs here."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from agent.aggregation import events_between
from agent.catalog import load_catalog, products
from agent.model import ConsentLevel, Reading, Tick
from agent.sources.listings.source import REST_ONLY, Listing
from agent.store.snapshots import Snapshot
from tests.support import filled
from tests.support.filled import DATABASES
from tests.support.listings import LINK, START, change, rows
from tests.support.mariadb import mariadb
from tests.support.postgres import postgres
from tests.support.product_databases import PLANTED, fill_sqlite
from tests.support.sources import sqlite_engine

__all__ = ["mariadb", "postgres"]  # the fixtures

NAMES = ("apps", "flags", "links", "nodes")
LISTED: dict[str, tuple[str, ...]] = {
    "jira": NAMES,
    "confluence": ("apps", "flags", "links"),
    "bitbucket": ("apps", "links"),
    "bamboo": (),
    "crowd": ("nodes",),
}
Rows = dict[str, tuple[object, dict[str, object]]]
BY_HAND: tuple[object, dict[str, object]] = ("unknown", {"origin": "user-installed"})
OF_JIRA: dict[str, object] = {"version": "9.12.4", "build": "9120004"}
# By product, list and metric: what stands in the rows, as consent Basic reads it.
ROWS: dict[tuple[str, str, str], Rows] = {
    ("jira", "apps", "app.installed"): {
        "com.atlassian.jira.plugins.webhooks": ("5.1-SNAPSHOT", {"state": "default", "name": "Webhooks"}),
        "com.atlassian.tutorial.planted": ("1.0", {"state": "default"}),
        "com.example.demo": ("1.0.0", {"state": "default"}),
        "com.onresolve.jira.groovy.groovyrunner": ("8.20.0", {"state": "disabled", "name": "ScriptRunner"}),
        "com.pyxis.greenhopper.jira": ("9.12.4", {"state": "default", "name": "Jira Software"}),
        "com.quibble.planted-payroll": ("2.1", {"state": "enabled"}),
        "planted key with spaces": ("unknown", {"state": "default"}),
    },
    ("jira", "flags", "feature_flag.site"): {
        "com.atlassian.jira.agile.darkfeature.splitissue": ("stored", {}),
        "planted.flag.of.quibble": ("stored", {}),
    },
    ("jira", "links", "link.application"): {
        LINK: ("https://wiki.example.com/wiki", {"family": "confluence"}),
        f"9999{LINK[4:]}": ("http://build.example.com", {"family": "other"}),
    },
    ("jira", "nodes", "cluster.node"): {
        "node-one": ("active", OF_JIRA),
        "node-three": ("active", OF_JIRA),
        "node-two": ("offline", OF_JIRA),
    },
    ("confluence", "apps", "app.installed"): {"com.atlassian.plugins.x": BY_HAND, "com.quibble.payroll": BY_HAND},
    ("confluence", "apps", "app.state"): {
        "com.atlassian.confluence.chart": ("disabled", {}),
        "com.quibble.payroll": ("enabled", {}),
    },
    ("confluence", "flags", "feature_flag.site"): {
        "com.atlassian.editor.new": ("enabled", {}),
        "quibble.own.flag": ("enabled", {}),
    },
    ("confluence", "links", "link.application"): {LINK: ("https://jira.example.com/jira", {"family": "jira"})},
    ("bitbucket", "apps", "app.state"): {
        "com.atlassian.plugins.x": ("disabled", {}),
        "com.quibble.payroll": ("enabled", {}),
    },
    ("bitbucket", "links", "link.application"): {LINK: ("https://jira.example.com/jira", {"family": "jira"})},
    # A node whose sign of life is older than the newest by more than 5 minutes is offline.
    ("crowd", "nodes", "cluster.node"): {"crowd-node-1": ("active", {}), "crowd-node-2": ("offline", {})},
}
COUNT = {"cluster.node": "cluster.nodes"}
LINKED = {"jira": "Planted wiki of Quibble", "confluence": "Planted tracker of Quibble"}
LINKED["bitbucket"] = LINKED["confluence"]
# What an app or flag of this site may be called, and is no name of a person, page or customer.
SITE = ("planted.flag.of.quibble", "com.atlassian.tutorial.planted", "com.quibble.planted-payroll", "planted key")


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """Each of them."""
    return str(request.param)


def read(product: str, name: str, engine: Engine, level: ConsentLevel = ConsentLevel.BASIC) -> Reading:
    """One reading of one listing source."""
    return Listing(name, load_catalog(product), lambda: engine, lambda: level, now=lambda: START).read(30)


def of_the_database(reading: Reading) -> dict[str, str]:
    """What is missing, but for what only the app manager knows."""
    return {failure.metric: failure.reason for failure in reading.failures if failure.detail != REST_ONLY}


def unnamed(reading: Reading) -> str:
    """All that a reading says but the keys of apps and flags."""
    text = repr(reading).lower()
    for word in SITE:
        text = text.replace(word, "")
    return text


@pytest.mark.parametrize("product", products())
def test_the_lists_there_are(product: str) -> None:
    """A product has the lists that its tables are known for, and no other; the app manager may know apps beside."""
    catalog = load_catalog(product)
    listed = tuple(name for name in NAMES if any(metric.sql is not None for metric in catalog.of_source(name)))
    assert listed == LISTED[product]
    assert tuple(name for name in NAMES if any(key[:2] == (product, name) for key in ROWS)) == listed


@pytest.mark.parametrize("product", [product for product, names in LISTED.items() if names])
def test_each_list(request: pytest.FixtureRequest, product: str, database: str) -> None:
    """Every row with value and attributes and how many there are; nothing of what stands beside them in the tables.

    Jars, modules of apps, flags of users and spaces, host names, keys and addresses of a link's login, users and
    queries in addresses, and under Basic the names of links and of apps that are not public.
    """
    engine = filled.shared(request, product, database).engine()
    for name in LISTED[product]:
        reading = read(product, name, engine)
        assert of_the_database(reading) == {}, name
        for (_, _, metric), expected in ((key, found) for key, found in ROWS.items() if key[:2] == (product, name)):
            assert rows(reading, metric) == expected
            counted = {s.series.metric: s.value for s in reading.samples}
            assert counted[COUNT.get(metric, f"{metric}.count")] == len(expected), metric
        assert PLANTED not in unnamed(reading), name


@pytest.mark.parametrize("product", LINKED)
def test_names_of_links_under_extended(request: pytest.FixtureRequest, product: str, database: str) -> None:
    """Under Extended a link has its name beside address and family, and still nothing of its login."""
    reading = read(product, "links", filled.shared(request, product, database).engine(), ConsentLevel.EXTENDED)
    value, attributes = ROWS[product, "links", "link.application"][LINK]
    assert rows(reading, "link.application")[LINK] == (value, {**attributes, "name": LINKED[product]})
    assert PLANTED not in repr(reading).replace(LINKED[product], "")


def test_names_of_jiras_apps_under_extended(request: pytest.FixtureRequest, database: str) -> None:
    """Under Extended each app has its name."""
    found = rows(
        read("jira", "apps", filled.shared(request, "jira", database).engine(), ConsentLevel.EXTENDED), "app.installed"
    )
    basic = ROWS["jira", "apps", "app.installed"]
    assert {key: value for key, (value, _) in found.items()} == {key: value for key, (value, _) in basic.items()}
    assert found["com.quibble.planted-payroll"][1]["name"] == "Planted payroll of Quibble"
    assert all("name" in attributes for _, attributes in found.values())


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
        {("event.app.enabled", "com.atlassian.plugins.x"), ("event.app.disabled", "com.quibble.payroll")},
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
        ("event.app.enabled", "com.atlassian.confluence.chart"),
        ("event.app.disabled", "com.quibble.other"),
    }
