"""A Confluence home folder: confluence.cfg.xml of the local home (database, cluster), read as hostile input.

The shared home holds a second file of that name without a database: it is told apart. In a cluster the shared home is
what `confluence.cluster.home` names; outside of one it is `shared-home` in the home, or the home itself. A node's name
may also be set on the JVM's command line: it is "" here then.
"""

from __future__ import annotations

from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.product.homes.hibernate_file import HibernateFile, read_hibernate_file
from agent.product.homes.home_files import (
    DO_HOME,
    DO_LOGIN,
    check_node_name,
    check_shared_home,
    named_folder,
    require_folder,
)
from agent.product.model import HomeFacts, ProductDatabase
from agent.settings import shown

FILE = "confluence.cfg.xml"
ROOT = "confluence-configuration"
CLUSTERED = "confluence.cluster"
CLUSTER_HOME = "confluence.cluster.home"
SHARED_HOME = "shared-home"
NODE_NAME = "confluence.cluster.node.name"
NO_URL = "this may be the copy of the shared home, which names no database; the local home's file does"


def read_database(home: Path, _shared_home: Path | None = None) -> ProductDatabase:
    """How Confluence reaches its database; raises ConfigError with every mistake in its file."""
    mistakes: list[Mistake] = []
    database = _read(home, mistakes).database
    if database is None or mistakes:
        raise ConfigError(f"Confluence's {FILE} cannot be used.", tuple(mistakes), do=DO_LOGIN)
    return database


def read_confluence_home(home: Path, shared_home: Path | None) -> HomeFacts:
    """Everything a Confluence home says; `shared_home` overrides what its file names."""
    require_folder(home, "Confluence", FILE)
    mistakes: list[Mistake] = []
    read = _read(home, mistakes)
    file = str(home / FILE)
    named, key = (None, "") if shared_home else _named_home(home, read, mistakes)
    shared = shared_home or named or (home / SHARED_HOME if (home / SHARED_HOME).is_dir() else home)
    check_shared_home(home, shared, "--shared-home" if shared_home else f"{FILE}: {key}", mistakes)
    node_name = read.values.get(NODE_NAME, "")
    check_node_name(file, NODE_NAME, node_name, mistakes)
    if read.database is None or mistakes:
        raise ConfigError(f"The Confluence home {shown(str(home), 300)} cannot be used.", tuple(mistakes), do=DO_HOME)
    clustered = read.values.get(CLUSTERED, str(CLUSTER_HOME in read.values)).lower() == "true"
    return HomeFacts(home, shared, clustered, node_name, read.database, read.build, (home / FILE,))


def _read(home: Path, mistakes: list[Mistake]) -> HibernateFile:
    wanted = (CLUSTERED, CLUSTER_HOME, SHARED_HOME, NODE_NAME)
    return read_hibernate_file(home / FILE, ROOT, wanted, mistakes, no_url=NO_URL)


def _named_home(home: Path, read: HibernateFile, mistakes: list[Mistake]) -> tuple[Path | None, str]:
    places = {"confluenceHome": home, "localHome": home}
    for key in (CLUSTER_HOME, SHARED_HOME):
        if text := read.values.get(key, ""):
            return named_folder(str(home / FILE), key, text, places, mistakes), key
    return None, CLUSTER_HOME
