"""Files of the link in the shared home: read only when they are ours alone, written whole or not at all.

In:  a path and who may own it (root, this process, or the account the state folder belongs to).
Out: bytes, read from the very descriptor that was checked. A missing file is None, never an error here.
Every refusal names the file, the fact and the command that mends it. Reading has a deadline (hung NFS).
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from agent.errors import KeyUnreadable, UsageError
from agent.system.access import barred
from agent.system.account import Account, owner_of
from agent.system.atomic import make_private_folder, remove_leftovers, sync_folder, write_whole
from agent.system.careful import Flaw, Unfit, check_folder, read_checked
from agent.system.deadline import DEADLINE_S, within_deadline

NOBODY = 65534  # how any foreign owner looks inside a unit with PrivateUsers=yes


def trusted_owners(state_dir: Path) -> frozenset[int]:
    """The accounts whose files this process believes: root, itself, and for root the owner of the state folder."""
    owner = owner_of(state_dir)
    return frozenset({0, os.geteuid()} | ({owner.uid} if owner else set()))


def read_private(
    path: Path,
    *,
    limit: int,
    owners: Collection[int] = (),
    lax_bits: int = 0o077,
    deadline_s: float = DEADLINE_S,
) -> bytes | None:
    """The file's bytes, 1 to `limit`; None when there is none.

    Raises KeyUnreadable for a link, folder, FIFO, foreign owner, lax mode, wrong size, or a file system that hangs.
    """
    believed = frozenset(owners) or frozenset({0, os.geteuid()})

    def read() -> bytes | None:
        try:
            return read_checked(path, limit=limit, owners=believed, lax_bits=lax_bits, in_folder=True)
        except FileNotFoundError:
            return None
        except Unfit as error:
            raise _worded(path, error, limit, believed) from error

    # Opening a file on an NFS server that is away does not fail, it hangs.
    return within_deadline(read, path, deadline_s)


def _worded(path: Path, unfit: Unfit, limit: int, owners: frozenset[int]) -> KeyUnreadable:
    """What keeps the file of a key from being used, with the command that mends it."""
    if unfit.flaw is Flaw.FOLDER_MODE:
        folder = path.parent
        return KeyUnreadable(
            f"Others may write to the folder {folder} (mode {unfit.mode:04o}).",
            why="They could replace the files in it.",
            do=f"Run: chmod 0700 {folder}",
            code="folder-mode",
        )
    if unfit.flaw is Flaw.FOLDER_OWNER:
        return _owner_refusal(path.parent, unfit.uid, owners)
    if unfit.flaw is Flaw.OWNER:
        return _owner_refusal(path, unfit.uid, owners)
    if unfit.flaw is Flaw.KIND:
        return _kind_refusal(path, unfit.kind)
    if unfit.flaw is Flaw.MODE:
        return KeyUnreadable(
            f"Others may read or change {path} (mode {unfit.mode:04o}).",
            why="What others could read is no secret any more.",
            do=f"Run: chmod {unfit.mode & 0o700:04o} {path}; "
            "then make a new key in the cloud and run: portfolio-agent link",
            code="file-mode",
        )
    if unfit.flaw is Flaw.NAMES:
        return KeyUnreadable(
            f"{path} has {unfit.names} names (hard links).",
            why="Under its other name it may be read or changed by someone else.",
            do=f"Find them: find {path.parent.parent} -xdev -inum {unfit.inode}; remove all but {path}",
            code="file-names",
        )
    if unfit.flaw is Flaw.SIZE:
        return _size_refusal(path, unfit.size, limit)
    return _explained(path, unfit.error)


def _owner_refusal(path: Path, uid: int, owners: frozenset[int]) -> KeyUnreadable:
    if uid == NOBODY:
        why = "Inside the service each foreign owner looks like uid 65534, so the real one cannot be told."
    else:
        why = "Whoever owns it could put another key there, and figures would go to another organisation."
    wanted = os.geteuid() or min(owners - {0}, default=0)
    return KeyUnreadable(
        f"{path} belongs to uid {uid}, not to uid {wanted} or root.",
        why=why,
        do=f"See who owns it: ls -ln {path}; if its content is right, run as root: chown {wanted} {path}",
        code="file-owner",
    )


def _kind_refusal(path: Path, kind: str) -> KeyUnreadable:
    return KeyUnreadable(
        f"{path} is {kind}, not a file.",
        why="It must be a regular file, so that its content cannot come from elsewhere.",
        do=f"Look at it: ls -l {path.parent}; move it away (mv {path} {path}.aside) and run: portfolio-agent link",
        code="file-kind",
    )


def _size_refusal(path: Path, size: int, limit: int) -> KeyUnreadable:
    return KeyUnreadable(
        f"{path} is empty." if size == 0 else f"{path} has {size:,} bytes, at most {limit:,} can be right.",
        why="It was damaged, or something else was written there.",
        do=f"Put it back from a backup, or: rm {path}; portfolio-agent link",
        code="file-size",
    )


def _explained(path: Path, error: OSError) -> KeyUnreadable:
    if error.errno == errno.ENOTDIR:
        return KeyUnreadable(
            f"{path.parent} is not a folder of its own.",
            why="A link could lead to files that someone else controls.",
            do=f"Look at it: ls -ld {path.parent}; remove the link and run: portfolio-agent link",
            code="folder-kind",
        )
    if isinstance(error, PermissionError):
        words = barred(path, own=True)
        return KeyUnreadable(f"{path} cannot be read.", why=words.why, do=words.do, code="file-permission")
    return KeyUnreadable(
        f"{path} cannot be read.",
        why=os.strerror(error.errno or errno.EIO),
        do=f"See whether the shared home is mounted: findmnt -T {path.parent}",
        code="file-unreadable",
    )


def make_folder(folder: Path, owner: Account | None) -> None:
    """The folder with mode 0700, made when missing; its parent must exist. Raises UsageError when that fails."""
    try:
        make_private_folder(folder, owner)
    except OSError as error:
        raise _unwritable(folder, error) from error


def create_private(path: Path, content: bytes, *, mode: int, owner: Account | None) -> None:
    """Write a file that must not exist yet; whole and durable on return, or not there."""
    try:
        write_whole(path, content, mode=mode, owner=owner, replace=False)
    except OSError as error:
        raise _unwritable(path, error) from error


def replace_private(path: Path, content: bytes, *, owner: Account | None, owners: Collection[int] = ()) -> None:
    """Write a 0600 file in place of what is there: readers see the old bytes or the new ones. Durable on return."""
    believed = frozenset(owners) or frozenset({0, os.geteuid()})
    try:
        # In a folder where others may write, the name could be theirs the moment after it was written.
        check_folder(path.parent.lstat(), believed)
        write_whole(path, content, owner=owner)
    except Unfit as error:
        raise _worded(path, error, len(content), believed) from error
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UsageError:
    reason = os.strerror(error.errno or errno.EIO)
    advice = f"See: ls -ld {path.parent}; findmnt -T {path.parent}"
    if isinstance(error, PermissionError):
        advice = (
            "Run the command as root; where the shared home is on NFS and root may not write there, "
            f"make {path.parent} by hand for the service account and run the command as that account."
        )
    return UsageError(f"{path} cannot be written.", why=reason, do=advice)


def remove_private(files: Collection[Path], folders: Collection[Path]) -> tuple[Path, ...]:
    """Remove the files, and the folders when they are empty then; the paths that are gone. Durable on return."""
    gone: list[Path] = []
    for path in files:
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _unwritable(path, error) from error
        gone.append(path)
        # Nobody writes what is being removed: what a killed writer left holds the same as the file did.
        remove_leftovers(path.parent, lambda name, removed=path.name: name == removed, math.inf)  # type: ignore[misc]
        sync_folder(path.parent)
    for folder in folders:
        with suppress(OSError):  # not there, or it holds something that is not ours
            folder.rmdir()
            gone.append(folder)
    return tuple(gone)
