"""What stands beside us: the product's home folder, its node, its database; everything read as hostile input.

In:   the settings and the product's own files. Out: `HomeFacts`, `ProductFacts`, `DatabaseAccess`, `InstanceFacts`.
`agent.product.engine` is imported by itself, and only by who connects: it brings SQLAlchemy.
"""

from agent.product.database import read_login
from agent.product.database_errors import database_errors, map_database_error
from agent.product.home import HOME_READERS, read_home, read_product_database
from agent.product.identity import read_product_facts
from agent.product.instance import InstanceFacts, Owner, ensure_instance, owner_of, read_instance
from agent.product.jdbc import BadUrl, DatabaseAddress, parse_jdbc_url
from agent.product.model import DatabaseAccess, HomeFacts, ProductDatabase, ProductFacts
from agent.product.setenv import JmxHint, parse_setenv

__all__ = [
    "HOME_READERS",
    "BadUrl",
    "DatabaseAccess",
    "DatabaseAddress",
    "HomeFacts",
    "InstanceFacts",
    "JmxHint",
    "Owner",
    "ProductDatabase",
    "ProductFacts",
    "database_errors",
    "ensure_instance",
    "map_database_error",
    "owner_of",
    "parse_jdbc_url",
    "parse_setenv",
    "read_home",
    "read_instance",
    "read_login",
    "read_product_database",
    "read_product_facts",
]
