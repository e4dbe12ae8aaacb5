"""A Bitbucket home folder: bitbucket.properties of its shared home (the database), read as hostile input.

The file may be changed by hand at any time and is empty of a database as long as Bitbucket runs on its built-in one.
A node has no name there: the host's speaks for it.
"""

from __future__ import annotations

from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.product.homes.formats import read_properties
from agent.product.homes.home_files import (
    DO_HOME,
    DO_LOGIN,
    built_database,
    check_shared_home,
    file_octets,
    require_folder,
)
from agent.product.model import HomeFacts, ProductDatabase
from agent.settings import shown

FILE = "bitbucket.properties"
URL, USER, PASSWORD = "jdbc.url", "jdbc.user", "jdbc.password"
CIPHER = "encrypted-property.cipher.classname"
# With one of these the nodes look for each other; alone none of them is set.
CLUSTER = ("hazelcast.network.multicast", "hazelcast.network.tcpip", "hazelcast.network.aws", "hazelcast.network.azure")
NO_URL = "is missing or empty: Bitbucket then runs on its built-in database (H2), which only Bitbucket itself can open"


def read_database(home: Path, shared_home: Path | None = None) -> ProductDatabase:
    """How Bitbucket reaches its database; raises ConfigError with every mistake in its file."""
    mistakes: list[Mistake] = []
    database = _database(_shared(home, shared_home), mistakes)[0]
    if database is None or mistakes:
        raise ConfigError(f"Bitbucket's {FILE} cannot be used.", tuple(mistakes), do=DO_LOGIN)
    return database


def read_bitbucket_home(home: Path, shared_home: Path | None) -> HomeFacts:
    """Everything a Bitbucket home says; `shared_home` is where the shared home lies when it is not in the home."""
    require_folder(home, "Bitbucket", f"shared/{FILE}")
    mistakes: list[Mistake] = []
    shared = _shared(home, shared_home)
    check_shared_home(home, shared, "--shared-home", mistakes)
    database, clustered = _database(shared, mistakes)
    if database is None or mistakes:
        raise ConfigError(f"The Bitbucket home {shown(str(home), 300)} cannot be used.", tuple(mistakes), do=DO_HOME)
    return HomeFacts(home, shared, clustered, "", database, files=(shared / FILE,))


def _shared(home: Path, shared_home: Path | None) -> Path:
    return shared_home or home / "shared"


def _database(shared: Path, mistakes: list[Mistake]) -> tuple[ProductDatabase | None, bool]:
    path = shared / FILE
    octets = file_octets(path, mistakes, "is missing; Bitbucket writes it when it is moved to a database server")
    if octets is None:
        return None, False
    values = read_properties(octets, (URL, USER, PASSWORD, CIPHER, *CLUSTER))
    clustered = any(values.get(key, "").strip().lower() == "true" for key in CLUSTER)
    if not values.get(URL, "").strip():
        mistakes.append(Mistake(str(path), URL, NO_URL))
        return None, clustered
    return built_database(str(path), (URL, USER, PASSWORD), values, values.get(CIPHER, ""), mistakes), clustered
