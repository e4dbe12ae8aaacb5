"""Apps, links, flags, nodes and events from a real database to preview and bundle; planted names stay here."""

from __future__ import annotations

import sqlite3
import zipfile
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.catalog import load_catalog
from agent.model import ConsentLevel, hour_of
from agent.runtime.resident.concealing import TickConcealer
from agent.sampling import Sampler
from agent.sources.registry import open_sources
from agent.store import open_store
from agent.store.audit import record
from agent.store.database import FILE_NAME
from agent.store.ticks import TickWriter
from tests.support.listings import LINK, change, jira_sqlite
from tests.support.site import Agent, link_as, make_site

THIS_HOUR = hour_of(datetime.now(UTC)).start
FIRST = THIS_HOUR - timedelta(hours=3)
SECOND = THIS_HOUR - timedelta(hours=2)
# Names, secrets and what belongs to a person: never read under Basic.
NAMES = (
    "Planted",
    "planted-secret",
    "planted:planted",
    "planted=1",
    "-planted",
    "com.quibble.planted-type",
    "planted.user.flag",
    "JIRAUSER1",
)
# Technical ids that are read, and stored and sent as keyed hashes only.
IDS = ("lanted", "quibble", "node-one", "node-two", "BDEM-0000", LINK)


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """An offline agent beside a Jira database in a file."""
    path = jira_sqlite(tmp_path / "jira.db")
    text = f'[database]\nlogin = "own"\ndialect = "sqlite"\nname = "{path}"\n[jmx]\nenabled = false\n'
    return make_site(tmp_path, mode="offline", cloud=text)


def tick(agent: Agent, at: datetime, level: ConsentLevel = ConsentLevel.BASIC) -> None:
    """One tick of a daemon that was started for it: every source opened anew."""
    catalog = load_catalog("jira")
    conceal = TickConcealer(agent.settings, catalog, lambda: level)
    sampler = Sampler(open_sources(agent.settings, catalog, lambda: level), conceal)
    store = open_store(agent.settings.agent.state_dir)
    TickWriter(store, agent.settings.hour.length_s).append(sampler.take(at, 30))
    sampler.close()
    store.close()


def database(agent: Agent) -> Path:
    return Path(str(agent.settings.database.name))


def entries(agent: Agent, *options: str) -> list[dict[str, Any]]:
    """The entries of the newest closed hour as they would leave."""
    shown = agent.json("preview", *options)
    return [entry for batch in shown["batches"] for entry in batch["document"]["entries"]]


def stored(agent: Agent) -> str:
    """Everything in the agent's store, decompressed, with what SQLite left beside it."""
    words = []
    connection = sqlite3.connect(agent.settings.agent.state_dir / FILE_NAME)
    tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    for table in tables:
        for row in connection.execute(f"select * from {table}"):
            for value in row:
                if isinstance(value, bytes):
                    words.append(zlib.decompress(value, 47).decode())
                else:
                    words.append(str(value))
    connection.close()
    return "\n".join(words)


def test_changes_between_two_runs_of_the_agent_become_events(agent: Agent) -> None:
    """What changed while no agent ran is told once it runs again, once, and the first look tells nothing."""
    tick(agent, FIRST + timedelta(minutes=10))
    assert agent.json("deliver")["hoursClosed"] == 1
    assert [entry for entry in entries(agent) if entry["type"] == "SYSTEM_EVENT"] == []
    change(
        database(agent),
        "insert into pluginversion (id, pluginname, pluginkey, pluginversion)"
        " values (50, 'Planted later', 'com.quibble.planted-later', '3.0')",
        "update pluginversion set pluginversion = '8.21.0' where pluginkey like '%groovyrunner'",
        "delete from pluginstate where pluginkey like '%groovyrunner'",
        "delete from feature where id = 1",
        "update clusternode set node_state = 'ACTIVE' where node_id = 'node-two'",
    )
    store = open_store(agent.settings.agent.state_dir)
    record(store, SECOND + timedelta(minutes=5), "root", "consent.set", {"old": "extended", "new": "basic"})
    store.close()
    tick(agent, SECOND + timedelta(minutes=20))
    assert agent.json("deliver")["hoursClosed"] == 1
    found = {entry["metricName"]: entry for entry in entries(agent) if entry["type"] == "SYSTEM_EVENT"}
    assert found.keys() == {
        "event.app.installed",
        "event.app.updated",
        "event.app.enabled",
        "event.feature_flag.cleared",
        "event.node.joined",
        "event.agent.consent_changed",
    }
    updated = found["event.app.updated"]
    assert updated["tags"] == {"pluginKey": "com.onresolve.jira.groovy.groovyrunner"}
    assert updated["attributes"] == {
        "count": 1,
        "observed_from": f"{FIRST + timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}",
        "observed_to": f"{SECOND + timedelta(minutes=20):%Y-%m-%dT%H:%M:%SZ}",
        "from_version": "8.20.0",
        "to_version": "8.21.0",
        "unit": "{event}",
        "samples": 1,
        "expected": 1,
    }
    assert found["event.app.installed"]["tags"]["pluginKey"].startswith("h-")
    assert found["event.node.joined"]["tags"]["node"].startswith("n-")
    assert found["event.feature_flag.cleared"]["tags"]["flag"] == "com.atlassian.jira.agile.darkfeature.splitissue"
    assert found["event.agent.consent_changed"]["attributes"]["level"] == "basic"
    tick(agent, THIS_HOUR - timedelta(minutes=30))
    agent.json("deliver")
    assert [entry for entry in entries(agent) if entry["type"] == "SYSTEM_EVENT"] == []


