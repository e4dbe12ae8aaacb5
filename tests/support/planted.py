"""A product on disk with personal texts wherever people may write: files, logs, MBeans, its database, its app manager.

What is planted where is counted by `Plants`; a running daemon, or two ticks, then leave behind what is searched.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from agent.catalog import load_catalog
from agent.model import ConsentLevel
from agent.product.instance.identity import ensure_instance
from agent.runtime.resident.concealing import TickConcealer
from agent.sampling import Sampler
from agent.settings.load import load_settings
from agent.sources.clientside.pattern import Code, tokens_of
from agent.sources.registry import open_sources
from agent.store import open_store
from agent.store.ticks import TickWriter
from tests.support.access_logs import CONFLUENCE, CONTAINER, JIRA, make_install
from tests.support.app_manager import APPS, LICENCES, TOKEN, AppManagerServer
from tests.support.cloud import ROOT, wait_until
from tests.support.homes import write_home
from tests.support.jvm_beans import running_jvm
from tests.support.planting import FAMILY, FOUND, Plants, plant_in_database, planted_beans, stored_bytes
from tests.support.product_homes import write_product_home
from tests.support.site import Agent

BEANS = Path(__file__).parents[1] / "sources" / "data" / "PlantedBeans.java"
HOUR_S = 4
TOMCAT = {"confluence": "Standalone", "bitbucket": "Tomcat"}
# Every code whose text somebody else chooses.
EVERYTHING = (
    '%h %l %u %t "%r" %s %b %D "%{Referer}i" "%{User-Agent}i" "%{X-Forwarded-For}i" "%{JSESSIONID}c"'
    ' "%{X-AUSERNAME}o" "%{user}s" "%{user}r" %v %A %I'
)
PATTERNS = {
    "jira": JIRA,
    "confluence": CONFLUENCE,
    "bitbucket": EVERYTHING,
    "bamboo": CONTAINER,
    "crowd": "combined",
}
# Names of nodes and what else a person types into the product's configuration.
NAMED = {
    "confluence": {"confluence.cluster": "true", "confluence.cluster.node.name": "", "confluence.cluster.name": ""},
    "bitbucket": {"hazelcast.network.tcpip": "true", "hazelcast.group.name": "", "server.display-name": ""},
    "bamboo": {"bamboo.node.name": "", "bamboo.jms.broker.uri": ""},
    "crowd": {"crowd.node.name": "", "crowd.server.name": ""},
}
APDEX_PAGES = ("Zita-{}", "Zita-{} Mustermann <zita@example.net>", "jira.mustermann", "jira.project.zita-mustermann")
READ_PAGES = ("overall", "jira.dashboard")
Beans = list[tuple[str, str, str]]


@dataclass(frozen=True)
class PlantedSite:
    """One product on disk with its planted texts."""

    agent: Agent
    plants: Plants
    install: Path
    home: Path


def planted_home(product: str, folder: Path, plants: Plants) -> Path:
    """A home whose configuration and file names hold planted texts wherever people may write."""
    user = plants.name("database user")
    if product == "jira":
        # A cluster node: cluster.properties stands where Jira looks for it.
        node = plants.name("jira.node.id of cluster.properties")
        cluster = f"# {plants.name('comment')} {FAMILY}\njira.node.id = {node}\nehcache.listener.hostName = {node}\n"
        home = write_home(folder, user=user, extra=f"<!-- {plants.name('comment')} -->", cluster=cluster)
    else:
        more = {key: value or plants.name(f"{key} of the home") for key, value in NAMED[product].items()}
        home = write_product_home(folder, product, user=user, more=more)
    (home / "shared").mkdir(exist_ok=True)
    for name in ("export", "data/attachments", "caches/indexesV1", "index", "log"):
        (home / name).mkdir(parents=True, exist_ok=True)
        (home / name / f"{plants.name('file name')}.zip").write_bytes(b"x" * 10)
    return home


def planted_install(product: str, folder: Path, plants: Plants) -> Path:
    """A Tomcat whose configuration and start script hold planted texts."""
    more = f'condition="{plants.name("condition")}"'
    install = make_install(folder / "install", PATTERNS[product], more=more)
    (install / "bin").mkdir()
    (install / "bin" / "setenv.sh").write_text(
        f'# {plants.name("comment of setenv.sh")}\nCATALINA_OPTS="{" ".join(planted_options(plants))}"\n'
    )
    return install


def planted_options(plants: Plants) -> list[str]:
    """Options of the product's JVM in which people give names."""
    return [
        f"-Dconfluence.cluster.node.name={plants.name('node name on the command line')}",
        f"-Djira.node.id={plants.name('node id on the command line')}",
        f"-Dzita={plants.name('option of the JVM')}",
    ]


