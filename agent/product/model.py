"""What is known about the product beside us, as values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.product.database.jdbc import DatabaseAddress
from agent.settings import ProductType, Secret


@dataclass(frozen=True, slots=True)
class ProductDatabase:
    """How the product itself logs in. `password` is None when there is none or the product keeps it encrypted."""

    address: DatabaseAddress
    user: str
    password: Secret | None
    encrypted: bool
    schema: str


@dataclass(frozen=True, slots=True)
class HomeFacts:
    """What a product's home folder says.

    `node_name` is "" outside a cluster and where the home does not tell it; it never leaves as it is. `build` is the
    product's build number, `base_url` and `server_id` are what the home says of them; each "" where it does not tell.
    `files` are read again at run time, where they exist.
    """

    home: Path
    shared_home: Path
    clustered: bool
    node_name: str
    database: ProductDatabase
    build: str = ""
    files: tuple[Path, ...] = ()
    base_url: str = ""
    server_id: str = ""


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """Who stands here. `version` and `build` are "" where the home does not tell: then the database does."""

    product_type: ProductType
    version: str
    build: str
    node_name: str
    clustered: bool


@dataclass(frozen=True, slots=True)
class DatabaseAccess:
    """All that is needed for one connection: where, as whom, with what; made anew for each connection."""

    address: DatabaseAddress
    user: str
    password: Secret | None
    schema: str = ""
