"""Apps from the app manager to preview and bundle: no storm of events when the source changes, nothing personal."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.catalog import load_catalog
from agent.model import ConsentLevel
from agent.runtime.resident.concealing import TickConcealer
from agent.sampling import Sampler
from agent.settings.load import load_settings
from agent.sources.registry import open_sources
from agent.store import open_store
from agent.store.ticks import TickWriter
from tests.runtime.test_events_end_to_end import THIS_HOUR, entries, link_as, stored
from tests.support.app_manager import PERSONAL, SEN, TOKEN, AppManagerServer, app, app_manager
from tests.support.jvm import write_secret
from tests.support.listings import jira_sqlite
from tests.support.site import Agent, make_site

PAYROLL = "com.quibble.planted-payroll"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AppManagerServer]:
    with app_manager(tmp_path) as running:
        yield running


@pytest.fixture
def agent(tmp_path: Path, server: AppManagerServer) -> Agent:
    """An offline agent beside a Jira database in a file and Jira's app manager."""
    path = jira_sqlite(tmp_path / "jira.db")
    token = write_secret(tmp_path / "token", TOKEN + "\n")
    text = f'[database]\nlogin = "own"\ndialect = "sqlite"\nname = "{path}"\n[jmx]\nenabled = false\n'
    text += f'[apps]\nrest_url = "{server.url}"\ntoken_file = "{token}"\nca_file = "{server.ca_file}"\n'
    return make_site(tmp_path, mode="offline", cloud=text)


def hour(agent: Agent, number: int, *, rest: bool = True, level: ConsentLevel = ConsentLevel.BASIC) -> None:
    """One tick of a daemon that was started for it, and the hour closed."""
    settings = agent.settings
    if not rest:
        text = agent.config.read_text()
        without = agent.config.with_name("without.toml")
        without.write_text(text[: text.index("[apps]")])
        settings = load_settings(without)
    catalog = load_catalog("jira")
    sampler = Sampler(open_sources(settings, catalog, lambda: level), TickConcealer(settings, catalog, lambda: level))
    store = open_store(settings.agent.state_dir)
    tick = sampler.take(THIS_HOUR + timedelta(hours=number, minutes=10), 30)
    TickWriter(store, settings.hour.length_s).append(tick)
    sampler.close()
    store.close()
    agent.json("deliver")


def events(agent: Agent) -> list[tuple[str, str]]:
    return sorted(
        (entry["metricName"], entry["tags"].get("pluginKey", ""))
        for entry in entries(agent)
        if entry["metricName"].startswith("event.app")
    )


def test_events_across_a_change_of_the_source(agent: Agent, server: AppManagerServer) -> None:
    """Database, app manager, a change there, away and back: only the changes are told, each once."""
    hour(agent, -7, rest=False)
    hour(agent, -6)
    assert events(agent) == []
    groovy = server.apps[1]
    server.apps = (server.apps[0], {**groovy, "enabled": True, "version": "8.21.0"}, *server.apps[2:])
    hour(agent, -5)
    assert events(agent) == [("event.app.enabled", groovy["key"]), ("event.app.updated", groovy["key"])]
    server.always(503)
    hour(agent, -4)
    assert events(agent) == []
    server.answers.clear()
    server.apps = (*server.apps, app("com.atlassian.jira.late", "Late"))
    hour(agent, -3)
    assert events(agent) == [("event.app.installed", "com.atlassian.jira.late")]
    hour(agent, -2, rest=False)
    assert events(agent) == []


def test_one_series_an_app_and_nothing_personal(agent: Agent) -> None:
    """No app twice; no token, licence text, organisation, address or name is stored or leaves under Basic."""
    hour(agent, -2)
    shown: list[dict[str, Any]] = [entry for entry in entries(agent) if entry["metricName"] == "app.installed"]
    keys = [entry["tags"]["pluginKey"] for entry in shown]
    assert len(keys) == len(set(keys)) == 4
    assert {"licence", "origin", "state"} <= shown[0]["attributes"].keys()
    assert [entry["attributes"]["value"] for entry in entries(agent) if entry["metricName"] == "instance.sen"] == [SEN]
    kept = stored(agent)
    assert "com.onresolve.jira.groovy.groovyrunner" in kept, "the search looks where the data is"
    forbidden = (TOKEN, PAYROLL, "Planted", *PERSONAL)
    assert [word for word in forbidden if word in kept] == []
    # the one that the hourly run of an offline agent writes; another within the same second would be refused
    (bundle,) = agent.settings.bundle_folder.glob("*.zip")
    with zipfile.ZipFile(bundle) as archive:
        text = "".join(archive.read(name).decode() for name in archive.namelist())
    assert "instance.sen" in text
    assert [word for word in (*forbidden, "lanted", "quibble") if word in text] == []


def test_names_under_extended_only(agent: Agent) -> None:
    """Read under Extended, the name of an own app leaves under Extended only, as the end of its licence does."""
    link_as(agent, ConsentLevel.EXTENDED)
    hour(agent, -2, level=ConsentLevel.EXTENDED)
    extended = {
        entry["tags"].get("pluginKey"): entry["attributes"]
        for entry in entries(agent, "--level", "extended")
        if entry["metricName"] == "app.installed"
    }
    assert extended[PAYROLL]["name"] == "Planted payroll of Quibble"
    basic = [entry for entry in entries(agent, "--level", "basic") if entry["metricName"] == "app.installed"]
    assert "lanted" not in repr(basic)
    assert {"licence_ends" in entry["attributes"] for entry in basic} == {True, False}


def test_token_in_no_output(agent: Agent, server: AppManagerServer) -> None:
    """No command prints the token or what came with the answers, at debug level, failing or not."""
    agent.config.write_text(agent.config.read_text().replace("[agent]", '[agent]\nlog_level = "debug"'))
    for status in (200, 401):
        if status == 401:
            server.always(401)
        for command in ("sample", "doctor", "status", "config show"):
            done = agent.run(*command.split())
            assert TOKEN not in done.out + done.err
            assert [word for word in PERSONAL if word in done.out + done.err] == []
    assert "instance.sen" in agent.run("catalog", "show").out
