"""Writes a file whole or not at all: readers, crashes and full disks see the old file or the new one, never a half.

In:   a path, its bytes (or a function that writes them), mode, perhaps an owner. Out: the file, durable on return.
Raise: the system's OSError, and then nothing of ours is left behind.

The order is what makes it safe. Bytes are written beside, under a name of this process's own, with the final mode and
owner; synced, so that a name never points at bytes that a power cut can still take; given their name by one call; and
the folder is synced, without which the name itself may be gone after a power cut.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from agent.system.account import Account

PARTIAL = ".partial"
# Long enough for any writer that still lives: the slowest is a bundle of a week on a slow disk.
STALE_AFTER_S = 3600.0
_BESIDE = re.compile(rf"\.(?P<name>.+?)(?:\.[0-9a-f]{{16}})?{re.escape(PARTIAL)}")


def write_whole(
    path: Path, content: bytes, *, mode: int = 0o600, owner: Account | None = None, replace: bool = True
) -> None:
    """Write `content` to `path`; with `replace=False` raises FileExistsError where something has that name."""
    with whole_file(path, mode=mode, owner=owner, replace=replace) as stream:
        stream.write(content)


@contextmanager
def whole_file(
    path: Path,
    *,
    mode: int = 0o600,
    owner: Account | None = None,
    replace: bool = True,
    check: Callable[[Path], None] = lambda _: None,
    leftovers: Callable[[str], bool] | None = None,
) -> Iterator[BinaryIO]:
    """A stream whose bytes become `path` when the block ends; when it raises, `path` is as it was.

    `check` may read what was written, after it is synced and before it gets its name, and refuse it by raising.
    `leftovers`: beside which names an hour-old leftover is removed on the way; without it, beside `path` alone.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}{PARTIAL}")
    # O_EXCL and O_NOFOLLOW: a name that somebody put there first is never written through. The mode is narrow from the
    # first moment and widened by fchmod, which no umask bends.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(beside, flags, mode & 0o600)
    try:
        with open(handle, "w+b") as stream:
            # The file's own time is the clock to judge by: on NFS it is the server's, as the leftovers' is.
            remove_leftovers(path.parent, leftovers or (lambda name: name == path.name), os.fstat(handle).st_mtime)
            if owner is not None:
                os.fchown(handle, owner.uid, owner.gid)
            os.fchmod(handle, mode)  # after fchown, which may take bits away
            yield stream
            stream.flush()
            os.fsync(handle)
        check(beside)
        if replace:
            os.replace(beside, path)
        else:
            # Unlike rename, link never replaces what came meanwhile, and it holds across the nodes of an NFS share.
            os.link(beside, path, follow_symlinks=False)
            beside.unlink()
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    sync_folder(path.parent)


def make_private_folder(folder: Path, owner: Account | None) -> None:
    """The folder with mode 0700, durable on return; what has its name already stays as it is. Raises OSError."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return  # whether it is fit is checked on each read and write below it
    if owner is not None:
        os.chown(folder, owner.uid, owner.gid, follow_symlinks=False)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(folder: Path, ours: Callable[[str], bool], now: float | None = None) -> None:
    """Remove what killed writers left beside the files whose names are `ours`; never raises, nothing else is touched.

    What has its final name already goes at once: a file with two names is one that a careful reader refuses. The rest
    goes an hour after it was begun, by `now` in Unix seconds; without it, stays.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _BESIDE.fullmatch(entry.name)
            if found is None or not ours(found["name"]):
                continue
            with suppress(OSError):
                facts = entry.stat(follow_symlinks=False)
                stale = now is not None and now - facts.st_mtime >= STALE_AFTER_S
                if stale or _has_its_name(folder / found["name"], facts):
                    os.unlink(entry.path)


def _has_its_name(path: Path, facts: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.lstat(), facts)
    except FileNotFoundError:
        return False
