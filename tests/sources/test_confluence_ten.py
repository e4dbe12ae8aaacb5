"""Confluence 10 keeps its settings in another table: read there, on every database, and never where they were."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from agent.catalog import load_catalog
from agent.model import ConsentLevel, Reading
from agent.sources.guardrails.source import Guardrails
from agent.sources.inventory import Inventory
from agent.sources.listings.source import REST_ONLY, Listing
from tests.support import confluence_ten, filled
from tests.support.confluence_ten import BASE_URL, LINK, LINKED_URL, SERVER_ID
from tests.support.filled import DATABASES, Filled
from tests.support.listings import change, rows
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import postgres

__all__ = ["mariadb", "postgres"]  # the fixtures

NOW = datetime(2026, 11, 22, 19, 0, 30, tzinfo=UTC)
CATALOG = load_catalog("confluence")
OLD_URL, OLD_ID = "https://wiki.example.com/wiki", "BCNF-0000-1111-2222"
OF_BITBUCKET = "create table plugin_setting (namespace varchar(255), key_name varchar(255), key_value text, id bigint)"


@pytest.fixture(params=DATABASES)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Filled:
    """Confluence before 10 on each database, of the test's own."""
    return filled.filled(request, "confluence", str(request.param), tmp_path)


def run(site: Filled, *statements: str) -> None:
    """Change the database as its owner."""
    if site.server is None:
        change(Path(site.name), ";".join(statements))
    elif isinstance(site.server, MariaDbServer):
        site.server.execute(f"use {site.name}", *statements)
    else:
        site.server.execute(site.name, *statements)


def upgraded(site: Filled, *, settings: str | None = None, general: bool = True, table: str = "plugin_setting") -> None:
    """The table of 10 beside `bandana`, every value another one."""
    backslash = "\\\\" if isinstance(site.server, MariaDbServer) else "\\"
    found = confluence_ten.rows(settings, general=general)
    run(site, confluence_ten.create(table), *confluence_ten.inserts(found, table, backslash=backslash))


def bandana(site: Filled) -> str:
    return "BANDANA" if isinstance(site.server, MariaDbServer) else "bandana"


def instance(engine: Engine) -> dict[str, object]:
    """Base URL and server ID, or why there is none."""
    reading = Guardrails(CATALOG, lambda: engine).read(30)
    return of(reading, "instance.base_url", "instance.server_id")


def listed(engine: Engine, name: str, level: ConsentLevel = ConsentLevel.BASIC) -> Reading:
    return Listing(name, CATALOG, lambda: engine, lambda: level, now=lambda: NOW).read(30)


def of(reading: Reading, *metrics: str) -> dict[str, object]:
    values: dict[str, object] = {failure.metric: failure.reason for failure in reading.failures}
    values |= {sample.series.metric: sample.value for sample in reading.samples}
    return {metric: values.get(metric) for metric in metrics}


def test_before_the_upgrade(site: Filled) -> None:
    """Without the table of 10 the old one is right, flags and links too."""
    engine = site.engine()
    assert instance(engine) == {"instance.base_url": OLD_URL, "instance.server_id": OLD_ID}
    assert len(rows(listed(engine, "flags"), "feature_flag.site")) == 2


def test_both_tables(site: Filled) -> None:
    """With both, all that is told is of the new one; what has no known place there is not supported."""
    upgraded(site)
    engine = site.engine()
    assert instance(engine) == {"instance.base_url": BASE_URL, "instance.server_id": SERVER_ID}
    links = listed(engine, "links", ConsentLevel.EXTENDED)
    assert rows(links, "link.application") == {LINK: (LINKED_URL, {"family": "jira", "name": confluence_ten.LINK_NAME})}
    for name in ("flags", "apps"):
        reading = listed(engine, name)
        moved = [f for f in reading.failures if f.detail != REST_ONLY]
        assert {failure.reason for failure in moved} == {"not-supported"}, name
        assert all("keeps it elsewhere" in failure.detail for failure in moved)
        assert not [s for s in reading.samples if s.series.metric.startswith(("feature_flag", "app.state"))]


def test_only_the_new_table(site: Filled) -> None:
    """A version that has dropped the old table is read as well, in all but what has no known place."""
    upgraded(site)
    run(site, f"drop table {bandana(site)}")
    assert instance(site.engine()) == {"instance.base_url": BASE_URL, "instance.server_id": SERVER_ID}


