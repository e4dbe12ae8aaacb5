"""What is known about the product beside us, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from agent.errors import Mistake
from agent.product.database.jdbc import DatabaseAddress
from agent.settings import ProductType, Secret


@dataclass(frozen=True, slots=True)
class PasswordKeeping:
    """How the product keeps its database password: a stable word and words for a person, without the password."""

    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class ProductDatabase:
    """How the product itself logs in. `password` is None when there is none or it is not there in plain.

    `kept` says how it is kept; `encrypted` is whatever is not plain, so that only an account of our own can log in.
    """

    address: DatabaseAddress
    user: str
    password: Secret | None
    schema: str
    kept: PasswordKeeping = PasswordKeeping("plain", "")

    @property
    def encrypted(self) -> bool:
        """Whether the password is not plain in the product's file."""
        return self.kept.kind != "plain"


class Clustering(StrEnum):
    """Whether the instance is a cluster, as far as the product's own files tell."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a product's home says of this node, without its database.

    `node_name` is "" outside a cluster and where the home does not tell it; it never leaves as it is. `build` is the
    product's build number, `base_url` and `server_id` are what the home says of them; each "" where it does not tell.
    `files` are read again at run time, where they exist. `notes` is what is wrong and costs one value; `unread` are the
    files that could not be read, so that node and cluster are not known.
    """

    home: Path
    shared_home: Path
    clustering: Clustering = Clustering.UNKNOWN
    node_name: str = ""
    build: str = ""
    files: tuple[Path, ...] = ()
    base_url: str = ""
    server_id: str = ""
    notes: tuple[Mistake, ...] = ()
    unread: tuple[Mistake, ...] = ()


@dataclass(frozen=True, slots=True)
class HomeFacts:
    """A home that can be used whole: its node and its database."""

    node: NodeFacts
    database: ProductDatabase


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """Who stands here. `version` and `build` are "" where the home does not tell: then the database does.

    `clustered`: this node takes turns with others in what a cluster has once; so it does where the files cannot tell.
    """

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
