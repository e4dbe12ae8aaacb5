"""A Crowd home folder: crowd.cfg.xml (the database), in the shared home since Crowd 3.0, before that in the home."""

from __future__ import annotations

from pathlib import Path

from agent.errors import Mistake
from agent.product.homes.hibernate_file import HibernateFile, find_hibernate_database, read_properties_of
from agent.product.homes.home_files import barred_noted, check_shared_home, require_folder
from agent.product.model import Clustering, NodeFacts, ProductDatabase

FILE = "crowd.cfg.xml"
ROOT = "application-configuration"
SERVER_ID = "crowd.server.id"
CLUSTERED = "crowd.clustering.enabled"
NO_URL = "Crowd names its database there once its set-up is complete"


def find_database(home: Path, shared_home: Path | None, mistakes: list[Mistake]) -> ProductDatabase | None:
    """How Crowd reaches its database; what is wrong is in `mistakes`."""
    return find_hibernate_database(_file(home, _shared(home, shared_home)), ROOT, mistakes, no_url=NO_URL)


def read_node(home: Path, shared_home: Path | None, otherwise: Path | None = None) -> NodeFacts:
    """What a Crowd home says but its database; it does not tell the node's name."""
    require_folder(home, "Crowd", f"shared/{FILE} or {FILE}")
    unread: list[Mistake] = []
    notes: list[Mistake] = []
    shared = _shared(home, shared_home or otherwise)
    check_shared_home(home, shared, "--shared-home", notes)
    file = _file(home, shared)
    read = HibernateFile()
    with barred_noted(unread):
        read = read_properties_of(file, ROOT, (SERVER_ID, CLUSTERED), unread)
    told = {"true": Clustering.YES, "false": Clustering.NO}
    return NodeFacts(
        home,
        shared,
        told.get(read.values.get(CLUSTERED, "").strip().lower(), Clustering.UNKNOWN),
        "",
        read.build,
        (file,),
        server_id=read.values.get(SERVER_ID, "").strip(),
        notes=tuple(notes),
        unread=tuple(unread),
    )


def _shared(home: Path, shared_home: Path | None) -> Path:
    return shared_home or (home / "shared" if (home / "shared").is_dir() else home)


def _file(home: Path, shared: Path) -> Path:
    old = not _there(shared / FILE) and _there(home / FILE)
    return (home if old else shared) / FILE


def _there(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True  # something is in the way of looking: reading it tells what
    return True
