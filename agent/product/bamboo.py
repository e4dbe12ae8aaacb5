"""A Bamboo home folder: bamboo.cfg.xml (the database), read as hostile input; `shared` in it is the shared home."""

from __future__ import annotations

from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.product.hibernate_file import HibernateFile, read_hibernate_file
from agent.product.home_files import DO_HOME, DO_LOGIN, check_shared_home, require_folder
from agent.product.model import HomeFacts, ProductDatabase
from agent.settings import shown

FILE = "bamboo.cfg.xml"
ROOT = "application-configuration"
NO_URL = "Bamboo names its database there once its set-up is complete"


def read_database(home: Path, _shared_home: Path | None = None) -> ProductDatabase:
    """How Bamboo reaches its database; raises ConfigError with every mistake in its file."""
    mistakes: list[Mistake] = []
    database = _read(home, mistakes).database
    if database is None or mistakes:
        raise ConfigError(f"Bamboo's {FILE} cannot be used.", tuple(mistakes), do=DO_LOGIN)
    return database


def read_bamboo_home(home: Path, shared_home: Path | None) -> HomeFacts:
    """Everything a Bamboo home says; it tells neither cluster nor node."""
    require_folder(home, "Bamboo", FILE)
    mistakes: list[Mistake] = []
    read = _read(home, mistakes)
    shared = shared_home or (home / "shared" if (home / "shared").is_dir() else home)
    check_shared_home(home, shared, "--shared-home", mistakes)
    if read.database is None or mistakes:
        raise ConfigError(f"The Bamboo home {shown(str(home), 300)} cannot be used.", tuple(mistakes), do=DO_HOME)
    return HomeFacts(home, shared, False, "", read.database, read.build, (home / FILE,))


def _read(home: Path, mistakes: list[Mistake]) -> HibernateFile:
    return read_hibernate_file(home / FILE, ROOT, (), mistakes, no_url=NO_URL)
