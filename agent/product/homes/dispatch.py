"""The home folders the agent understands: one reader for each product, found by the product's name.

A further product is one module with two functions and one line in each of the two tables below.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from agent.product.homes import bamboo, bitbucket, confluence, crowd, jira
from agent.product.model import HomeFacts, ProductDatabase
from agent.settings import ProductType

HOME_READERS: dict[ProductType, Callable[[Path, Path | None], HomeFacts]] = {
    ProductType.JIRA: jira.read_jira_home,
    ProductType.CONFLUENCE: confluence.read_confluence_home,
    ProductType.BITBUCKET: bitbucket.read_bitbucket_home,
    ProductType.BAMBOO: bamboo.read_bamboo_home,
    ProductType.CROWD: crowd.read_crowd_home,
}
DATABASE_READERS: dict[ProductType, Callable[[Path, Path | None], ProductDatabase]] = {
    ProductType.JIRA: jira.read_database,
    ProductType.CONFLUENCE: confluence.read_database,
    ProductType.BITBUCKET: bitbucket.read_database,
    ProductType.BAMBOO: bamboo.read_database,
    ProductType.CROWD: crowd.read_database,
}


# Where each product keeps the file that names its database; the first that is there tells the product.
_MARKS = {
    jira.DBCONFIG: ProductType.JIRA,
    confluence.FILE: ProductType.CONFLUENCE,
    f"shared/{bitbucket.FILE}": ProductType.BITBUCKET,
    bamboo.FILE: ProductType.BAMBOO,
    f"shared/{crowd.FILE}": ProductType.CROWD,
    crowd.FILE: ProductType.CROWD,
}


def product_of(home: Path) -> ProductType:
    """The product whose home this seems to be; Jira where nothing tells, whose reader then says what is missing."""
    return next((product for mark, product in _MARKS.items() if os.path.lexists(home / mark)), ProductType.JIRA)


def read_home(product: ProductType, home: Path, shared_home: Path | None = None) -> HomeFacts:
    """What the home folder of `product` says; raises ConfigError with every mistake found in it."""
    return HOME_READERS[product](home, shared_home)


def read_product_database(product: ProductType, home: Path, shared_home: Path | None = None) -> ProductDatabase:
    """How `product` logs in to its database, read from its home at this moment; raises ConfigError."""
    return DATABASE_READERS[product](home, shared_home)
