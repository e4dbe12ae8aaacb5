"""Files of the link in the shared home: read only when they are ours alone, written whole or not at all.

In:  a path and who may own it (root, this process, or the account the state folder belongs to).
Out: bytes, read from the very descriptor that was checked. A missing file is None, never an error here.
Every refusal names the file, the fact and the command that mends it. Reading has a deadline (hung NFS).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.errors import KeyUnreadable, UsageError
from agent.system.account import Account, owner_of
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
    return within_deadline(lambda: _read(path, limit, believed, lax_bits), path, deadline_s)


def _read(path: Path, limit: int, owners: frozenset[int], lax_bits: int) -> bytes | None:
    try:
        with _opened(path.parent, os.O_PATH | os.O_DIRECTORY) as folder:
            _check_folder(path.parent, os.fstat(folder), owners)
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
            with _opened(Path(path.name), flags, folder) as handle:
                _check_file(path, os.fstat(handle), owners, limit, lax_bits)
                content = os.read(handle, limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _explained(path, error) from error
    if not 1 <= len(content) <= limit:
        raise _size_refusal(path, len(content), limit)  # it changed between the check and the read
    return content


@contextmanager
def _opened(path: Path, flags: int, folder: int | None = None) -> Iterator[int]:
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield handle
    finally:
        os.close(handle)


def _check_folder(folder: Path, facts: os.stat_result, owners: frozenset[int]) -> None:
    if facts.st_mode & 0o022:
        raise KeyUnreadable(
            f"Others may write to the folder {folder} (mode {stat.S_IMODE(facts.st_mode):04o}).",
            why="They could replace the files in it.",
            do=f"Run: chmod 0700 {folder}",
            code="folder-mode",
        )
    _check_owner(folder, facts, owners)


def _check_file(path: Path, facts: os.stat_result, owners: frozenset[int], limit: int, lax_bits: int) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise _kind_refusal(path, _kind(facts.st_mode))
    _check_owner(path, facts, owners)
    if facts.st_mode & lax_bits:
        raise KeyUnreadable(
            f"Others may read or change {path} (mode {stat.S_IMODE(facts.st_mode):04o}).",
            why="What others could read is no secret any more.",
            do=f"Run: chmod {stat.S_IMODE(facts.st_mode) & 0o700:04o} {path}; "
            "then make a new key in the cloud and run: portfolio-agent link",
            code="file-mode",
        )
    if facts.st_nlink != 1:
        raise KeyUnreadable(
            f"{path} has {facts.st_nlink} names (hard links).",
            why="Under its other name it may be read or changed by someone else.",
            do=f"Find them: find {path.parent.parent} -xdev -inum {facts.st_ino}; remove all but {path}",
            code="file-names",
        )
    if not 1 <= facts.st_size <= limit:
        raise _size_refusal(path, facts.st_size, limit)


def _check_owner(path: Path, facts: os.stat_result, owners: frozenset[int]) -> None:
    if facts.st_uid in owners:
        return
    if facts.st_uid == NOBODY:
        why = "Inside the service each foreign owner looks like uid 65534, so the real one cannot be told."
    else:
        why = "Whoever owns it could put another key there, and figures would go to another organisation."
    wanted = os.geteuid() or min(owners - {0}, default=0)
    raise KeyUnreadable(
        f"{path} belongs to uid {facts.st_uid}, not to uid {wanted} or root.",
        why=why,
        do=f"See who owns it: ls -ln {path}; if its content is right, run as root: chown {wanted} {path}",
        code="file-owner",
    )


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


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
    if error.errno == errno.ELOOP:
        return _kind_refusal(path, "a symbolic link")
    if error.errno == errno.ENXIO:
        return _kind_refusal(path, "a socket")
    if error.errno == errno.ENOTDIR:
        return KeyUnreadable(
            f"{path.parent} is not a folder of its own.",
            why="A link could lead to files that someone else controls.",
            do=f"Look at it: ls -ld {path.parent}; remove the link and run: portfolio-agent link",
            code="folder-kind",
        )
    if isinstance(error, PermissionError):
        return KeyUnreadable(
            f"uid {os.geteuid()} may not read {path}.",
            why=os.strerror(error.errno or errno.EACCES),
            do=f"See where the way is barred: namei -l {path}; run the command as root or as the service account.",
            code="file-permission",
        )
    return KeyUnreadable(
        f"{path} cannot be read.",
        why=os.strerror(error.errno or errno.EIO),
        do=f"See whether the shared home is mounted: findmnt -T {path.parent}",
        code="file-unreadable",
    )


def make_folder(folder: Path, owner: Account | None) -> None:
    """The folder with mode 0700, made when missing; its parent must exist. Raises UsageError when that fails."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return  # whether it is fit is checked on each read and write below it
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        if owner is not None:
            os.chown(folder, owner.uid, owner.gid, follow_symlinks=False)
        _sync(folder.parent)
    except OSError as error:
        raise _unwritable(folder, error) from error


def create_private(path: Path, content: bytes, *, mode: int, owner: Account | None) -> None:
    """Write a file that must not exist yet; durable on return, removed again when writing fails."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, mode)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        try:
            if owner is not None:
                os.fchown(handle, owner.uid, owner.gid)
            os.fchmod(handle, mode)
            with os.fdopen(handle, "wb", closefd=False) as file:
                file.write(content)
            os.fsync(handle)
        finally:
            os.close(handle)
        _sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise _unwritable(path, error) from error


def replace_private(path: Path, content: bytes, *, owner: Account | None, owners: Collection[int] = ()) -> None:
    """Write a 0600 file beside and rename it over: readers see the old bytes or the new ones. Durable on return."""
    believed = frozenset(owners) or frozenset({0, os.geteuid()})
    try:
        _check_folder(path.parent, path.parent.lstat(), believed)
    except OSError as error:
        raise _unwritable(path, error) from error
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        beside.unlink()
    create_private(beside, content, mode=0o600, owner=owner)
    try:
        os.replace(beside, path)
        _sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise _unwritable(path, error) from error


def _sync(folder: Path) -> None:
    with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as handle:
        os.fsync(handle)


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
        _sync(path.parent)
    for folder in folders:
        with suppress(OSError):  # not there, or it holds something that is not ours
            folder.rmdir()
            gone.append(folder)
    return tuple(gone)
