"""Personal texts in every name, tag, log line and text column the sources can see: where may each of them be found?

Each product stands with a planted database, planted MBeans in a real JVM, planted logs, names of files and
configuration; the real daemon samples, closes hours, seals batches and writes bundles. Then all bytes it left are
searched. `sample` shows to the admin what is read: that it does prove that the texts were near.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from agent.catalog import Catalog, TagTreatment, load_catalog
from agent.model import ConsentLevel
from agent.sources.jmx.binding import JmxBinding
from tests.support import jira_database, product_databases
from tests.support.app_manager import app_manager
from tests.support.exempt import KEPT, NAMED, NAMED_BY_MANAGER, SHORT
from tests.support.listings import APPS, jira_sqlite
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.planted import READ_PAGES, close_hour, leaks, left_behind, planted, run_daemon, two_ticks
from tests.support.planting import Plants, plant_in_database, stored_bytes
from tests.support.postgres import PostgresServer, postgres
from tests.support.site import link_as

__all__ = ["mariadb", "postgres"]  # the fixtures

PRODUCTS = ("jira", "confluence", "bitbucket", "bamboo", "crowd")
PASSWORD = "s3cret-of-the-agent"


def never_leaving(catalog: Catalog) -> set[str]:
    """The metrics that the catalog says are read and never leave: the only ones a planted text may be stored for."""
    return {name for name, metric in catalog.metrics.items() if metric.consent is ConsentLevel.NONE}


def named_tags(catalog: Catalog) -> set[str]:
    """The tags of beans that Extended keeps and Basic does not, by the pattern they are read from."""
    return {
        f"bean tag {tag} of {pattern}"
        for metric in catalog.of_source("jmx")
        for tag, rule in metric.tags.items()
        if (binding := metric.bound(JmxBinding)) is not None
        and rule.extended is TagTreatment.KEEP
        and rule.basic is not TagTreatment.KEEP
        for pattern in binding.beans
    }


def sqlite_of(product: str, folder: Path) -> Path:
    """The product's whole test schema with rows on SQLite."""
    path = folder / "product.db"
    return jira_sqlite(path) if product == "jira" else product_databases.fill_sqlite(product, path)


def own_sqlite(path: Path) -> str:
    return f'login = "own"\ndialect = "sqlite"\nname = "{path}"\n'


@pytest.mark.parametrize("product", PRODUCTS)
def test_columns_that_are_not_planted_have_a_reason(tmp_path: Path, product: str) -> None:
    """A column whose rows keep their values, or that is too short, stands in the list with a reason."""
    plants = Plants()
    plant_in_database(create_engine(f"sqlite:///{sqlite_of(product, tmp_path)}"), load_catalog(product), plants)
    assert (plants.kept.keys(), set(plants.short)) == (KEPT[product].keys(), SHORT[product].keys())
    assert all(reason for reasons in (KEPT[product], SHORT[product]) for reason in reasons.values())


@pytest.mark.parametrize("product", PRODUCTS)
def test_nothing_planted_is_stored_shown_or_sent_under_basic(tmp_path: Path, product: str) -> None:
    """Basic and unlinked: of hundreds of planted texts none is in store, outbox, bundle, preview, status or log."""
    path = sqlite_of(product, tmp_path)
    catalog = load_catalog(product)
    assert never_leaving(catalog) == set(), "a metric that never leaves may hold planted texts: allow for it here"
    engine = create_engine(f"sqlite:///{path}")
    with (
        app_manager(tmp_path) as manager,
        planted(product, tmp_path, own_sqlite(path), engine, manager=manager) as site,
    ):
        log = run_daemon(site)
        left = left_behind(site, log)
        seen = site.plants.where(site.agent.process("sample", "--json").out.encode())
        # The texts were near: an admin who looks sees those that are read.
        assert any(item.startswith("bean tag pluginKey of") for item in seen) == (product in ("jira", "confluence"))
        assert "app.key" in seen
        # Logs were read: what is told of them are counts.
        assert b"clientside.requests" in left["preview --json"]
        assert product != "jira" or all(f'"{page}"'.encode() in left["preview --json"] for page in READ_PAGES)
        assert not (found := leaks(left, site.plants)), "\n".join(found[:20])


@pytest.mark.parametrize("product", PRODUCTS)
def test_only_names_that_extended_names_are_stored_or_sent(tmp_path: Path, product: str) -> None:
    """Extended: what is found are exactly the keys and names the catalog keeps under it, never anything of a person."""
    path = sqlite_of(product, tmp_path)
    with planted(product, tmp_path, own_sqlite(path), create_engine(f"sqlite:///{path}")) as site:
        link_as(site.agent, ConsentLevel.EXTENDED)
        log = run_daemon(site)
        left = left_behind(site, log)
        found = site.plants.where(b"\n".join(left.values())) - {"?"}
        tags = {item for item in found if item.startswith("bean ")}
        strange = (tags - named_tags(load_catalog(product))) | (found - tags - NAMED[product])
        assert not strange, [line for line in leaks(left, site.plants) if any(item in line for item in strange)][:10]
        assert site.plants.where(log) == set()
        assert found - tags == NAMED[product], "Extended did not name all that it may"
        # Names leave, the address inside them does not: the second net cuts it out before anything is stored.
        assert not any(b"zita@" in content.lower() for content in left.values())


