"""The one careful reader of private files: keys, passwords, the link, the instance's identity.

In:   a path, and what it must be. Out: bytes, read from the very descriptor that was checked: between a check by name
      and a read by name another file can take its place.
Raise: FileNotFoundError, or Unfit with what is wrong; each caller says that in its own words.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path


class Flaw(Enum):
    """What is wrong with a file that must be private."""

    FOLDER_MODE = auto()  # others may write to its folder
    FOLDER_OWNER = auto()
    KIND = auto()  # no regular file
    OWNER = auto()
    MODE = auto()  # others may read or change it
    NAMES = auto()  # more than one hard link
    SIZE = auto()  # empty, or larger than it may be
    SYSTEM = auto()  # the system refused; `error` says why


class Unfit(Exception):
    """A file that is not as private as it must be; the figures are of the file or folder that is at fault."""

    def __init__(
        self,
        flaw: Flaw,
        facts: os.stat_result | None = None,
        *,
        kind: str = "",
        size: int = 0,
        error: OSError | None = None,
    ) -> None:
        super().__init__(flaw.name)
        self.flaw = flaw
        self.kind = kind
        self.mode = stat.S_IMODE(facts.st_mode) if facts else 0
        self.uid = facts.st_uid if facts else 0
        self.names = facts.st_nlink if facts else 0
        self.inode = facts.st_ino if facts else 0
        self.size = size
        self.error = error if error is not None else OSError(errno.EIO, os.strerror(errno.EIO))


def read_checked(
    path: Path,
    *,
    limit: int,
    owners: Collection[int] | None,
    lax_bits: int = 0o077,
    in_folder: bool = False,
    only_name: bool = True,
    may_be_empty: bool = False,
) -> bytes:
    """The bytes of a regular file of one of `owners` (None: anybody's) without any of `lax_bits` in its mode.

    At most `limit` bytes, and at least one unless it `may_be_empty`. `in_folder`: its folder is looked at as well, and
    is no link. `only_name`: it has no hard link elsewhere. A FIFO is not waited for.
    """
    try:
        if not in_folder:
            with _opened(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) as handle:
                return _read(handle, limit, owners, lax_bits, only_name, may_be_empty)
        # The file is opened below the very folder that was looked at: by its path, another folder could stand there by
        # now.
        with _opened(path.parent, os.O_PATH | os.O_DIRECTORY) as folder:
            check_folder(os.fstat(folder), owners)
            with _opened(Path(path.name), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY, folder) as handle:
                return _read(handle, limit, owners, lax_bits, only_name, may_be_empty)
    except FileNotFoundError:
        raise
    except OSError as error:
        kinds = {errno.ELOOP: "a symbolic link", errno.ENXIO: "a socket"}
        if error.errno in kinds:
            raise Unfit(Flaw.KIND, kind=kinds[error.errno], error=error) from error
        raise Unfit(Flaw.SYSTEM, error=error) from error


def check_folder(facts: os.stat_result, owners: Collection[int] | None) -> None:
    """Refuse a folder in which somebody else could replace a file."""
    if facts.st_mode & 0o022:
        raise Unfit(Flaw.FOLDER_MODE, facts)
    if owners is not None and facts.st_uid not in owners:
        raise Unfit(Flaw.FOLDER_OWNER, facts)


def _read(
    handle: int, limit: int, owners: Collection[int] | None, lax_bits: int, only_name: bool, may_be_empty: bool
) -> bytes:
    # Of the descriptor, never of the name: a name can be given to another file between a look and a read.
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        raise Unfit(Flaw.KIND, facts, kind=_kind(facts.st_mode))
    if owners is not None and facts.st_uid not in owners:
        raise Unfit(Flaw.OWNER, facts)
    if facts.st_mode & lax_bits:
        raise Unfit(Flaw.MODE, facts)
    if only_name and facts.st_nlink != 1:
        raise Unfit(Flaw.NAMES, facts)
    least = 0 if may_be_empty else 1
    if not least <= facts.st_size <= limit:
        raise Unfit(Flaw.SIZE, facts, size=facts.st_size)
    # One byte more than may be there shows a file that grew since it was looked at.
    content = os.read(handle, limit + 1)
    if not least <= len(content) <= limit:  # it changed between the check and the read
        raise Unfit(Flaw.SIZE, facts, size=len(content))
    return content


@contextmanager
def _opened(path: Path, flags: int, folder: int | None = None) -> Iterator[int]:
    # O_NOFOLLOW: a link would lead to a file of somebody's choice; O_NONBLOCK (from the callers): opening a FIFO
    # without a writer would never return.
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield handle
    finally:
        os.close(handle)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
