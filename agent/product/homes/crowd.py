"""A Crowd home folder: crowd.cfg.xml (the database), in the shared home since Crowd 3.0, before that in the home."""

from __future__ import annotations

from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.product.homes.hibernate_file import HibernateFile, read_hibernate_file
from agent.product.homes.home_files import DO_HOME, DO_LOGIN, check_shared_home, require_folder
from agent.product.model import HomeFacts, ProductDatabase
from agent.settings import shown

FILE = "crowd.cfg.xml"
ROOT = "application-configuration"
SERVER_ID = "crowd.server.id"
NO_URL = "Crowd names its database there once its set-up is complete"


def read_database(home: Path, shared_home: Path | None = None) -> ProductDatabase:
    """How Crowd reaches its database; raises ConfigError with every mistake in its file."""
    mistakes: list[Mistake] = []
    database = _read(home, _shared(home, shared_home), mistakes).database
    if database is None or mistakes:
        raise ConfigError(f"Crowd's {FILE} cannot be used.", tuple(mistakes), do=DO_LOGIN)
    return database


def read_crowd_home(home: Path, shared_home: Path | None) -> HomeFacts:
    """Everything a Crowd home says; it tells neither cluster nor node."""
    require_folder(home, "Crowd", f"shared/{FILE} or {FILE}")
    mistakes: list[Mistake] = []
    shared = _shared(home, shared_home)
    check_shared_home(home, shared, "--shared-home", mistakes)
    read = _read(home, shared, mistakes)
    if read.database is None or mistakes:
        raise ConfigError(f"The Crowd home {shown(str(home), 300)} cannot be used.", tuple(mistakes), do=DO_HOME)
    return HomeFacts(
        home,
        shared,
        False,
        "",
        read.database,
        read.build,
        (_file(home, shared),),
        server_id=read.values.get(SERVER_ID, ""),
    )


def _shared(home: Path, shared_home: Path | None) -> Path:
    return shared_home or (home / "shared" if (home / "shared").is_dir() else home)


def _read(home: Path, shared: Path, mistakes: list[Mistake]) -> HibernateFile:
    return read_hibernate_file(_file(home, shared), ROOT, (SERVER_ID,), mistakes, no_url=NO_URL)


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
