"""Which entries of the catalog were read for real: each source on something real that has what its entries name."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from agent.catalog import Catalog, declared_sources, load_catalog
from agent.model import ConsentLevel, Reading
from agent.product.homes.webapp import WEBAPPS
from agent.settings import AgentSettings, ClientsideSettings, InstanceSettings, ProductType, Secret, Settings
from agent.sources.apps.backoff import LoginBackoff
from agent.sources.apps.source import InstalledApps
from agent.sources.apps.upm import AppManager
from agent.sources.folders.binding import FolderBinding
from agent.sources.folders.source import Folders
from agent.sources.guardrails.source import Guardrails
from agent.sources.host.source import Host
from agent.sources.jmx.binding import JmxBinding
from agent.sources.listings.source import Listing
from agent.sources.registry import open_source
from tests.product.homes.test_webapp import write_pom
from tests.support import product_databases
from tests.support.access_logs import bitbucket_lines, jira_line, make_install
from tests.support.app_manager import TOKEN, app_manager
from tests.support.homes import write_home
from tests.support.jvm_beans import running_jvm
from tests.support.licences import licence_text
from tests.support.listings import START, change, jira_sqlite
from tests.support.product_homes import write_product_home
from tests.support.sources import accepted, bindings_of, jmx_source, sqlite_engine

BEANS = Path(__file__).parents[1] / "sources" / "data" / "PlantedBeans.java"
LISTINGS = ("apps", "flags", "links", "nodes", "licence")
# One Tomcat stands in one product, under a domain of that product's choice.
TOMCATS = ("Catalina", "Standalone", "Tomcat")
OF_THE_JVM = "java.lang:"
# Must never be read: families that grow without bound, alerts whose names are people's words, other apps' beans.
FORBIDDEN = (
    "com.atlassian.confluence:type=metrics,category00=confluence,category01=logging,name=planted",
    "com.atlassian.confluence:type=metrics,category00=hazelcast,category01=map,name=planted",
    "com.atlassian.diagnostics:type=Alerts,Category=Plugin,name=planted",
    "com.atlassian.diagnostics:type=Alerts,Category=Issue,name=planted",
    "com.atlassian.bitbucket.thread-pools:name=PlantedByAnApp",
)
TOMCAT = {"confluence": "Standalone", "bitbucket": "Tomcat"}
DERIVED = "events"  # made of what other sources listed: tests/runtime/test_events_end_to_end.py
PRODUCTS = tuple(product.value for product in ProductType)
SAID_BY_HOMES = {
    "hazelcast.network.multicast": "false",
    "crowd.clustering.enabled": "false",
    "crowd.server.id": "CRWD-0000-1111-2222",
    "confluence.cluster": "true",
    **dict.fromkeys(("atlassian.license.message", "license.string", "license"), licence_text()),
}
ADMINISTRATION = "<config><myBaseUrl>https://build.example.com/bamboo</myBaseUrl></config>"
APDEX = "2026-11-22 10:00:00,123+0000 category: overall, apdex: {apdexScore=1, satisfiedCount=9, toleratingCount=9, "


def read_for_real(product: str, folder: Path) -> dict[str, set[str]]:
    """The names of the entries that gave a value, by source."""
    found: dict[str, set[str]] = {}
    for name, reading in readings(product, folder):
        found.setdefault(name, set()).update(sample.series.metric for sample in reading.samples)
    return found


def readings(product: str, folder: Path) -> list[tuple[str, Reading]]:
    """One reading of every source, by its name."""
    catalog = load_catalog(product)
    found = [("jmx", _beans(product, catalog, folder)), ("host", _host(catalog, folder))]
    found += [("clientside", _logs(product, catalog, folder)), ("folders", _folders(catalog, folder))]
    found.append(("home", _home(product, catalog, folder)))
    path = _database(product, folder)
    found.append(("guardrails", Guardrails(catalog, lambda: sqlite_engine(path)).read(60)))
    for name in LISTINGS:
        if catalog.of_source(name):
            source = Listing(name, catalog, lambda: sqlite_engine(path), _extended, now=lambda: START)
            found.append((name, accepted(source)))
    found.append(("apps", _app_manager(catalog, folder)))
    return found + _as_configured(product, catalog, folder, {name for name, _ in found})


def _as_configured(product: str, catalog: Catalog, folder: Path, known: set[str]) -> list[tuple[str, Reading]]:
    """The sources that need nothing prepared, as the configuration opens them: a new one is among them by itself."""
    settings = Settings(InstanceSettings(ProductType(product), folder, folder))
    others = [name for name in declared_sources() if name not in known and catalog.of_source(name) and name != DERIVED]
    return [(name, accepted(open_source(name, settings, catalog))) for name in others]


def _extended() -> ConsentLevel:
    return ConsentLevel.EXTENDED


def bean_names(product: str, binding: JmxBinding) -> list[str]:
    """The beans that stand for a binding in this product: each of its names, wildcards filled in."""
    others = set(TOMCATS) - {TOMCAT.get(product, "Catalina")}
    names = [name for name in (binding.bean, *binding.or_beans) if name.partition(":")[0] not in others]
    return [name.removesuffix(",*").replace("*", "one") for name in names]


def numbers_of(product: str, catalog: Catalog) -> dict[str, set[int]]:
    """The values that the JMX entries must give, by name: each planted bean and attribute has a number of its own."""
    at: dict[tuple[str, str], int] = {}
    for number, place in enumerate(_places(product, catalog)):
        at.setdefault(place, 1000 + number)
    found: dict[str, set[int]] = {}
    for metric in catalog.of_source("jmx"):
        binding = metric.bound(JmxBinding)
        if binding is not None and not binding.bean.startswith(OF_THE_JVM):
            found[metric.name] = {at[name, binding.attribute] for name in bean_names(product, binding)}
    return found


def planted_beans(product: str, catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """(bean, attribute, value) for PlantedBeans.java: all that the catalog reads, and what it must never read."""
    places = _places(product, catalog)
    for number, (name, attribute) in enumerate(places):
        yield name, attribute, str(1000 + number)
    for name in FORBIDDEN:
        for attribute in sorted({attribute for _, attribute in places}):
            yield name, attribute, "666"


def _places(product: str, catalog: Catalog) -> list[tuple[str, str]]:
    return list(
        dict.fromkeys(
            (name, binding.attribute)
            for binding in bindings_of(catalog)
            if not binding.bean.startswith(OF_THE_JVM)
            for name in bean_names(product, binding)
        )
    )


def _beans(product: str, catalog: Catalog, folder: Path) -> Reading:
    planted = folder / "beans.tsv"
    planted.write_text("\n".join("\t".join(line) for line in planted_beans(product, catalog)) + "\n")
    with running_jvm(BEANS, str(planted)) as jvm:
        source = jmx_source(jvm.port, catalog)
        try:
            return accepted(source)
        finally:
            source.close()


def _host(catalog: Catalog, folder: Path) -> Reading:
    host = Host(catalog, {"local-home": folder, "state": folder}, writable={"state": folder})
    sum(number * number for number in range(2_000_000))  # so that some processor time passes
    time.sleep(0.05)
    return host.read(30)


def _database(product: str, folder: Path) -> Path:
    path = folder / "product.db"
    if product == "jira":
        return jira_sqlite(path)
    product_databases.fill_sqlite(product, path)
    if product == "bitbucket":
        change(path, f"update app_property set prop_value = '{licence_text()}' where prop_key = 'license'")
    return path


def _home(product: str, catalog: Catalog, folder: Path) -> Reading:
    """What the product's files say, written as its version writes them."""
    kind, install = ProductType(product), folder / "webapp"
    if kind is ProductType.JIRA:
        home = write_home(folder)
    else:
        home = write_product_home(folder, product, more=SAID_BY_HOMES)
        (home / "shared" / "configuration").mkdir(parents=True, exist_ok=True)
        (home / "shared" / "configuration" / "administration.xml").write_text(ADMINISTRATION)
    if kind in WEBAPPS:
        write_pom(install, WEBAPPS[kind], "version=9.6.4\n")
    instance = InstanceSettings(kind, home, home / "shared")
    return open_source("home", Settings(instance, clientside=ClientsideSettings(install=install)), catalog).read(30)


