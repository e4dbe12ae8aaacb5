"""Personal texts in every name, tag, log line and text column the sources can see: where may each of them be found?

Each product stands with a planted database, planted MBeans in a real JVM, planted logs, names of files and
configuration; the real daemon samples, closes hours, seals batches and writes bundles. Then all bytes it left are
searched. `sample` shows to the admin what is read: that it does prove that the texts were near.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from agent.catalog import Catalog, TagTreatment, load_catalog
from agent.model import ConsentLevel
from agent.product.instance import ensure_instance
from agent.runtime.concealing import TickConcealer
from agent.sampling import Sampler
from agent.settings.load import load_settings
from agent.sources import open_sources
from agent.store import open_store
from agent.store.ticks import TickWriter
from tests.support import jira_database, product_databases
from tests.support.access_logs import make_install
from tests.support.cloud import ROOT, wait_until
from tests.support.homes import write_home
from tests.support.jvm_beans import running_jvm
from tests.support.listings import APPS, jira_sqlite
from tests.support.mariadb import MariaDbServer, mariadb
from tests.support.planting import FAMILY, FOUND, Plants, plant_in_database, planted_beans, stored_bytes
from tests.support.postgres import PostgresServer, postgres
from tests.support.product_homes import write_product_home
from tests.support.standing import Agent, link_as

__all__ = ["mariadb", "postgres"]  # the fixtures

SOURCE = Path(__file__).parents[1] / "sources" / "data" / "PlantedBeans.java"
PRODUCTS = ("jira", "confluence", "bitbucket", "bamboo", "crowd")
TOMCAT = {"confluence": "Standalone", "bitbucket": "Tomcat"}
PASSWORD = "s3cret-of-the-agent"
# What Extended adds by name: the tags and attributes that only it keeps, and the columns they are read from.
NAMED_COLUMNS = (
    "pluginversion.",
    "pluginstate.",
    "plugindata.",
    "feature.",
    "propertystring.",
    "bandana.",
    "app_property.",
    "plugin_state.",
    "plugin_setting.",
)


@dataclass(frozen=True)
class Place:
    """One product on disk with its planted texts."""

    agent: Agent
    plants: Plants
    logs: Path | None


def never_leaving(catalog: Catalog) -> set[str]:
    """The metrics that the catalog says are read and never leave: the only ones a planted text may be stored for."""
    return {name for name, metric in catalog.metrics.items() if metric.consent is ConsentLevel.NONE}


def named_under_extended(catalog: Catalog) -> set[str]:
    """The tags that Extended keeps and Basic does not."""
    return {
        tag
        for metric in catalog.metrics.values()
        for tag, rule in metric.tags.items()
        if rule.extended is TagTreatment.KEEP and rule.basic is not TagTreatment.KEEP
    }


def sqlite_of(product: str, folder: Path) -> Path:
    """The product's whole test schema with rows on SQLite."""
    path = folder / "product.db"
    return jira_sqlite(path) if product == "jira" else product_databases.fill_sqlite(product, path)


def planted_home(product: str, folder: Path, plants: Plants) -> Path:
    """A home whose configuration and file names hold planted texts wherever people may write."""
    node = plants.name("node.id of cluster.properties")
    if product == "jira":
        cluster = f"# {plants.name('comment')} {FAMILY}\njira.node.id = {node}\njira.shared.home = {folder}/x\n"
        home = write_home(folder, user=plants.name("database user"), extra=f"<!-- {plants.name('comment')} -->")
        (home / "note.properties").write_text(cluster)
    else:
        home = write_product_home(
            folder, product, user=plants.name("database user"), more={"confluence.cluster.name": node}
        )
    (home / "shared").mkdir(exist_ok=True)
    for name in ("export", "data/attachments", "caches/indexesV1", "index"):
        (home / name).mkdir(parents=True, exist_ok=True)
        (home / name / f"{plants.name('file name')}.zip").write_bytes(b"x" * 10)
    return home


