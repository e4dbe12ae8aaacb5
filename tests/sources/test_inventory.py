"""What the statements want and the database lacks: told once, with the build number, on every database."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from agent.catalog import load_catalog, products
from agent.sources.guardrails.source import Guardrails
from agent.sources.inventory import Existing, Inventory, Place
from tests.support import filled
from tests.support.filled import DATABASES
from tests.support.listings import change
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import postgres

__all__ = ["mariadb", "postgres"]  # the fixtures

CONFLUENCE = load_catalog("confluence")


def run(site: filled.Filled, statement: str) -> None:
    if site.server is None:
        change(Path(site.name), statement)
    elif isinstance(site.server, MariaDbServer):
        site.server.execute(f"use {site.name}", statement)
    else:
        site.server.execute(site.name, statement)


def looked(site: filled.Filled, inventory: Inventory) -> Existing:
    with site.engine().connect() as connection:
        found = inventory.look(connection)
    assert found is not None
    return found


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("product", products())
def test_nothing_lacks_where_all_is_there(request: pytest.FixtureRequest, product: str, database: str) -> None:
    """Every table and column of every statement is found by its name, in whatever case the database spells it."""
    catalog = load_catalog(product)
    inventory = Inventory(catalog)
    found = looked(filled.shared(request, product, database), inventory)
    assert found.lacks(catalog) == ()
    assert inventory.sentence == ""


@pytest.mark.parametrize("database", DATABASES)
def test_a_missing_table_and_column_are_told_once(
    request: pytest.FixtureRequest, tmp_path: Path, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One line in the log with product and build, for the table and for the column; nothing at the next ticks."""
    site = filled.filled(request, "confluence", database, tmp_path)
    upper = isinstance(site.server, MariaDbServer)
    run(site, "drop table CONFANCESTORS" if upper else "drop table confancestors")
    run(site, "alter table SPACES drop column SPACESTATUS" if upper else "alter table spaces drop column spacestatus")
    now = [0.0]
    engine = site.engine()
    source = Guardrails(CONFLUENCE, lambda: engine, clock=lambda: now[0])
    with caplog.at_level(logging.WARNING):
        for _ in range(40):
            reading = source.read(30)
            now[0] += 120
    told = [record for record in caplog.records if record.getMessage() == "schema.lacks"]
    assert len(told) == 1
    words = repr(vars(told[0]))
    assert all(part in words for part in ("confancestors", "spaces (spacestatus)", "9012"))
    assert any(sample.series.metric == "confluence.guardrail.users" for sample in reading.samples)


def test_told_again_when_the_version_changes(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """After an upgrade the sentence is of the new build, and what came with it is no longer missed."""
    site = filled.filled(request, "confluence", "sqlite", tmp_path)
    run(site, "alter table confancestors rename to elsewhere")
    now = [0.0]
    inventory = Inventory(CONFLUENCE, clock=lambda: now[0])
    looked(site, inventory)
    assert inventory.sentence is not None
    assert inventory.sentence.startswith("This version of Confluence has no confancestors (build 9012)")
    run(site, "insert into confversion (confversionid, buildnumber) values (99, 9013)")
    inventory.is_of("9013")
    looked(site, inventory)
    assert "9013" in inventory.sentence
    run(site, "alter table elsewhere rename to confancestors")
    now[0] += 3600
    looked(site, inventory)
    assert inventory.sentence == ""


def test_apps_that_are_not_installed_are_no_lack(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A table of an app is absent without the app: the version has nothing to do with it."""
    site = filled.filled(request, "jira", "sqlite", tmp_path)
    for table in [name for name in filled.tables(Path(site.name)) if name.startswith("AO_")]:
        run(site, f'drop table "{table}"')
    assert looked(site, Inventory(load_catalog("jira"))).lacks(load_catalog("jira")) == ()


def test_what_came_later_is_not_missed_before() -> None:
    """A table that a statement names for 9 and later is no lack of Jira 8.20, and one of 9.12."""
    jira = load_catalog("jira")
    later = {table for query in jira.queries.values() if query.versions.startswith("9 ") for table in query.reads}
    earlier = {table for query in jira.queries.values() if not query.versions.startswith("9 ") for table in query.reads}
    only = later - earlier
    assert only
    assert not only & {lack.table for lack in Existing("sqlite", {}, build="820010").lacks(jira)}
    assert only <= {lack.table for lack in Existing("sqlite", {}, build="9120004").lacks(jira)}
    assert only <= {lack.table for lack in Existing("sqlite", {}, build="").lacks(jira)}


@pytest.mark.parametrize(
    ("dialect", "views", "build", "place"),
    [
        ("postgresql", True, "9405", Place.BEFORE),  # every login sees there what there is
        ("mysql", False, "9405", Place.BEFORE),
        ("mysql", True, "9111", Place.BEFORE),
        ("mysql", True, "9405", Place.UNKNOWN),
        ("oracle", True, "10001", Place.UNKNOWN),
        ("sqlserver", True, "", Place.UNKNOWN),
        ("sqlserver", True, "nine", Place.UNKNOWN),
    ],
)
def test_what_decides_where_the_table_is_not_seen(dialect: str, views: bool, build: str, place: Place) -> None:
    """A login that sees all tables knows; an account of views goes by the build number, and is silent without one."""
    seen = frozenset({"bandana"}) if views else frozenset()
    existing = Existing(dialect, {"bandana": frozenset({"bandanakey"})}, {}, seen, build)
    assert existing.place(CONFLUENCE.queries["instance"]) is place
