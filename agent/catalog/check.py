"""Checks the catalogs of all products at once, for the build and for `catalog check`."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path

from agent.catalog.compiled import load_catalog, products
from agent.catalog.errors import CatalogError
from agent.errors import Mistake


def check_all(root: Traversable | Path | None = None) -> tuple[dict[str, int], tuple[Mistake, ...]]:
    """The number of metrics by product, and every fault of any of them once."""
    counts: dict[str, int] = {}
    faults: dict[Mistake, None] = {}
    names = products(root)
    if not names:
        faults[Mistake("catalog", "products", "there is none")] = None
    for product in names:
        try:
            counts[product] = len(load_catalog(product, root).metrics)
        except CatalogError as error:
            whole = Mistake(
                product, "", " ".join(str(error).split())
            )  # no file of it is at fault, but what became of it
            faults.update(dict.fromkeys(error.mistakes or (whole,)))
    return counts, tuple(faults)
