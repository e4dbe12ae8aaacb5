"""From a configuration to open sources that read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.catalog import load_catalog
from agent.errors import SourceError
from agent.model import ConsentLevel
from agent.settings import (
    AgentSettings,
    ClientsideSettings,
    DatabaseLogin,
    DatabaseSettings,
    Dialect,
    InstanceSettings,
    JmxSettings,
    ProductType,
    Settings,
)
from agent.sources.registry import open_sources
from tests.support.homes import write_home
from tests.support.jira_database import fill_sqlite
from tests.support.jvm_beans import Jvm, free_port


def settings(tmp_path: Path, port: int, **jmx: object) -> Settings:
    database = fill_sqlite(tmp_path / "jira.db")
    return Settings(
        InstanceSettings(ProductType.JIRA, tmp_path, tmp_path),
        agent=AgentSettings(state_dir=tmp_path),
        jmx=JmxSettings(host="127.0.0.1", port=port, **jmx),  # type: ignore[arg-type]  # the tests' own
        database=DatabaseSettings(login=DatabaseLogin.OWN, dialect=Dialect.SQLITE, name=str(database)),
    )


def test_all_sources_read(tmp_path: Path, jvm: Jvm) -> None:
    """One configuration, every source, samples from each; a listing without rows has its count."""
    (tmp_path / "caches" / "indexesV2").mkdir(parents=True)
    (write_home(tmp_path) / "dbconfig.xml").rename(tmp_path / "dbconfig.xml")
    sources = open_sources(settings(tmp_path, jvm.port), load_catalog("jira"), lambda: ConsentLevel.BASIC)
    names = ["host", "folders", "home", "jmx", "guardrails", "apps", "flags", "links", "nodes"]
    # A source that somebody adds is read here as well, and needs no line of this file.
    assert [source.name for source in sources if source.name in names] == names
    for source in sources:
        assert source.read(30).samples
        source.close()


def test_logs_are_read_only_where_the_install_is_known(tmp_path: Path) -> None:
    """Without [clientside] install there is no such source; with it there is, unless it is switched off."""
    own = settings(tmp_path, 1)
    for given, there in (
        (ClientsideSettings(), False),
        (ClientsideSettings(install=tmp_path), True),
        (ClientsideSettings(enabled=False, install=tmp_path), False),
    ):
        sources = open_sources(replace(own, clientside=given), load_catalog("jira"), lambda: ConsentLevel.BASIC)
        names = [source.name for source in sources]
        assert ("clientside" in names) == there


def test_opening_connects_to_nothing(tmp_path: Path) -> None:
    """Sources open while the product is down; only reading finds out."""
    sources = open_sources(settings(tmp_path, free_port()), load_catalog("jira"), lambda: ConsentLevel.BASIC)
    with pytest.raises(SourceError):
        next(source for source in sources if source.name == "jmx").read(10)


def test_password_with_jmxquery_is_refused_at_reading(tmp_path: Path) -> None:
    """J21: a login over jmxquery is refused with the reason and the way out; nothing is started."""
    secret = tmp_path / "word"
    secret.write_text("planted-word\n")
    secret.chmod(0o600)
    own = settings(tmp_path, 1, transport="jmxquery", user="monitor", password_file=secret)
    source = next(
        source for source in open_sources(own, load_catalog("jira"), lambda: ConsentLevel.BASIC) if source.name == "jmx"
    )
    with pytest.raises(SourceError, match="cannot log in") as caught:
        source.read(10)
    assert caught.value.reason == "transport-unusable"
    assert "planted-word" not in str(caught.value)