@pytest.mark.parametrize("product", PRODUCTS)
def test_of_the_app_manager_extended_names_keys_and_names_only(tmp_path: Path, product: str) -> None:
    """Extended: of every field of the app manager's answers the apps' keys and names leave, nothing else."""
    path = sqlite_of(product, tmp_path)
    engine = create_engine(f"sqlite:///{path}")
    with (
        app_manager(tmp_path) as manager,
        planted(product, tmp_path, own_sqlite(path), engine, jmx=False, manager=manager) as site,
    ):
        link_as(site.agent, ConsentLevel.EXTENDED)
        two_ticks(site, level=ConsentLevel.EXTENDED)
        close_hour(site)
        left = left_behind(site, b"")
        found = site.plants.where(b"\n".join(left.values())) - {"?"}
        told = {item for item in site.plants.places if item.startswith(("app", "licence", "host licence"))}
        told -= {item for item in told if item.startswith("app_property.")}
        assert len(told) > 20
        assert found & told == NAMED_BY_MANAGER, found & told


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("server", ["postgresql", "mariadb"])
def test_nothing_planted_in_a_real_server_is_stored_or_sent(
    tmp_path: Path, product: str, server: str, request: pytest.FixtureRequest
) -> None:
    """The same on PostgreSQL and MariaDB, every text column of every table as their information schema lists them."""
    make: Callable[[], tuple[str, Engine]] = {"postgresql": on_postgres, "mariadb": on_mariadb}[server].__get__(
        (product, request.getfixturevalue("postgres" if server == "postgresql" else "mariadb"))
    )
    database, engine = make()
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    database += f'password_file = "{tmp_path / "password"}"\n'
    with planted(product, tmp_path, database, engine, jmx=False) as site:
        two_ticks(site)
        close_hour(site)
        assert {column.lower() for column in site.plants.kept} == KEPT[product].keys()
        assert {column.lower() for column in site.plants.short} == SHORT[product].keys()
        assert not (found := leaks(left_behind(site, b""), site.plants)), "\n".join(found[:20])


def on_postgres(where: tuple[str, PostgresServer]) -> tuple[str, Engine]:
    """[database] and an engine of the administrator; the agent's own account may read."""
    product, server = where
    fill = jira_database.fill_postgres if product == "jira" else None
    name = fill(server) if fill else product_databases.fill_postgres(product, server)
    if product == "jira":
        server.execute(name, APPS.read_text())
    user = f"reader_{name}"
    server.execute(
        name, f"create user {user} password '{PASSWORD}'", f"grant select on all tables in schema public to {user}"
    )
    text = 'login = "own"\ndialect = "postgresql"\n'
    text += f'host = "127.0.0.1"\nport = {server.port}\nname = "{name}"\nuser = "{user}"\n'
    admin = f"postgresql+psycopg://{server.superuser}:{server.password}@127.0.0.1:{server.port}/{name}"
    return text, create_engine(admin)


def on_mariadb(where: tuple[str, MariaDbServer]) -> tuple[str, Engine]:
    """The same for MariaDB."""
    product, server = where
    name = jira_database.fill_mariadb(server) if product == "jira" else product_databases.fill_mariadb(product, server)
    if product == "jira":
        server.execute(f"use {name}", *[part for part in APPS.read_text().split(";\n") if part.strip()])
    user = f"r_{name}"[:30]
    server.execute(
        f"create user '{user}'@'127.0.0.1' identified by '{PASSWORD}'",
        f"grant select on {name}.* to '{user}'@'127.0.0.1'",
    )
    text = 'login = "own"\ndialect = "mysql"\n'
    text += f'host = "127.0.0.1"\nport = {server.port}\nname = "{name}"\nuser = "{user}"\n'
    return text, create_engine(
        f"mysql+pymysql://root@localhost/{name}?unix_socket={server.folder / 'socket'}&charset=utf8mb4"
    )


def test_the_search_finds_what_one_missing_protection_lets_through(tmp_path: Path) -> None:
    """Without the hashing before the store the same search finds planted texts in it: the tests above can fail."""
    path = sqlite_of("jira", tmp_path)
    with planted("jira", tmp_path, own_sqlite(path), create_engine(f"sqlite:///{path}")) as site:
        two_ticks(site, conceal=False)
        found = site.plants.where(b"\n".join(stored_bytes(site.agent.settings.agent.state_dir)))
        # What an older agent left behind is hashed at the door, and then taken out of the store.
        close_hour(site)
        site.agent.json("deliver")
        assert not (kept := leaks(left_behind(site, b""), site.plants)), "\n".join(kept[:20])
    assert "clusternode.node_id" in found
    assert all(any(item.startswith(f"bean tag {tag} of") for item in found) for tag in ("pluginKey", "lock"))
