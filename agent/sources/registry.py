"""Opens the sources that the configuration switches on; nothing is imported for one that is off."""

from __future__ import annotations

from collections.abc import Callable

from agent.catalog import CLUSTER_SOURCES, Catalog
from agent.model import ClusterTurn, ConsentLevel, Source
from agent.product.database.gate import Gate
from agent.settings import Settings
from agent.sources.governor import CostGovernor

APPS = "apps"
LISTINGS = (APPS, "flags", "links", "nodes")


def open_cluster_sources(
    settings: Settings,
    catalog: Catalog,
    level: Callable[[], ConsentLevel],
    governor: CostGovernor,
    turn: Callable[[], ClusterTurn | None],
) -> list[Source]:
    """The same sources for a resident node: what a cluster has once is read only on this node's turn."""
    from agent.sources.cluster import OncePerCluster, each_node

    sources: list[Source] = []
    gate = Gate()
    for source in open_sources(settings, catalog, level, governor, gate):
        if source.name in CLUSTER_SOURCES:
            own = each_node(catalog, source.name)
            alone = None if own is None else _opened(source.name, settings, own, level, governor, gate)
            source = OncePerCluster(source, alone, catalog.of_source(source.name), turn)
        sources.append(source)
    return sources


def _opened(
    name: str,
    settings: Settings,
    catalog: Catalog,
    level: Callable[[], ConsentLevel],
    governor: CostGovernor,
    gate: Gate,
) -> Source:
    return next(source for source in open_sources(settings, catalog, level, governor, gate) if source.name == name)


def open_sources(
    settings: Settings,
    catalog: Catalog,
    level: Callable[[], ConsentLevel],
    governor: CostGovernor | None = None,
    gate: Gate | None = None,
) -> list[Source]:
    """The sources this configuration asks for, host first; opening one connects to nothing.

    `level` tells the consent level in force whenever it is called: names are read under Extended only.
    `governor` holds what the guardrail queries cost in earlier processes; without it that is learnt anew.
    `gate` is shared by those that read the database; without one they share a new one.
    """
    sources: list[Source] = []
    gate = gate or Gate()
    if settings.host.enabled:
        from agent.sources.host.source import open_host

        sources.append(open_host(settings, catalog))
    if catalog.of_source("folders"):
        from agent.sources.folders.source import open_folders

        sources.append(open_folders(settings, catalog))
    if catalog.of_source("home"):
        from agent.sources.home.source import open_home

        sources.append(open_home(settings, catalog))
    if settings.jmx.enabled:
        from agent.sources.jmx.source import open_jmx

        sources.append(open_jmx(settings, catalog))
    if settings.database.enabled:
        from agent.sources.guardrails.source import open_guardrails

        sources.append(open_guardrails(settings, catalog, governor, gate))
        from agent.sources.listings.source import open_listing

        sources += [
            open_listing(name, settings, catalog, level, gate)
            for name in LISTINGS
            if any(metric.sql is not None for metric in catalog.of_source(name))
        ]
    if settings.apps.rest_url is not None:
        from agent.sources.apps.source import open_apps

        database = next((source for source in sources if source.name == APPS), None)
        apps = open_apps(settings, catalog, level, database)
        sources = [source for source in sources if source is not database] + [apps]
    if settings.clientside.enabled and settings.clientside.install is not None:
        from agent.sources.clientside import open_clientside

        sources.append(open_clientside(settings, catalog))
    return sources
