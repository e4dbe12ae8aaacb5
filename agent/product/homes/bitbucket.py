"""A Bitbucket home folder: bitbucket.properties of its shared home (the database), read as hostile input.

The file may be changed by hand at any time and is empty of a database as long as Bitbucket runs on its built-in one.
Every property may come from the environment in its place (`jdbc.url` as JDBC_URL), as in the container images: then the
file tells neither the database nor a cluster. A node has no name there: the host's speaks for it.
"""

from __future__ import annotations

from pathlib import Path

from agent.errors import Mistake
from agent.product.homes.formats import read_properties
from agent.product.homes.home_files import barred_noted, built_database, check_shared_home, file_octets, require_folder
from agent.product.model import Clustering, NodeFacts, ProductDatabase

FILE = "bitbucket.properties"
URL, USER, PASSWORD = "jdbc.url", "jdbc.user", "jdbc.password"
CIPHERS = ("jdbc.password.decrypter.classname", "encrypted-property.cipher.classname")
# With one of these the nodes look for each other; alone none of them is set.
CLUSTER = tuple(f"hazelcast.network.{way}" for way in ("multicast", "tcpip", "aws", "azure", "kubernetes"))
# The node's own words in a cluster of containers, where the environment speaks in place of the file.
NO_URL = (
    "is missing or empty: Bitbucket runs on its built-in database (H2), which only Bitbucket itself can open, "
    "or takes the database from its environment (JDBC_URL), as in a container"
)


def find_database(home: Path, shared_home: Path | None, mistakes: list[Mistake]) -> ProductDatabase | None:
    """How Bitbucket reaches its database; what is wrong is in `mistakes`."""
    path = _shared(home, shared_home) / FILE
    missing = (
        "is missing: Bitbucket writes it when it is moved to a database server; "
        "a container may name the database in its environment instead (JDBC_URL)"
    )
    octets = file_octets(path, mistakes, missing)
    if octets is None:
        return None
    values = read_properties(octets, (URL, USER, PASSWORD, *CIPHERS))
    if not values.get(URL, "").strip():
        mistakes.append(Mistake(str(path), URL, NO_URL))
        return None
    cipher = next((values[key] for key in CIPHERS if values.get(key, "").strip()), "")
    return built_database(str(path), (URL, USER, PASSWORD), values, cipher, mistakes)


def read_node(home: Path, shared_home: Path | None, otherwise: Path | None = None) -> NodeFacts:
    """What a Bitbucket home says but its database; `shared_home` is where the shared home lies when not in the home."""
    require_folder(home, "Bitbucket", f"shared/{FILE}")
    unread: list[Mistake] = []
    notes: list[Mistake] = []
    shared = _shared(home, shared_home or otherwise)
    check_shared_home(home, shared, "--shared-home", notes)
    octets = None
    with barred_noted(unread):
        octets = file_octets(shared / FILE, unread, missing="")
    values = read_properties(octets or b"", CLUSTER)
    # Nothing said there is no "no": the environment of a container would say it in the file's place.
    told = clustering_of(values)
    # A container may do without it: then there is nothing to read again.
    files = () if octets is None and not unread else (shared / FILE,)
    return NodeFacts(home, shared, told, "", files=files, notes=tuple(notes), unread=tuple(unread))


def clustering_of(values: dict[str, str]) -> Clustering:
    """What the switches of Hazelcast tell: one that is on means a cluster, one that is off that there is none."""
    told = {values.get(key, "").strip().lower() for key in CLUSTER}
    if "true" in told:
        return Clustering.YES
    return Clustering.NO if "false" in told else Clustering.UNKNOWN


def _shared(home: Path, shared_home: Path | None) -> Path:
    return shared_home or home / "shared"