def log_line(pattern: str, plants: Plants, number: int) -> bytes:
    """A line of the access log as `pattern` has it: whatever a visitor or a proxy chooses is planted."""
    key, mail = plants.name("path of a log"), "mail=zita@example.net"
    query = f"?jql={plants.name('query of a log')}&{mail}"
    fixed = {
        "a": "192.0.2.77",
        "b": "512",
        "D": "12",
        "H": "HTTP/1.1",
        "l": "-",
        "m": "GET",
        "q": query,
        "r": f"GET /browse/{key}/{key}{query} HTTP/1.1",
        "s": "200",
        "t": "[22/Nov/2026:10:00:00 +0000]",
        "U": f"/browse/{key}",
        "I": f"http-nio-8090-exec-5 url: /{key}; user: {plants.name('thread of a log')}",
    }

    def said(token: Code | str) -> str:
        if isinstance(token, str):
            return token
        if token.letter in fixed and not token.parameter:
            return fixed[token.letter]
        named = plants.name(f"%{{{token.parameter}}}{token.letter} of a log")
        # A host has no spaces; a user, a header, a cookie and an attribute may have.
        return f"{named}.mustermann.example.net" if token.letter in "hvA" else f"{named} {FAMILY}"

    return ("".join(map(said, tokens_of(pattern))).replace("%I", "") + "\n").encode()


def bitbucket_line(plants: Plants) -> bytes:
    """An answered request in Bitbucket's own log, everything that somebody chooses planted."""
    user, key, agent = (plants.name(f"{place} of Bitbucket's log") for place in ("user", "path", "agent"))
    line = f"192.0.2.77 | https | o@1A2B3Cx605x1x0 | {user} | 2026-11-22 10:00:00,123"
    line += f' | "GET /scm/{key}/{key}.git HTTP/1.1"'
    line += f' | "https://{key}.example.net/" "{agent} {FAMILY}" | 200 | 0 | 512 | {key} | 12 | zita123 | \n'
    return line.encode()


def apdex_line(page: str, number: int) -> str:
    """An hour of a page in Jira's Apdex log."""
    counts = f"apdexScore=90, satisfiedCount={20 + number}, toleratingCount=8, frustratedCount=7"
    return f"2026-11-22 10:00:00,123+0000 category: {page}, apdex: {{{counts}}}\n"


def log_some(site: PlantedSite, number: int) -> None:
    """Twenty requests and, beside Jira, an hour of every page, with a line of no form in between."""
    product, plants = site.agent.settings.instance.product, site.plants
    lines = [log_line(PATTERNS[product], plants, number + step) for step in range(20)]
    lines.append(f"{plants.name('line of no form')} {FAMILY}\n".encode())
    with (site.install / "logs" / f"access_log.{datetime.now(UTC):%Y-%m-%d}").open("ab") as log:
        log.write(b"".join(lines))
    if product == "bitbucket":
        lines = [bitbucket_line(plants) for _ in range(20)]
        (site.home / "log").mkdir(exist_ok=True)
        with (site.home / "log" / "atlassian-bitbucket-access.log").open("ab") as log:
            log.write(b"".join(lines))
    if product == "jira":
        pages = [page.format(len(plants.places)) for page in APDEX_PAGES]
        plants.name("page of the Apdex log")
        with (site.home / "log" / "atlassian-jira-apdex.log").open("a") as log:
            log.write("".join(apdex_line(page, number) for page in (*pages, *READ_PAGES)))


def planted_manager(server: AppManagerServer, plants: Plants) -> None:
    """Let the app manager say a planted text in every text of its answers, and once more in place of everything."""
    known_app = {**_with_plants({**APPS[1], "key": ""}, "app", plants), "key": APPS[1]["key"], "name": APPS[1]["name"]}
    everywhere = _with_plants(APPS[0], "app", plants, all_of_it=True)
    server.apps = (*(_with_plants(app, "app", plants) for app in APPS), everywhere, known_app)
    keys = [app["key"] for app in server.apps]
    (licence,) = LICENCES.values()
    server.licences = {
        key: _with_plants(licence, "licence", plants, all_of_it=number % 2 == 0) for number, key in enumerate(keys)
    }
    server.sen = f"SEN-{plants.name('host licence.supportEntitlementNumber')}"


def _with_plants(value: Any, place: str, plants: Plants, *, all_of_it: bool = False) -> Any:
    """The same with a planted text in each text; `all_of_it`: in each number and truth value as well."""
    if isinstance(value, dict):
        fields = {key: _with_plants(item, f"{place}.{key}", plants, all_of_it=all_of_it) for key, item in value.items()}
        more = plants.name(f"{place}, a key")
        return {**fields, more: plants.name(f"{place}, of a key that nobody knows"), "key of ours": more}
    if isinstance(value, str) or all_of_it:
        return f"{plants.name(place)} {FAMILY}"
    return value


