"""What stands beside us: the product's home folder, its node, its database; everything read as hostile input.

In:   the settings and the product's own files. Out: `HomeFacts`, `ProductFacts`, `DatabaseAccess`, `InstanceFacts`.
`agent.product.database.engine` is imported by itself, and only by who connects: it brings SQLAlchemy.
"""

from agent.product.database.credentials import read_database_access
from agent.product.database.errors import database_errors, map_database_error
from agent.product.database.jdbc import BadUrl, DatabaseAddress, parse_jdbc_url
from agent.product.homes.dispatch import read_home, read_node, read_product_database
from agent.product.instance.facts import read_product_facts
from agent.product.instance.identity import InstanceFacts, ensure_instance, read_instance
from agent.product.model import Clustering, DatabaseAccess, HomeFacts, NodeFacts, ProductDatabase, ProductFacts

__all__ = [
    "BadUrl",
    "Clustering",
    "DatabaseAccess",
    "DatabaseAddress",
    "HomeFacts",
    "InstanceFacts",
    "NodeFacts",
    "ProductDatabase",
    "ProductFacts",
    "database_errors",
    "ensure_instance",
    "map_database_error",
    "parse_jdbc_url",
    "read_database_access",
    "read_home",
    "read_instance",
    "read_node",
    "read_product_database",
    "read_product_facts",
]