def test_late_tick_tells_the_same_events_again_in_its_revision(agent: Agent) -> None:
    """An hour that is closed again is compared with the hour before it, not with itself."""
    tick(agent, SECOND + timedelta(minutes=10))
    agent.json("deliver")
    change(database(agent), "delete from feature where id = 1")
    tick(agent, SECOND + timedelta(minutes=70))
    agent.json("deliver")
    tick(agent, SECOND + timedelta(minutes=80))
    agent.json("deliver")
    shown = agent.json("preview")
    assert shown["window"]["revision"] == 1
    names = [entry["metricName"] for batch in shown["batches"] for entry in batch["document"]["entries"]]
    assert names.count("event.feature_flag.cleared") == 1


def test_planted_names_stay_here_under_basic(agent: Agent) -> None:
    """No planted name is in the tick store; no planted name or id is in preview, batches or the bundle."""
    tick(agent, FIRST + timedelta(minutes=10))
    agent.json("deliver")
    change(database(agent), "update feature set feature_name = 'planted.other' where id = 2")
    tick(agent, SECOND + timedelta(minutes=10))
    agent.json("deliver")
    everything = stored(agent)
    assert "com.onresolve.jira.groovy.groovyrunner" in everything, "the search looks where the data is"
    assert [word for word in (*NAMES, *IDS) if word in everything] == []
    shown = agent.run("preview", "--json").out
    assert "event.feature_flag" in shown
    assert [word for word in (*NAMES, *IDS) if word in shown] == []
    # a folder of its own: the daily bundle of the run above may be of the same second, and none is overwritten
    bundle = Path(agent.json("bundle", "--output", str(agent.settings.bundle_folder / "by-hand"))["bundle"])
    with zipfile.ZipFile(bundle) as archive:
        text = "".join(archive.read(name).decode() for name in archive.namelist())
    assert "app.installed" in text
    assert [word for word in (*NAMES, *IDS) if word in text] == []


def test_names_under_extended(agent: Agent) -> None:
    """Read under Extended, names leave under Extended only: the same hour under Basic is without them."""
    link_as(agent, ConsentLevel.EXTENDED)
    tick(agent, FIRST + timedelta(minutes=10), ConsentLevel.EXTENDED)
    agent.json("deliver")
    extended = {
        e["tags"].get("pluginKey"): e for e in entries(agent, "--level", "extended") if e["type"] == "APP_USAGE"
    }
    payroll = extended["com.quibble.planted-payroll"]
    assert payroll["attributes"]["name"] == "Planted payroll of Quibble"
    assert payroll["attributes"]["value"] == "2.1"
    basic = [entry for entry in entries(agent, "--level", "basic") if entry["type"] == "APP_USAGE"]
    assert "lanted" not in repr(basic)
    public = next(e for e in basic if e["tags"].get("pluginKey") == "com.onresolve.jira.groovy.groovyrunner")
    assert (public["attributes"]["name"], public["attributes"]["state"]) == ("ScriptRunner", "disabled")
    links = [entry for entry in entries(agent, "--level", "extended") if entry["metricName"] == "link.application"]
    assert {entry["attributes"].get("name") for entry in links} == {"Planted wiki of Quibble", None}
    assert LINK not in repr(links)
