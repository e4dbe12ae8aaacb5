"""Compiles the catalogs: the files are read and checked, every statement said to every database, and the whole packed.

In:   the catalog's sources. Out: `compiled/PRODUCT.json`, which the running agent loads.
Only a build and a checkout import this; it needs sqlglot.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from agent.catalog.compiled import COMPILED, HERE, parse_compiled, products, render_compiled, sources_hash
from agent.catalog.model import Catalog
from agent.catalog.packing import pack
from agent.catalog.parse import parse_catalog
from agent.system.atomic import write_whole


def compile_product(product: str, folder: Path = HERE / COMPILED) -> Catalog:
    """The catalog of the sources as they are, left in `folder` for the next start where it can be written.

    Raises CatalogError with every fault of the sources.
    """
    made_from = sources_hash(product)  # before the files are read: what changes meanwhile makes the result stale
    data = compiled_bytes(product, made_from)
    with contextlib.suppress(OSError):  # a checkout that cannot be written works too, at a second a start
        write_compiled(folder / f"{product}.json", data)
    return parse_compiled(data, product, made_from)


def compile_all(folder: Path) -> None:
    """The compiled form of each product in `folder`, for a wheel. Raises CatalogError, OSError."""
    for product in products():
        write_compiled(folder / f"{product}.json", compiled_bytes(product, sources_hash(product)))


def compiled_bytes(product: str, made_from: str) -> bytes:
    """The compiled form of the sources, the same bytes each time."""
    return render_compiled(pack(parse_catalog(product)), product, made_from)


def write_compiled(file: Path, data: bytes) -> None:
    """Written beside and renamed: two that compile at once leave one whole file, and a reader sees none in part."""
    # The mode whatever the umask: a file that others could write would not be used.
    write_whole(file, data, mode=0o644)
