"""A Jira home folder: dbconfig.xml (the database) and cluster.properties (the node), read as hostile input.

Out:  `HomeFacts`; one ConfigError names every mistake found. Nothing of a file's content stands in a message but
element names, numbers and paths. The password is a `Secret`, or absent when Jira keeps it encrypted.
"""

from __future__ import annotations

from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.product.database.jdbc import DatabaseAddress
from agent.product.homes.formats import Malformed, read_elements, read_properties
from agent.product.homes.home_files import (
    DO_HOME,
    check_node_name,
    check_shared_home,
    file_octets,
    named_folder,
    needs_user,
    parse_address,
    product_login,
    require_folder,
)
from agent.product.model import HomeFacts, ProductDatabase
from agent.settings import Dialect, shown

DBCONFIG = "dbconfig.xml"
CLUSTER = "cluster.properties"

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


def read_database(home: Path, _shared_home: Path | None = None) -> ProductDatabase:
    """How Jira reaches its database, from dbconfig.xml; raises ConfigError with every mistake in it."""
    path = home / DBCONFIG
    mistakes: list[Mistake] = []
    database = _database(path, mistakes)
    if database is None or mistakes:
        raise ConfigError(f"Jira's {DBCONFIG} cannot be used.", tuple(mistakes), do=_DO_DBCONFIG)
    return database


def read_jira_home(home: Path, shared_home: Path | None) -> HomeFacts:
    """Everything a Jira home says; `shared_home` overrides what cluster.properties names."""
    mistakes: list[Mistake] = []
    require_folder(home, "Jira", DBCONFIG)
    database = _database(home / DBCONFIG, mistakes)
    clustered, node_name, named_home = _cluster(home / CLUSTER, mistakes, wanted=shared_home is None)
    shared = shared_home or named_home or (home / "shared" if (home / "shared").is_dir() else home)
    check_shared_home(home, shared, "--shared-home" if shared_home else f"{CLUSTER}: jira.shared.home", mistakes)
    if database is None or mistakes:
        raise ConfigError(
            f"The Jira home {shown(str(home), 300)} cannot be used.",
            tuple(mistakes),
            do=DO_HOME,
        )
    return HomeFacts(home, shared, clustered, node_name, database, files=(home / DBCONFIG, home / CLUSTER))


_DO_DBCONFIG = 'Compare with the file Jira runs with, or set [database] login = "own" and give the agent an account.'


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
    # Never decrypted: the key is the product's, and what can be decrypted here can be decrypted by whoever takes this
    # over.
    user, secret, encrypted = product_login(str(path), keys, login, cipher, mistakes)
    address = _address(str(path), values, mistakes)
    if not user and _JNDI not in values and needs_user(address):
        mistakes.append(Mistake(str(path), keys[0], "is missing or empty"))
    schema = _schema(str(path), values.get("schema-name", ""), mistakes)
    return None if address is None else ProductDatabase(address, user, secret, encrypted, schema)


def _address(file: str, values: dict[str, str], mistakes: list[Mistake]) -> DatabaseAddress | None:
    kind = values.get("database-type", "")
    dialect = DATABASE_TYPES.get(kind)
    if not kind:
        mistakes.append(Mistake(file, "database-type", "is missing or empty"))
    elif kind == "h2":
        mistakes.append(
            Mistake(file, "database-type", "is h2, the evaluation database, which only Jira itself can open")
        )
    elif dialect is None:
        known = ", ".join(DATABASE_TYPES)
        mistakes.append(Mistake(file, "database-type", f"'{shown(kind, 40)}' is not known; known are {known}"))
    url = values.get(f"{_SOURCE}/url", "")
    if not url:
        jndi = _JNDI in values
        problem = "is missing or empty"
        if jndi:
            problem = 'is missing: Jira takes the database from its application server (JNDI); set login = "own"'
        mistakes.append(Mistake(file, f"{_SOURCE}/url", problem))
        return None
    address = parse_address(file, f"{_SOURCE}/url", url, mistakes)
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


def _cluster(path: Path, mistakes: list[Mistake], *, wanted: bool) -> tuple[bool, str, Path | None]:
    """Whether this is a cluster node, its id, and, if wanted, the shared home; an absent file means: no cluster."""
    octets = file_octets(path, mistakes, missing="")
    if octets is None:
        return False, "", None
    values = read_properties(octets, ("jira.node.id", "jira.shared.home"))
    node_name = values.get("jira.node.id", "").strip()
    if not node_name:
        mistakes.append(Mistake(str(path), "jira.node.id", "is missing or empty"))
    check_node_name(str(path), "jira.node.id", node_name, mistakes)
    text = values.get("jira.shared.home", "").strip()
    if not text or not wanted:
        return True, node_name, None
    return True, node_name, named_folder(str(path), "jira.shared.home", text, {}, mistakes)
