"""A Bamboo home folder: bamboo.cfg.xml (the database), read as hostile input.

The shared home is `shared` in it unless the installation's bamboo-init.properties, a start option or the environment
names another (Bamboo 8 and later): those stand outside of the home, so `init` looks there. Whether there are more nodes
is nowhere in the files. The base URL stands in administration.xml, in the shared home since Bamboo 8.
"""

from __future__ import annotations

from pathlib import Path

from agent.errors import Mistake
from agent.product.homes.formats import Malformed, read_elements, read_octets, read_properties
from agent.product.homes.hibernate_file import HibernateFile, find_hibernate_database, read_properties_of
from agent.product.homes.home_files import barred_noted, check_node_name, check_shared_home, require_folder
from agent.product.model import Clustering, NodeFacts, ProductDatabase

FILE = "bamboo.cfg.xml"
ROOT = "application-configuration"
ADMINISTRATION = ("configuration/administration.xml", "xml-data/configuration/administration.xml")
BASE_URL = "myBaseUrl"
# Written by Bamboo 8 and later for each node of a cluster; not seen on a real site yet, so only its names count.
NODE_FILE, NODE_ID = "cluster-node.properties", "node.id"
NO_URL = "Bamboo names its database there once its set-up is complete"


def find_database(home: Path, _shared_home: Path | None, mistakes: list[Mistake]) -> ProductDatabase | None:
    """How Bamboo reaches its database; what is wrong is in `mistakes`."""
    return find_hibernate_database(home / FILE, ROOT, mistakes, no_url=NO_URL)


def read_node(home: Path, shared_home: Path | None, otherwise: Path | None = None) -> NodeFacts:
    """What a Bamboo home says but its database; `otherwise` is what the installation calls the shared home."""
    require_folder(home, "Bamboo", FILE)
    unread: list[Mistake] = []
    notes: list[Mistake] = []
    read = HibernateFile()
    with barred_noted(unread):
        read = read_properties_of(home / FILE, ROOT, (), unread)
    inside = home / "shared" if (home / "shared").is_dir() else home
    shared = shared_home or otherwise or inside
    check_shared_home(home, shared, "--shared-home", notes)
    files = (home / FILE, *_administration(home, shared))
    return NodeFacts(
        home,
        shared,
        Clustering.UNKNOWN,
        _node_name(home / NODE_FILE, notes),
        read.build,
        files,
        base_url=_base_url(files[1:]),
        notes=tuple(notes),
        unread=tuple(unread),
    )


def _node_name(path: Path, notes: list[Mistake]) -> str:
    try:
        name = read_properties(read_octets(path), (NODE_ID,)).get(NODE_ID, "").strip()
    except (OSError, Malformed):
        return ""
    return name if check_node_name(str(path), NODE_ID, name, notes) else ""


def _administration(home: Path, shared: Path) -> tuple[Path, ...]:
    places = [folder / name for folder in dict.fromkeys((shared, home)) for name in ADMINISTRATION]
    return tuple(place for place in places if place.is_file())[:1]


def _base_url(files: tuple[Path, ...]) -> str:
    """What the file says; a file that cannot be read costs this one value, not the home."""
    try:
        return next((read_elements(read_octets(file), "", {BASE_URL}).get(BASE_URL, "") for file in files), "").strip()
    except (OSError, Malformed):
        return ""