def log_line(plants: Plants, number: int) -> bytes:
    """An access log line of Jira's own pattern: address, user, query, referer, agent and session are planted."""
    user, key, agent = plants.name("user of a log"), plants.name("path of a log"), plants.name("user agent of a log")
    return (
        f"192.0.2.77 {number}x{number}x3 {user} [22/Nov/2026:10:00:00 +0000] "
        f'"GET /browse/{key}/{key}?jql={key}&mail=zita@example.net HTTP/1.1" 200 512 12 '
        f'"https://jira.example.com/browse/{key}" "Mozilla ({agent} {FAMILY})" "{key}"\n'
    ).encode()


@contextmanager
def planted(product: str, folder: Path, database: str, engine: Engine, *, jmx: bool = True) -> Iterator[Place]:
    """The product in `folder`; `database` is the text of [database], `engine` may write there."""
    catalog, plants = load_catalog(product), Plants()
    plant_in_database(engine, catalog, plants)
    engine.dispose()
    home = planted_home(product, folder, plants)
    state = folder / "state"
    text = f'[instance]\nproduct = "{product}"\nhome = "{home}"\nshared_home = "{home / "shared"}"\n'
    text += f'[agent]\nmode = "offline"\nstate_dir = "{state}"\n'
    text += '[sampling]\ninterval = "2s"\ndeadline = "1900ms"\n[hour]\nlength = "4s"\nclose_after = "0s"\n'
    text += f"[database]\n{database}"
    install = (
        make_install(folder / "install", more=f'condition="{plants.name("condition")}"') if product == "jira" else None
    )
    if install is not None:
        text += f'[clientside]\ninstall = "{install}"\nsmallest_group = 5\n'
    config = folder / "agent.toml"

    def agent(port: int | None) -> Agent:
        config.write_text(
            text + (f'[jmx]\nhost = "127.0.0.1"\nport = {port}\n' if port else "[jmx]\nenabled = false\n")
        )
        settings = load_settings(config)
        ensure_instance(settings.link_dir)
        return Agent(config, settings)

    logs = install / "logs" if install is not None else None
    if not jmx:
        yield Place(agent(None), plants, logs)
        return
    beans = folder / "beans.txt"
    lines = planted_beans(catalog, TOMCAT.get(product, "Catalina"), plants)
    beans.write_text("".join("\t".join(line) + "\n" for line in lines))
    with running_jvm(SOURCE, str(beans)) as jvm:
        yield Place(agent(jvm.port), plants, logs)


def write_logs(place: Place, stopping: threading.Event) -> None:
    """Append planted lines while the daemon reads."""
    number = 0
    while place.logs is not None and not stopping.wait(0.3):
        with (place.logs / f"access_log.{datetime.now(UTC):%Y-%m-%d}").open("ab") as log:
            log.write(b"".join(log_line(place.plants, number + step) for step in range(20)))
        number += 20


def run_daemon(place: Place, hours: int = 2) -> bytes:
    """The real daemon until it has closed some hours that have batches or a bundle; returns its log."""
    log_path = place.agent.config.with_name("daemon.log")
    stopping = threading.Event()
    writer = threading.Thread(target=write_logs, args=(place, stopping), daemon=True)
    with log_path.open("wb") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "agent.cli", "run", "--config", str(place.agent.config)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONWARNINGS": "error"},
        )
    try:
        writer.start()
        wait_until(lambda: log_path.read_bytes().count(b"hour.closed") >= hours or daemon.poll() is not None, 60)
        assert daemon.poll() is None, log_path.read_text()[-3000:]
    finally:
        stopping.set()
        daemon.terminate()
        daemon.wait(20)
        writer.join(5)
    return log_path.read_bytes()


def left_behind(place: Place, log: bytes) -> dict[str, bytes]:
    """Everything that is stored, shown or would be sent, by where it is."""
    shown = {
        " ".join(command): place.agent.run(*command).stdout.encode()
        for command in (
            ["status", "--json"],
            ["status"],
            ["preview", "--json"],
            ["bundle", "--json"],
        )
    }
    assert b'"entries"' in shown["preview --json"], "nothing was closed"
    return {"state folder": b"\n".join(stored_bytes(place.agent.settings.agent.state_dir)), "log": log, **shown}


def leaks(places: dict[str, bytes], plants: Plants) -> list[str]:
    """What was found where, with its surroundings."""
    return [
        f"{sorted(plants.where(hit[0]))} in {name}: ...{text[max(hit.start() - 80, 0) : hit.end() + 30]!r}"
        for name, text in places.items()
        for hit in FOUND.finditer(text)
    ]


