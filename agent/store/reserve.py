"""Disk space kept back for the moment the disk is full: without it even deleting what was delivered would fail.

SQLite writes to its log before it frees anything, so on a full file system a delivered batch could not be marked as
delivered, and the outbox could never drain. The file `reserve` in the state folder holds real blocks; the delivery
run gives them up when a write fails for want of space, and takes them back when there is room again.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

FILE_NAME = "reserve"
SIZE_BYTES = 1024 * 1024
TIGHT_BELOW_BYTES = 256 * 1024


def keep(folder: Path, size_bytes: int = SIZE_BYTES) -> bool:
    """Whether the reserve is there now; it is made when the file system has twice its size free."""
    path = folder / FILE_NAME
    try:
        if path.exists():
            return True
        # Twice: to make it must not itself fill the disk.
        if free_bytes(folder) < 2 * size_bytes:
            return False
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            # Real blocks: a sparse file would give nothing back when it goes.
            os.posix_fallocate(handle, 0, size_bytes)
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(handle)
    except OSError:
        return False
    return True


def spent(folder: Path, size_bytes: int = SIZE_BYTES) -> bool:
    """Whether the reserve is gone and the disk still full: what it gave is for deliveries, ticks must not eat it."""
    try:
        return not (folder / FILE_NAME).exists() and free_bytes(folder) < size_bytes
    except OSError:
        return False


def is_tight(folder: Path) -> bool:
    """Whether the disk is full for a tick: hardly a byte is free, or what is free is for deliveries."""
    with contextlib.suppress(OSError):
        return free_bytes(folder) < TIGHT_BELOW_BYTES or spent(folder)
    return False


def release(folder: Path) -> bool:
    """Give the reserve up if the file system is nearly full; True when that made room."""
    with contextlib.suppress(OSError):
        if free_bytes(folder) < TIGHT_BELOW_BYTES:
            # Only when it is really needed: it cannot be made again before somebody has freed some room.
            (folder / FILE_NAME).unlink()
            return True
    return False


def free_bytes(folder: Path) -> int:
    """Bytes this user may still write on the file system of `folder`."""
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize
