"""What is costly to make and the same for all: made by whoever asks first, while the other workers wait for it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TypeVar, cast

import pytest

T = TypeVar("T")


def made_once(place: Path, make: Callable[[Path], object]) -> Path:
    """`place`, after `make` has filled it unless it was there; what fails half-way is not taken for made."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            making = place.with_name(f"{place.name}.making")
            shutil.rmtree(making, ignore_errors=True)
            make(making)
            making.rename(place)
    return place


def cache_folder() -> Path:
    """Where things lie that the next session may use as well."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def session_folder(folders: pytest.TempPathFactory) -> Path:
    """The temporary folder that all workers of this session have in common."""
    own = folders.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def key_of(sources: Iterable[Path], *more: str) -> str:
    """A short name that changes with what the files and the other texts say."""
    digest = hashlib.sha256("\0".join(more).encode())
    for path in sources:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


_OPENED: pytest.StashKey[dict[object, object]] = pytest.StashKey()


def one_a_session(config: pytest.Config, manager: Callable[[], AbstractContextManager[T]]) -> T:
    """What `manager` opens, once in this process and until its end, however many modules have a fixture for it.

    A fixture of session scope that several modules import is one a module: each would start a server of its own.
    """
    opened = config.stash.setdefault(_OPENED, {})
    if manager not in opened:
        stack = ExitStack()
        opened[manager] = stack.enter_context(manager())
        config.add_cleanup(stack.close)
    return cast(T, opened[manager])
