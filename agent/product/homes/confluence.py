"""A Confluence home folder: confluence.cfg.xml of the local home (database, cluster), read as hostile input.

The shared home holds a second file of that name without a database: it is told apart. In a cluster the shared home is
what `confluence.cluster.home` names; outside of one it is `shared-home` in the home, or the home itself. A node's name
may also be set on the JVM's command line: it is "" here then.
"""

from __future__ import annotations

from pathlib import Path

from agent.errors import Mistake
from agent.product.homes.hibernate_file import HibernateFile, find_hibernate_database, read_properties_of
from agent.product.homes.home_files import (
    barred_noted,
    check_node_name,
    check_shared_home,
    named_folder,
    require_folder,
)
from agent.product.model import Clustering, NodeFacts, ProductDatabase

FILE = "confluence.cfg.xml"
ROOT = "confluence-configuration"
CLUSTERED = "confluence.cluster"
CLUSTER_HOME = "confluence.cluster.home"
SHARED_HOME = "shared-home"
NODE_NAME = "confluence.cluster.node.name"
NO_URL = "this may be the copy of the shared home, which names no database; the local home's file does"


def find_database(home: Path, _shared_home: Path | None, mistakes: list[Mistake]) -> ProductDatabase | None:
    """How Confluence reaches its database; what is wrong is in `mistakes`."""
    return find_hibernate_database(home / FILE, ROOT, mistakes, no_url=NO_URL)


def read_node(home: Path, shared_home: Path | None, otherwise: Path | None = None) -> NodeFacts:
    """What a Confluence home says but its database; `shared_home` overrides what its file names."""
    require_folder(home, "Confluence", FILE)
    unread: list[Mistake] = []
    notes: list[Mistake] = []
    read = HibernateFile()
    with barred_noted(unread):
        read = read_properties_of(home / FILE, ROOT, (CLUSTERED, CLUSTER_HOME, SHARED_HOME, NODE_NAME), unread)
    named, key = (None, "") if shared_home else _named_home(home, read, notes)
    inside = home / SHARED_HOME if (home / SHARED_HOME).is_dir() else home
    shared = shared_home or named or otherwise or inside
    check_shared_home(home, shared, f"{FILE}: {key}" if named else "--shared-home", notes)
    name = read.values.get(NODE_NAME, "").strip()
    name = name if check_node_name(str(home / FILE), NODE_NAME, name, notes) else ""
    told = _clustering(read) if (home / FILE).exists() and not unread else Clustering.UNKNOWN
    return NodeFacts(home, shared, told, name, read.build, (home / FILE,), notes=tuple(notes), unread=tuple(unread))


def _clustering(read: HibernateFile) -> Clustering:
    told = read.values.get(CLUSTERED, "").strip() or str(bool(read.values.get(CLUSTER_HOME, "").strip()))
    return Clustering.YES if told.lower() == "true" else Clustering.NO


def _named_home(home: Path, read: HibernateFile, notes: list[Mistake]) -> tuple[Path | None, str]:
    places = {"confluenceHome": home, "localHome": home}
    for key in (CLUSTER_HOME, SHARED_HOME):
        if text := read.values.get(key, "").strip():
            return named_folder(str(home / FILE), key, text, places, notes), key
    return None, CLUSTER_HOME
