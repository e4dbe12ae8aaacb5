"""A Bamboo home folder: bamboo.cfg.xml (the database), read as hostile input; `shared` in it is the shared home.

The base URL stands in administration.xml, in the shared home since Bamboo 8; without that file it is "".
"""

from __future__ import annotations

from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.product.homes.formats import Malformed, read_elements, read_octets
from agent.product.homes.hibernate_file import HibernateFile, read_hibernate_file
from agent.product.homes.home_files import DO_HOME, DO_LOGIN, check_shared_home, require_folder
from agent.product.model import HomeFacts, ProductDatabase
from agent.settings import shown

FILE = "bamboo.cfg.xml"
ROOT = "application-configuration"
ADMINISTRATION = ("configuration/administration.xml", "xml-data/configuration/administration.xml")
BASE_URL = "myBaseUrl"
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
    files = (home / FILE, *_administration(home, shared))
    return HomeFacts(home, shared, False, "", read.database, read.build, files, base_url=_base_url(files[1:]))


def _administration(home: Path, shared: Path) -> tuple[Path, ...]:
    places = [folder / name for folder in dict.fromkeys((shared, home)) for name in ADMINISTRATION]
    return tuple(place for place in places if place.is_file())[:1]


def _base_url(files: tuple[Path, ...]) -> str:
    """What the file says; a file that cannot be read costs this one value, not the home."""
    try:
        return next((read_elements(read_octets(file), "", {BASE_URL}).get(BASE_URL, "") for file in files), "").strip()
    except (OSError, Malformed):
        return ""


def _read(home: Path, mistakes: list[Mistake]) -> HibernateFile:
    return read_hibernate_file(home / FILE, ROOT, (), mistakes, no_url=NO_URL)
