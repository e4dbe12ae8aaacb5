"""Opens the sources that the configuration switches on; nothing is imported for one that is off."""

from __future__ import annotations

from collections.abc import Callable

from agent.catalog import CLUSTER_SOURCES, Catalog
from agent.model import Turn
from agent.settings import Settings
from agent.sources.base import Source


def open_cluster_sources(settings: Settings, catalog: Catalog, turn: Callable[[], Turn | None]) -> list[Source]:
    """The same sources for a resident node: what a cluster has once is read only on this node's turn."""
    from agent.sources.cluster import OncePerCluster, each_node

    sources: list[Source] = []
    for source in open_sources(settings, catalog):
        if source.name in CLUSTER_SOURCES:
            own = each_node(catalog, source.name)
            alone = [item for item in open_sources(settings, own) if item.name == source.name] if own else []
            source = OncePerCluster(source, alone[0] if alone else None, catalog.of_source(source.name), turn)
        sources.append(source)
    return sources


def open_sources(settings: Settings, catalog: Catalog) -> list[Source]:
    """The sources this configuration asks for, host first; opening one connects to nothing."""
    sources: list[Source] = []
    if settings.host.enabled:
        from agent.sources.host import open_host

        sources.append(open_host(settings, catalog))
    if settings.jmx.enabled:
        from agent.sources.jmx import open_jmx

        sources.append(open_jmx(settings, catalog))
    if settings.database.enabled:
        from agent.sources.guardrails import open_guardrails

        sources.append(open_guardrails(settings, catalog))
    return sources
