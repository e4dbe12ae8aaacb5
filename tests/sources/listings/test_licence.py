"""The licence in the product's database: read with the product's login only, decoded, and nothing of it left behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from agent.catalog import load_catalog
from agent.model import ConsentLevel, Sample
from agent.settings import DatabaseLogin, DatabaseSettings, InstanceSettings, ProductType, Settings
from agent.sources.listings.source import Listing
from agent.sources.registry import open_sources
from tests.support.licences import PLANTED, licence_text
from tests.support.listings import START, reasons
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.postgres import PostgresServer
from tests.support.sources import accepted, mariadb_engine, postgres_engine, sqlite_engine

__all__ = ["mariadb"]
TWO = licence_text(
    {
        "SEN": "SEN-12345678",
        "LicenseTypeName": "COMMERCIAL",
        "LicenseExpiryDate": "2027-01-31",
        "Evaluation": "false",
        "DataCenter": "true",
        "jira.product.jira-software.NumberOfUsers": "2000",
        "jira.product.jira-servicedesk.NumberOfUsers": "-1",
    }
)
TABLES = {
    "jira": (
        "create table productlicense (id numeric(18,0) primary key, license text)",
        "insert into productlicense values (1, '{}')",
    ),
    "bitbucket": (
        "create table app_property (prop_key varchar(50) primary key, prop_value varchar(2000) not null)",
        "insert into app_property values ('license', '{}'), ('instance.name', 'Planted Organisation')",
    ),
}


def statements(product: str, text: str) -> tuple[str, str]:
    """The table, and the licence in it."""
    table, row = TABLES[product]
    return table, row.format(text)


def licences(product: str, engine: Engine) -> Listing:
    """The source over this database."""
    return Listing("licence", load_catalog(product), lambda: engine, lambda: ConsentLevel.BASIC, now=lambda: START)


def told(samples: tuple[Sample, ...], metric: str) -> dict[str, object]:
    """Value of a metric by application."""
    return {item.series.tags[0][1]: item.value for item in samples if item.series.metric == metric}


@pytest.fixture(params=["postgres", "mariadb"])
def engine_of(request: pytest.FixtureRequest) -> object:
    """Makes a database of these statements on a real server and opens it."""
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        return lambda *lines: postgres_engine(server, server.filled_database("licence", *lines))
    maria: MariaDbServer = request.getfixturevalue("mariadb")
    return lambda *lines: mariadb_engine(maria, _maria_database(maria, lines))


def _maria_database(server: MariaDbServer, lines: tuple[str, ...]) -> str:
    name = f"licence_{abs(hash(lines)) % 10**9}"
    server.execute(f"create or replace database {name}", f"use {name}", *lines)
    return name


def test_each_application_of_jira(engine_of: object) -> None:
    """SEN, kind with what it is for, users, end, by application; no limit is no number; of the buyer nothing."""
    reading = accepted(licences("jira", engine_of(*statements("jira", TWO))))  # type: ignore[operator]  # a fixture's function
    assert told(reading.samples, "licence.sen") == {"jira-software": "SEN-12345678", "jira-servicedesk": "SEN-12345678"}
    assert told(reading.samples, "licence.users") == {"jira-software": 2000}
    assert told(reading.samples, "licence.expires") == dict.fromkeys(
        ("jira-software", "jira-servicedesk"), "2027-01-31T00:00:00Z"
    )
    kinds = [item for item in reading.samples if item.series.metric == "licence.kind"]
    assert {dict(item.attributes)["user_limit"] for item in kinds} == {"limited", "unlimited"}
    assert {item.value for item in kinds} == {"commercial"}
    assert reasons(reading)["licence.maintenance_ends"] == "not-present"
    assert not [word for word in PLANTED if word in repr(reading)]


def test_bitbucket(engine_of: object) -> None:
    """The one row of its table that holds it."""
    text = licence_text(width=10_000)
    reading = accepted(licences("bitbucket", engine_of(*statements("bitbucket", text))))  # type: ignore[operator]  # a fixture's function
    assert told(reading.samples, "licence.users") == {"bitbucket": 2000}
    assert not [word for word in PLANTED if word in repr(reading)]


def sqlite_of(path: Path, text: str) -> Engine:
    """A SQLite database with Jira's table."""
    import sqlite3

    connection = sqlite3.connect(path)
    for line in statements("jira", text):
        connection.execute(line)
    connection.commit()
    connection.close()
    return sqlite_engine(path)


def test_a_text_that_cannot_be_decoded(tmp_path: Path) -> None:
    """Every entry says so, and nothing is quoted of it."""
    reading = accepted(licences("jira", sqlite_of(tmp_path / "jira.db", "Planted licence text")))
    assert reading.samples == ()
    assert set(reasons(reading).values()) == {"not-supported"}
    assert not [word for word in PLANTED if word in repr(reading)]


@pytest.mark.parametrize(
    ("login", "licence", "is_read"),
    [(DatabaseLogin.PRODUCT, True, True), (DatabaseLogin.PRODUCT, False, False), (DatabaseLogin.OWN, True, False)],
)
def test_only_with_the_products_login_and_unless_it_is_switched_off(
    tmp_path: Path, login: DatabaseLogin, licence: bool, is_read: bool
) -> None:
    """An account of the agent's own is never asked for it; `[instance] licence = false` asks nobody."""
    instance = InstanceSettings(ProductType.JIRA, tmp_path, tmp_path, licence=licence)
    settings = Settings(instance, database=DatabaseSettings(login=login))
    sources = open_sources(settings, load_catalog("jira"), lambda: ConsentLevel.EXTENDED)
    assert ("licence" in [source.name for source in sources]) is is_read
    assert "flags" in [source.name for source in sources]


def test_it_is_asked_once_an_hour(tmp_path: Path) -> None:
    """The text is not read at each tick."""
    engine, now = sqlite_of(tmp_path / "jira.db", TWO), [datetime(2026, 11, 26, 10, tzinfo=UTC)]
    source = Listing("licence", load_catalog("jira"), lambda: engine, lambda: ConsentLevel.BASIC, now=lambda: now[0])
    assert accepted(source).samples
    now[0] += timedelta(minutes=2)
    assert not accepted(source).samples


def test_no_role_script_grants_the_text() -> None:
    """What the account of the agent's own may read has neither the column nor the row."""
    folder = Path(__file__).parents[3] / "config" / "database"
    for script in folder.glob("*.sql"):
        text = script.read_text(encoding="utf-8").lower()
        assert "productlicense" not in text or "'license'" not in text, script
        assert "prop_key = 'license'" not in text
