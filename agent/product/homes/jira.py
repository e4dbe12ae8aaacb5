"""A Jira home folder: dbconfig.xml (the database) and cluster.properties (the node), read as hostile input.

Out:  `NodeFacts` and `ProductDatabase`, each read without the other. Nothing of a file's content stands in a message
but element names, numbers and paths. The password is a `Secret`, or absent when it is not plain.
"""

from __future__ import annotations

from pathlib import Path

from agent.errors import Mistake
from agent.product.database.jdbc import DatabaseAddress
from agent.product.homes.formats import Malformed, holds_properties, read_elements, read_properties
from agent.product.homes.home_files import (
    barred_noted,
    check_node_name,
    check_shared_home,
    file_octets,
    named_folder,
    needs_user,
    parse_address,
    product_login,
    require_folder,
)
from agent.product.model import Clustering, NodeFacts, ProductDatabase
from agent.settings import Dialect, shown

DBCONFIG = "dbconfig.xml"
CLUSTER = "cluster.properties"
JNDI = "is missing: Jira takes its database from the application server (JNDI)"

DATABASE_TYPES = {
    "postgres72": Dialect.POSTGRESQL,
    "postgresaurora96": Dialect.POSTGRESQL,
    "mysql": Dialect.MYSQL,
    "mysql57": Dialect.MYSQL,
    "mysql8": Dialect.MYSQL,
    "mssql": Dialect.SQLSERVER,
    "oracle10g": Dialect.ORACLE,
    "sqlite": Dialect.SQLITE,
}
_SOURCE = "jdbc-datasource"
_JNDI = "jndi-datasource/jndi-name"
_CIPHERS = ("atlassian-password-cipher-provider", f"{_SOURCE}/atlassian-password-cipher-provider")
_WANTED = frozenset(
    {
        "database-type",
        "schema-name",
        _JNDI,
        f"{_SOURCE}/url",
        f"{_SOURCE}/username",
        f"{_SOURCE}/password",
        *_CIPHERS,
    }
)


def find_database(home: Path, _shared_home: Path | None, mistakes: list[Mistake]) -> ProductDatabase | None:
    """How Jira reaches its database, from dbconfig.xml; what is wrong is in `mistakes`."""
    return _database(home / DBCONFIG, mistakes)


def read_node(home: Path, shared_home: Path | None, otherwise: Path | None = None) -> NodeFacts:
    """What a Jira home says but its database; `shared_home` overrides what cluster.properties names."""
    require_folder(home, "Jira", DBCONFIG)
    unread: list[Mistake] = []
    notes: list[Mistake] = []
    clustering, name, named = _cluster(home / CLUSTER, notes, unread, wanted=shared_home is None)
    inside = home / "shared" if (home / "shared").is_dir() else home
    shared = shared_home or named or otherwise or inside
    check_shared_home(home, shared, f"{CLUSTER}: jira.shared.home" if named else "--shared-home", notes)
    files = (home / DBCONFIG, home / CLUSTER)
    return NodeFacts(home, shared, clustering, name, files=files, notes=tuple(notes), unread=tuple(unread))


def _database(path: Path, mistakes: list[Mistake]) -> ProductDatabase | None:
    octets = file_octets(path, mistakes, "is missing; Jira writes it when its database is set up")
    if octets is None:
        return None
    found: dict[str, str] = {}
    try:
        found = read_elements(octets, "jira-database-config", _WANTED)
    except Malformed as error:
        mistakes.append(Mistake(str(path), "", str(error)))
        return None
    password = found.pop(f"{_SOURCE}/password", "")
    values = {key: text.strip() for key, text in found.items()}
    cipher = next((values[key] for key in _CIPHERS if values.get(key)), "")
    keys, login = (f"{_SOURCE}/username", f"{_SOURCE}/password"), {**values, f"{_SOURCE}/password": password}
    url = values.get(f"{_SOURCE}/url", "")
    user, secret, kept = product_login(str(path), keys, login, cipher, mistakes, url)
    address = _address(str(path), values, mistakes)
    if not user and _JNDI not in values and needs_user(address):
        mistakes.append(Mistake(str(path), keys[0], "is missing or empty"))
    schema = _schema(str(path), values.get("schema-name", ""), mistakes)
    return None if address is None else ProductDatabase(address, user, secret, schema, kept)


def _address(file: str, values: dict[str, str], mistakes: list[Mistake]) -> DatabaseAddress | None:
    kind = values.get("database-type", "")
    # One that is not in the table does not matter where the URL is clear: a new name for a known database.
    dialect = DATABASE_TYPES.get(kind)
    if not kind:
        mistakes.append(Mistake(file, "database-type", "is missing or empty"))
    elif kind == "h2":
        mistakes.append(
            Mistake(file, "database-type", "is h2, the evaluation database, which only Jira itself can open")
        )
    url = values.get(f"{_SOURCE}/url", "")
    if not url:
        mistakes.append(Mistake(file, f"{_SOURCE}/url", JNDI if _JNDI in values else "is missing or empty"))
        return None
    address = parse_address(file, f"{_SOURCE}/url", url, mistakes)
    if address is None and kind and dialect is None and kind != "h2":
        known = ", ".join(DATABASE_TYPES)
        mistakes.append(Mistake(file, "database-type", f"'{shown(kind, 40)}' is not known; known are {known}"))
    if address is not None and dialect is not None and address.dialect is not dialect:
        mistakes.append(
            Mistake(file, f"{_SOURCE}/url", f"is for {address.dialect}, but database-type is '{shown(kind, 40)}'")
        )
    return address


def _schema(file: str, schema: str, mistakes: list[Mistake]) -> str:
    if schema and not (len(schema) <= 128 and all(char.isalnum() or char in "_$#-" for char in schema)):
        mistakes.append(Mistake(file, "schema-name", "holds characters a schema name does not have"))
        return ""
    return schema


def _cluster(
    path: Path, notes: list[Mistake], unread: list[Mistake], *, wanted: bool
) -> tuple[Clustering, str, Path | None]:
    """Whether this is a cluster node, its id, and, if wanted, the shared home.

    An absent file means no cluster, and so does one whose lines are all comments.
    """
    octets = None
    with barred_noted(unread):
        octets = file_octets(path, unread, missing="")
    if octets is None:
        # Without dbconfig.xml as well this may be a folder that is not mounted: it says nothing.
        silent = unread or not (path.parent / DBCONFIG).exists()
        return (Clustering.UNKNOWN if silent else Clustering.NO), "", None
    if not holds_properties(octets):
        return Clustering.NO, "", None
    values = read_properties(octets, ("jira.node.id", "jira.shared.home"))
    name = values.get("jira.node.id", "").strip()
    if not name:
        notes.append(Mistake(str(path), "jira.node.id", "is missing or empty"))
    elif not check_node_name(str(path), "jira.node.id", name, notes):
        name = ""
    text = values.get("jira.shared.home", "").strip()
    if not text or not wanted:
        return Clustering.YES, name, None
    return Clustering.YES, name, named_folder(str(path), "jira.shared.home", text, {}, notes)
