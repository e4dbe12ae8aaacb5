"""The home folders the agent understands: one reader for each product, found by the product's name.

A further product is one module with two functions and one line in each of the two tables below.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.errors import ConfigError
from agent.product import jira
from agent.product.model import HomeFacts, ProductDatabase
from agent.settings import ProductType

HOME_READERS: dict[ProductType, Callable[[Path, Path | None], HomeFacts]] = {ProductType.JIRA: jira.read_jira_home}
DATABASE_READERS: dict[ProductType, Callable[[Path], ProductDatabase]] = {ProductType.JIRA: jira.read_database}


def read_home(product: ProductType, home: Path, shared_home: Path | None = None) -> HomeFacts:
    """What the home folder of `product` says; raises ConfigError with every mistake found in it."""
    reader = HOME_READERS.get(product)
    if reader is None:
        raise _unknown(product)
    return reader(home, shared_home)


def read_product_database(product: ProductType, home: Path) -> ProductDatabase:
    """How `product` logs in to its database, read from its home at this moment; raises ConfigError."""
    reader = DATABASE_READERS.get(product)
    if reader is None:
        raise _unknown(product)
    return reader(home)


def _unknown(product: ProductType) -> ConfigError:
    known = ", ".join(HOME_READERS)
    return ConfigError(
        f"This agent cannot read a {product} home yet.",
        why=f"The homes it understands are: {known}.",
        do=f"Use it beside {known}, or install a newer agent.",
    )
