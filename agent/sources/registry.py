"""Opens the sources that the configuration switches on; nothing is imported for one that is off.

Which sources there are is found by looking: each folder beside this file with a `binding.py` (what it is called, when
it is on, in which order it comes) and a `source.py` with `open_source(opening)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module

from agent.catalog import Catalog
from agent.catalog.declaration import DeclaredSource, declared_sources
from agent.catalog.versions import Version, version_of_build
from agent.catalog.versions import version as known_version
from agent.model import ClusterTurn, ConsentLevel, Source
from agent.product.database.gate import Gate
from agent.product.homes.webapp import read_webapp_version
from agent.product.instance.search import searches_elsewhere
from agent.settings import Settings
from agent.sources.cluster import OncePerCluster, each_node
from agent.sources.fitting import Fitting, may_not_fit
from agent.sources.governor import CostGovernor, governor_of
from agent.sources.inventory import Inventory
from agent.sources.opening import Opening


def open_sources(
    settings: Settings, catalog: Catalog, level: Callable[[], ConsentLevel], governor: CostGovernor | None = None
) -> list[Source]:
    """The sources this configuration asks for, in their order; opening one connects to nothing.

    `level` tells the consent level in force whenever it is called: names are read under Extended only.
    `governor` holds what the guardrail queries cost in earlier processes; without it that is learnt anew.
    """
    return [_opened(source, opening) for source, opening in _wanted(settings, catalog, level, governor)]


def open_source(
    name: str, settings: Settings, catalog: Catalog, level: Callable[[], ConsentLevel] = lambda: ConsentLevel.BASIC
) -> Source:
    """One source by its name, whether it is on or not."""
    opening = Opening(name, settings, catalog, level, governor_of(settings, catalog), Gate(), Inventory(catalog))
    return _opened(declared_sources()[name], opening)


def open_cluster_sources(
    settings: Settings,
    catalog: Catalog,
    level: Callable[[], ConsentLevel],
    governor: CostGovernor,
    turn: Callable[[], ClusterTurn | None],
    inventory: Inventory | None = None,
) -> list[Source]:
    """The same sources for a resident node: what a cluster has once is read only on this node's turn."""
    sources: list[Source] = []
    for declared, opening in _wanted(settings, catalog, level, governor, inventory):
        source = _opened(declared, opening)
        if declared.declaration.once_per_cluster:
            own = each_node(catalog, declared.name)
            alone = None if own is None else _opened(declared, replace(opening, catalog=own))
            source = OncePerCluster(source, alone, catalog.of_source(declared.name), turn)
        sources.append(source)
    return sources


def _wanted(
    settings: Settings,
    catalog: Catalog,
    level: Callable[[], ConsentLevel],
    governor: CostGovernor | None,
    inventory: Inventory | None = None,
) -> Iterator[tuple[DeclaredSource, Opening]]:
    """Each source that has entries and is on. They share a gate: one at a time asks the product's database."""
    gate = Gate()
    governor = governor or governor_of(settings, catalog)
    inventory = inventory or Inventory(catalog)
    for source in declared_sources().values():
        entries = catalog.of_source(source.name)
        if entries and not source.declaration.noticed and source.declaration.is_on(settings, entries):
            yield source, Opening(source.name, settings, catalog, level, governor, gate, inventory)


def _opened(source: DeclaredSource, opening: Opening) -> Source:
    opened: Source = import_module(f"{source.package}.source").open_source(opening)
    entries = opening.catalog.of_source(source.name)
    if not may_not_fit(entries):
        return opened
    instance, install = opening.settings.instance, opening.settings.clientside.install

    def version() -> Version | None:
        build = opening.inventory.build
        told = "" if install is None else read_webapp_version(instance.product, install)
        return known_version(told) or version_of_build(opening.catalog.product, build)

    return Fitting(opened, entries, version, lambda: searches_elsewhere((instance.home, instance.shared_home), install))