@contextmanager
def planted(
    product: str,
    folder: Path,
    database: str,
    engine: Engine,
    *,
    jmx: bool = True,
    manager: AppManagerServer | None = None,
    more_jmx: str = "",
    spoil: Callable[[Beans, Plants], Beans] = lambda beans, plants: beans,
    plants: Plants | None = None,
    inside: tuple[str, ...] = (),
) -> Iterator[PlantedSite]:
    """The product in `folder`; `database` is the text of [database], `engine` may write there.

    `manager` is asked for the apps in place of the database; `more_jmx` is added to [jmx]; `spoil` changes the beans;
    `inside` is a command that runs the agent's in surroundings of its own.
    """
    catalog, plants = load_catalog(product), plants or Plants()
    folder.mkdir(exist_ok=True)
    plant_in_database(engine, catalog, plants)
    engine.dispose()
    home, install = planted_home(product, folder, plants), planted_install(product, folder, plants)
    text = f'[instance]\nproduct = "{product}"\nhome = "{home}"\nshared_home = "{home / "shared"}"\n'
    text += f'[agent]\nmode = "offline"\nstate_dir = "{folder / "state"}"\n'
    text += '[sampling]\ninterval = "2s"\ndeadline = "1900ms"\n'
    text += f'[hour]\nlength = "{HOUR_S}s"\nclose_after = "0s"\n'
    text += f'[database]\n{database}[clientside]\ninstall = "{install}"\nsmallest_group = 5\n'
    if manager is not None:
        planted_manager(manager, plants)
        (folder / "token").write_text(TOKEN)
        (folder / "token").chmod(0o600)
        text += (
            f'[apps]\nrest_url = "{manager.url}"\ntoken_file = "{folder / "token"}"\nca_file = "{manager.ca_file}"\n'
        )
    config = folder / "agent.toml"

    def site(port: int | None) -> PlantedSite:
        jmx = f'host = "127.0.0.1"\nport = {port}\n{more_jmx}' if port else "enabled = false\n"
        config.write_text(f"{text}[jmx]\n{jmx}")
        settings = load_settings(config)
        ensure_instance(settings.link_dir)
        return PlantedSite(Agent(config, settings, inside), plants, install, home)

    if not jmx:
        yield site(None)
        return
    beans = folder / "beans.txt"
    lines = spoil(planted_beans(catalog, TOMCAT.get(product, "Catalina"), plants), plants)
    beans.write_text("".join("\t".join(line) + "\n" for line in lines))
    with running_jvm(BEANS, str(beans), options=planted_options(plants)) as jvm:
        yield site(jvm.port)


def write_logs(site: PlantedSite, stopping: threading.Event) -> None:
    """Append planted lines while the daemon reads."""
    number = 0
    while not stopping.wait(0.3):
        log_some(site, number)
        number += 20


def run_daemon(site: PlantedSite, hours: int = 2) -> bytes:
    """The real daemon until it has closed some hours that have batches or a bundle; returns its log."""
    log_path = site.agent.config.with_name("daemon.log")
    stopping = threading.Event()
    writer = threading.Thread(target=write_logs, args=(site, stopping), daemon=True)
    with log_path.open("wb") as log:
        daemon = subprocess.Popen(
            [*site.agent.inside, sys.executable, "-m", "agent.cli", "run", "--config", str(site.agent.config)],
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


def two_ticks(
    site: PlantedSite,
    conceal: bool = True,
    level: ConsentLevel = ConsentLevel.BASIC,
    *,
    ticks: int = 2,
    logs: bool = True,
) -> None:
    """Ticks read by the real sources and stored, with or without what hashes them before."""
    settings, catalog = site.agent.settings, load_catalog(site.agent.settings.instance.product)
    guard = TickConcealer(settings, catalog, lambda: level) if conceal else None
    sampler = Sampler(open_sources(settings, catalog, lambda: level), guard)
    store = open_store(settings.agent.state_dir)
    try:
        writer = TickWriter(store, settings.hour.length_s)
        for number in range(ticks):
            if logs:
                log_some(site, 20 * number)
            writer.append(sampler.take(datetime.now(UTC), 30))
    finally:
        sampler.close()
        store.close()


def close_hour(site: PlantedSite) -> None:
    """The real delivery run, as soon as the hour of the newest tick is over."""
    hour = time.time() // HOUR_S
    wait_until(lambda: time.time() // HOUR_S > hour)
    wait_until(lambda: site.agent.json("deliver")["hoursClosed"] > 0, 30)


SHOWN = (["status", "--json"], ["status"], ["preview", "--json"], ["bundle", "--json"])


def left_behind(site: PlantedSite, log: bytes) -> dict[str, bytes]:
    """Everything that is stored, shown or would be sent, by where it is."""
    shown = {" ".join(command): site.agent.process(*command).out.encode() for command in SHOWN}
    assert b'"entries"' in shown["preview --json"], "nothing was closed"
    return {"state folder": b"\n".join(stored_bytes(site.agent.settings.agent.state_dir)), "log": log, **shown}


def leaks(places: dict[str, bytes], plants: Plants) -> list[str]:
    """What was found where, with its surroundings."""
    return [
        f"{sorted(plants.where(hit[0]))} in {name}: ...{text[max(hit.start() - 80, 0) : hit.end() + 30]!r}"
        for name, text in places.items()
        for hit in FOUND.finditer(text)
    ]