def own_sqlite(path: Path) -> str:
    return f'login = "own"\ndialect = "sqlite"\nname = "{path}"\n'


@pytest.mark.parametrize("product", PRODUCTS)
def test_nothing_planted_is_stored_shown_or_sent_under_basic(tmp_path: Path, product: str) -> None:
    """Basic and unlinked: of thousands of planted texts none is in store, outbox, bundle, preview, status or log."""
    path = sqlite_of(product, tmp_path)
    catalog = load_catalog(product)
    assert never_leaving(catalog) == set(), "a metric that never leaves may hold planted texts: allow for it here"
    with planted(product, tmp_path, own_sqlite(path), create_engine(f"sqlite:///{path}")) as place:
        log = run_daemon(place)
        seen = place.plants.where(place.agent.run("sample", "--json").stdout.encode())
        assert len(place.plants.places) > 40
        # The texts were near: an admin who looks sees those that are read.
        tags = {tag for metric in catalog.of_source("jmx") for tag in metric.tags if metric.jmx is not None}
        if "pluginKey" in tags:
            assert "bean tag pluginKey" in seen
        assert seen
        assert not (found := leaks(left_behind(place, log), place.plants)), "\n".join(found[:20])


@pytest.mark.parametrize("product", PRODUCTS)
def test_only_names_that_extended_names_are_stored_or_sent(tmp_path: Path, product: str) -> None:
    """Extended: what is found are the keys and names the catalog keeps under it, never anything of a person."""
    path = sqlite_of(product, tmp_path)
    catalog = load_catalog(product)
    with planted(product, tmp_path, own_sqlite(path), create_engine(f"sqlite:///{path}")) as place:
        link_as(place.agent, ConsentLevel.EXTENDED)
        log = run_daemon(place)
        left = left_behind(place, log)
        found = place.plants.where(b"\n".join(left.values())) - {"?"}
        allowed = {f"bean tag {tag}" for tag in named_under_extended(catalog)}
        strange = {
            item
            for item in found
            if item not in allowed and not item.startswith(NAMED_COLUMNS) and item != "bean domain"
        }
        assert not strange, [line for line in leaks(left, place.plants) if any(item in line for item in strange)][:10]
        assert place.plants.where(log) == set()
        assert found, "Extended named nothing"
        assert product not in ("jira", "confluence") or "bean tag pluginKey" in found


def two_ticks(place: Place, conceal: bool = True) -> None:
    """Two ticks read by the real sources and stored, with or without what hashes them before."""
    settings, catalog = place.agent.settings, load_catalog(place.agent.settings.instance.product)

    def level() -> ConsentLevel:
        return ConsentLevel.BASIC

    guard = TickConcealer(settings, catalog, level) if conceal else None
    sampler = Sampler(open_sources(settings, catalog, level), guard)
    store = open_store(settings.agent.state_dir)
    try:
        writer = TickWriter(store, settings.hour.length_s)
        for _ in range(2):
            writer.append(sampler.take(datetime.now(UTC), 30))
    finally:
        sampler.close()
        store.close()


def close_hour(place: Place) -> None:
    """The real delivery run, as soon as the hour is over."""
    wait_until(lambda: place.agent.json("deliver")["hoursClosed"] > 0, 30)


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
    with planted(product, tmp_path, database, engine, jmx=False) as place:
        two_ticks(place)
        close_hour(place)
        assert len(place.plants.places) > 10
        assert not (found := leaks(left_behind(place, b""), place.plants)), "\n".join(found[:20])


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
    with planted("jira", tmp_path, own_sqlite(path), create_engine(f"sqlite:///{path}")) as place:
        two_ticks(place, conceal=False)
        found = place.plants.where(b"\n".join(stored_bytes(place.agent.settings.agent.state_dir)))
        # What an older agent left behind is hashed at the door, and then taken out of the store.
        close_hour(place)
        place.agent.json("deliver")
        assert not (kept := leaks(left_behind(place, b""), place.plants)), "\n".join(kept[:20])
    assert {"bean tag pluginKey", "bean tag lock", "clusternode.node_id"} <= found