def test_installed_fresh(site: Filled) -> None:
    """A site that began with 10.1 has the old table without a row."""
    upgraded(site)
    run(site, f"delete from {bandana(site)}")
    assert instance(site.engine()) == {"instance.base_url": BASE_URL, "instance.server_id": SERVER_ID}


def test_general_settings_not_yet_moved(site: Filled) -> None:
    """10.0 has the table without the general settings: the address is not present, never the old one."""
    upgraded(site, general=False)
    assert instance(site.engine()) == {"instance.base_url": "not-present", "instance.server_id": SERVER_ID}


def test_table_of_that_name_with_other_columns(site: Filled) -> None:
    """Bitbucket has a table of this name: by its columns it is another one, and decides nothing here."""
    run(site, OF_BITBUCKET)
    assert instance(site.engine()) == {"instance.base_url": OLD_URL, "instance.server_id": OLD_ID}


@pytest.mark.parametrize("table", ["plugin_setting", "PLUGIN_SETTING"])
def test_spelling_on_mysql(request: pytest.FixtureRequest, tmp_path: Path, table: str) -> None:
    """Where the server tells cases apart, the table is found however this version spells it."""
    site = filled.filled(request, "confluence", "mariadb", tmp_path)
    upgraded(site, table=table)
    assert instance(site.engine()) == {"instance.base_url": BASE_URL, "instance.server_id": SERVER_ID}
    assert set(rows(listed(site.engine(), "links"), "link.application")) == {LINK}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ('{"baseUrl":"https://a.example.com"}', "https://a.example.com"),
        ('{ "baseUrl" : "https://a.example.com/x" }', "https://a.example.com/x"),
        ('{"baseUrl":"https:\\/\\/a.example.com\\/x"}', "https://a.example.com/x"),
        ('{"baseUrl":null,"x":"https://b.example.com"}', "not-present"),
        ('{"baseUrl":"","x":"https://b.example.com"}', "not-present"),
        ('{"baseUrl":42}', "not-present"),
        ('{"baseUrl":"https://a.exa', "not-present"),
        ('{"baseUrl"', "not-present"),
        ('{"baseUrl":', "not-present"),
        ('{"baseUrl":{"x":"https://b.example.com"}}', "not-present"),
        ('{"html":"\\"baseUrl\\":\\"https://b.example.com\\""}', "not-present"),
        ("<settings><baseUrl>https://b.example.com</baseUrl></settings>", "not-present"),
        ("", "not-present"),
    ],
)
def test_forms_of_the_settings(site: Filled, settings: str, expected: str) -> None:
    """Only a text under that very key counts; whatever else stands there is no address and no error."""
    upgraded(site, settings=settings)
    assert instance(site.engine()) == {"instance.base_url": expected, "instance.server_id": SERVER_ID}


def test_upgrade_while_the_agent_runs(site: Filled) -> None:
    """The build number that Confluence tells is the sign: from the next tick on the new table is read."""
    engine, now = site.engine(), [0.0]
    table = "CONFVERSION" if isinstance(site.server, MariaDbServer) else "confversion"
    source = Guardrails(CATALOG, lambda: engine, clock=lambda: now[0])
    assert of(source.read(30), "instance.base_url") == {"instance.base_url": OLD_URL}
    upgraded(site)
    run(site, f"insert into {table} (confversionid, buildnumber) values (99, 9405)")
    for _ in range(2):
        now[0] += 120
        reading = source.read(30)
    assert of(reading, "instance.base_url") == {"instance.base_url": BASE_URL}


def test_asked_once_an_hour(site: Filled) -> None:
    """Between, no question about tables goes to the database."""
    asked: list[float] = []
    now = [0.0]

    class Counted(Inventory):
        def _ask(self, connection: object) -> None:
            asked.append(now[0])

    clock: Callable[[], float] = lambda: now[0]  # noqa: E731 # named once, for both
    inventory, engine = Counted(CATALOG, clock=clock), site.engine()
    source = Guardrails(CATALOG, lambda: engine, inventory=inventory, clock=clock)
    for _ in range(31):
        source.read(30)
        now[0] += 120
    assert asked == [0.0, 3600.0]
