"""What a source's folder says of itself, found by looking: no list of sources stands anywhere.

In:   every `agent/sources/NAME/binding.py`, each with a `DECLARATION`.
Out:  the declarations by the word with which an entry names its source, and in the order in which sources are opened.
The catalog lies a floor below the sources and knows none of them: it looks into their folder by name. So a binding
module imports the ground only, and no library: it is loaded with every catalog, whether its source is on or not.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from agent.catalog.binding import Binding

if TYPE_CHECKING:
    from agent.catalog.model import Metric
    from agent.catalog.reader import Reader
    from agent.settings import Settings

SOURCES = "agent.sources"


def _passes(metric: Metric, entry: Reader) -> None:
    """Nothing further to check."""


def _never(metric: Metric) -> bool:
    return False


def _always(settings: Settings, entries: tuple[Metric, ...]) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDeclaration:
    """What the rest of the agent knows of a source without importing it.

    `names` are the words for `source = "..."`, each with where it looks, as a sysadmin would say it; `page` says the
    same for docs/what-we-collect.md where an entry has no binding. `bindings` are the tables an entry may have that
    say where it is read; with any, each entry has at least one. `check` finds what no single key can say.
    `noticed`: its entries are events, which are not read but found by comparing.
    `switch` is what turns it on, as an admin writes it; "" for one that is always on.
    `order`: sources are opened, shown and reported from low to high. `is_on`: whether a configuration wants it, given
    the entries that the catalog has for it. `once_per_cluster`: each node would read the same, so one reads it for
    all; `of_each_node` are the entries of such a source that are every node's own affair.
    """

    names: Mapping[str, str]
    order: int
    page: str = ""
    bindings: tuple[type[Binding], ...] = ()
    noticed: bool = False
    check: Callable[[Metric, Reader], None] = _passes
    switch: str = ""
    is_on: Callable[[Settings, tuple[Metric, ...]], bool] = _always
    once_per_cluster: bool = False
    of_each_node: Callable[[Metric], bool] = _never


@dataclass(frozen=True, slots=True)
class DeclaredSource:
    """One name of one folder: `package` is where its `source.py` lies."""

    name: str
    package: str
    declaration: SourceDeclaration

    @property
    def where(self) -> str:
        """Where it looks, in a sysadmin's words."""
        return self.declaration.names[self.name]


@cache
def declared_sources() -> Mapping[str, DeclaredSource]:
    """Every source there is, by name, in opening order."""
    found: list[DeclaredSource] = []
    for folder in pkgutil.iter_modules(import_module(SOURCES).__path__):
        package = f"{SOURCES}.{folder.name}"
        if not folder.ispkg or find_spec(f"{package}.binding") is None:
            continue
        declaration: SourceDeclaration = import_module(f"{package}.binding").DECLARATION
        found += [DeclaredSource(name, package, declaration) for name in declaration.names]
    found.sort(key=lambda source: source.declaration.order)  # stable: names of one folder keep their order
    return {source.name: source for source in found}


@cache
def binding_types() -> Mapping[str, type[Binding]]:
    """Every kind of binding by the key of its table."""
    return {kind.KEY: kind for source in declared_sources().values() for kind in source.declaration.bindings}


def cluster_sources() -> frozenset[str]:
    """The sources that answer the same on every node: read once for all."""
    return frozenset(name for name, source in declared_sources().items() if source.declaration.once_per_cluster)