def _app_manager(catalog: Catalog, folder: Path) -> Reading:
    """What the product's app manager tells over HTTPS."""
    with app_manager(folder) as server:
        manager = AppManager(server.url, lambda: (None, Secret(TOKEN)), server.ca_file, True)
        return InstalledApps(
            catalog, manager, LoginBackoff(folder / "pause.json", lambda: ""), _extended, now=lambda: START
        ).read(30)


def _logs(product: str, catalog: Catalog, folder: Path) -> Reading:
    install = make_install(folder / "install", version="10.1.30")
    log, apdex = install / "logs" / "access_log", folder / "log" / "atlassian-jira-apdex.log"
    apdex.parent.mkdir()
    line = jira_line(0)
    if product == "bitbucket":
        log, line = folder / "log" / "atlassian-bitbucket-access.log", bitbucket_lines("GET /rest/x HTTP/1.1", 200)
    lines = "".join(f"{APDEX.replace('overall', page)}frustratedCount=9}}\n" for page in ("overall", "jira.dashboard"))
    for path, text in ((log, line), (apdex, lines.encode())):
        path.write_bytes(text)
    settings = Settings(
        InstanceSettings(ProductType(product), folder, folder),
        agent=AgentSettings(state_dir=folder / "state"),
        clientside=ClientsideSettings(install=install),
    )
    source = open_source("clientside", settings, catalog)
    for _ in range(2):  # a page is told as 0 first
        accepted(source)
        with open(log, "ab") as stream:
            stream.write(line * 50)
        with open(apdex, "ab") as stream:
            stream.write(lines.encode())
    return accepted(source)


def _folders(catalog: Catalog, folder: Path) -> Reading:
    homes = {name: folder / f"{name}-home" for name in ("local", "shared")}
    for metric in catalog.of_source("folders"):
        binding = metric.bound(FolderBinding)
        assert binding is not None
        for place in binding.places:
            os.makedirs(homes[place.home] / place.path, exist_ok=True)
            for pattern in binding.files or ("one",):
                (homes[place.home] / place.path / pattern.replace("*", "1")).write_bytes(b"x" * 100)
    return Folders(catalog, homes).read(30)
