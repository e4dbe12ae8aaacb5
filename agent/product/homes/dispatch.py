"""The home folders the agent understands: one reader for each product, found by the product's name.

A further product is one module with two functions, one line in each of the two tables below, and its marks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.product.homes import bamboo, bitbucket, confluence, crowd, jira
from agent.product.homes.home_files import DO_HOME, DO_LOGIN, barred_noted
from agent.product.model import HomeFacts, NodeFacts, ProductDatabase
from agent.settings import ProductType, shown

NODE_READERS: dict[ProductType, Callable[[Path, Path | None, Path | None], NodeFacts]] = {
    ProductType.JIRA: jira.read_node,
    ProductType.CONFLUENCE: confluence.read_node,
    ProductType.BITBUCKET: bitbucket.read_node,
    ProductType.BAMBOO: bamboo.read_node,
    ProductType.CROWD: crowd.read_node,
}
DATABASE_FINDERS: dict[ProductType, Callable[[Path, Path | None, list[Mistake]], ProductDatabase | None]] = {
    ProductType.JIRA: jira.find_database,
    ProductType.CONFLUENCE: confluence.find_database,
    ProductType.BITBUCKET: bitbucket.find_database,
    ProductType.BAMBOO: bamboo.find_database,
    ProductType.CROWD: crowd.find_database,
}
# The file that names each product's database, for messages.
DATABASE_FILES = {
    ProductType.JIRA: jira.DBCONFIG,
    ProductType.CONFLUENCE: confluence.FILE,
    ProductType.BITBUCKET: bitbucket.FILE,
    ProductType.BAMBOO: bamboo.FILE,
    ProductType.CROWD: crowd.FILE,
}


def read_node(
    product: ProductType, home: Path, shared_home: Path | None = None, otherwise: Path | None = None
) -> NodeFacts:
    """What the home says of node, cluster and build, without its database; raises ConfigError when there is no home.

    `otherwise` is the shared home where neither `shared_home` nor the home itself names one.
    """
    return NODE_READERS[product](home, shared_home, otherwise)


def find_product_database(
    product: ProductType, home: Path, shared_home: Path | None, mistakes: list[Mistake]
) -> ProductDatabase | None:
    """How `product` logs in to its database, as far as its home tells; what is wrong is in `mistakes`."""
    return DATABASE_FINDERS[product](home, shared_home, mistakes)


def read_product_database(product: ProductType, home: Path, shared_home: Path | None = None) -> ProductDatabase:
    """How `product` logs in to its database, read from its home now; raises ConfigError with all mistakes."""
    mistakes: list[Mistake] = []
    database = find_product_database(product, home, shared_home, mistakes)
    if database is None or mistakes:
        name = product.value.capitalize()
        raise ConfigError(f"{name}'s {DATABASE_FILES[product]} cannot be used.", tuple(mistakes), do=DO_LOGIN)
    return database


def read_home(product: ProductType, home: Path, shared_home: Path | None = None) -> HomeFacts:
    """Node and database of a home in which nothing is wrong; raises ConfigError with every mistake found in it."""
    node = read_node(product, home, shared_home)
    mistakes = [*node.notes]
    database = None
    with barred_noted(mistakes):
        database = find_product_database(product, home, shared_home, mistakes)
    found = tuple(dict.fromkeys([*node.unread, *mistakes]))
    if database is None or found:
        name = product.value.capitalize()
        raise ConfigError(f"The {name} home {shown(str(home), 300)} cannot be used.", found, do=DO_HOME)
    return HomeFacts(node, database)
