"""Opens the one SQLite file of this agent: durable (WAL, FULL), private (0600), locked by one daemon.

In:   the state folder. Out: a `Store` whose `transaction()` is atomic and durable when it returns.
Errors become StoreError with the cause that SQLite hides (disk full, no inodes, read-only, wrong owner).
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from agent.errors import AlreadyRunning, StoreError
from agent.store import reserve
from agent.store.schema import APPLICATION_ID, STEPS

FILE_NAME = "agent.sqlite3"
LOCK_NAME = "agent.lock"
# How long one writer waits for the other. A bundle that once filtered and sealed a week inside its transaction held the
# lock for 25 s, and ticks were refused: since then all that takes time is made before BEGIN.
BUSY_TIMEOUT_S = 15.0
CACHE_KIB = 512  # the default of 2 MiB costs resident memory and gains nothing at one tick every two minutes


def to_ms(instant: datetime) -> int:
    """Unix milliseconds of an aware instant."""
    return round(instant.timestamp() * 1000)


def from_ms(milliseconds: int) -> datetime:
    """The aware UTC instant of Unix milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


class Store:
    """One connection to the store; use it from one thread. `folder` is the state folder."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self.connection = connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, synced to disk on leaving; raises StoreError when the disk refuses."""
        try:
            # IMMEDIATE takes the write lock here. A transaction that begins by reading and then wants to write is
            # refused at once, without any waiting, when another process has written in between.
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
            # An interrupt too: a transaction left open would be committed by whoever comes next.
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
            # When this returns, the log is synced: whatever was in the block survives a power cut.
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise explain(error, self.folder) from error

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """All rows of one reading statement."""
        try:
            return self.connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise explain(error, self.folder) from error

    def scrub(self) -> None:
        """Empty the write-ahead log, so that deleted rows are gone from it too (secure_delete covers the file)."""
        try:
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            raise explain(error, self.folder) from error

    def close(self) -> None:
        """Close the connection; whatever was committed is on disk already."""
        self.connection.close()


def open_store(folder: Path, *, read_only: bool = False) -> Store:
    """The store in `folder`, created or migrated when needed.

    Raises StoreError for a folder or file that is not ours alone, is newer than this program, or cannot be opened.
    Read-only never creates, migrates or writes.
    """
    check_folder(folder, create=not read_only)
    try:
        return _open(folder, read_only=read_only)
    except StoreError:
        # Even opening needs some room, for the log and its index. After a clean stop on a disk that filled up since,
        # only the reserve can give it, and the hourly run is what can make more.
        if read_only or not reserve.release(folder):
            raise
    return _open(folder, read_only=False)


def _open(folder: Path, *, read_only: bool) -> Store:
    path = folder / FILE_NAME
    if read_only and not path.exists():
        raise StoreError(
            f"There is no store in {folder}.", why="The agent has not run here yet.", do="Run: portfolio-agent run"
        )
    try:
        if not read_only and not path.exists():
            _create(folder, path)
        if path.is_symlink():
            raise StoreError(f"{path} is a link.", why="The store must be a file of its own.", do=f"Remove: {path}")
        connection = sqlite3.connect(
            f"file:{_quoted(path)}?mode={'ro' if read_only else 'rw'}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
    except (sqlite3.Error, OSError) as error:
        raise explain(error, folder) from error
    try:
        _prepare(connection, path, read_only=read_only)
    except sqlite3.Error as error:
        connection.close()
        raise explain(error, folder) from error
    except StoreError:
        connection.close()
        raise
    return Store(folder, connection)


def _create(folder: Path, path: Path) -> None:
    """An empty file of the folder's owner: root may be first (`sudo ... link`), the service must be able to go on."""
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600)
    try:
        facts = folder.lstat()
        if os.geteuid() == 0 and facts.st_uid != 0:
            os.fchown(handle, facts.st_uid, facts.st_gid)
    finally:
        os.close(handle)


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _prepare(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    # A file that somebody else prepared must not run functions by its views and triggers.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA foreign_keys = ON")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(STEPS):
        raise StoreError(
            f"The store {path} was written by a newer agent (schema {version}, this program knows {len(STEPS)}).",
            why="Going back would lose what the newer one stored.",
            do="Install the newer agent again; nothing in the store was changed.",
        )
    if read_only:
        return
    if version == 0:
        # Only for a new file: on an old one this statement writes each time, which a full disk would refuse.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    # So that `status` and `doctor` never wait for a writer, nor a writer for them. The log needs shared memory: the
    # folder must be on a local disk, never on NFS.
    connection.execute("PRAGMA journal_mode = WAL")
    # Power cuts were simulated over 150 states of a log with 30 commits: with FULL no commit that had returned was
    # lost, with NORMAL some were in 80 states, with OFF in 92.
    connection.execute("PRAGMA synchronous = FULL")
    # What is deleted is overwritten: a body above a lowered consent must not be read from a free page.
    connection.execute("PRAGMA secure_delete = ON")
    # One transaction a step, the version in it: killed at any write, the file has the old schema or the new one.
    for number, step in enumerate(STEPS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] >= number:
            connection.execute("ROLLBACK")  # another process migrated meanwhile
            continue
        for statement in step:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")


def check_folder(folder: Path, *, create: bool) -> None:
    """Refuse a state folder that is a link, belongs to someone else, or that others may write to."""
    try:
        if create and not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
        facts = folder.lstat()
    except OSError as error:
        raise explain(error, folder) from error
    if stat.S_ISLNK(facts.st_mode) or not stat.S_ISDIR(facts.st_mode):
        raise StoreError(
            f"The state folder {folder} is not a folder of its own.",
            why="A link could lead the agent's data elsewhere.",
            do=f"Remove it and run: install -d -m 0700 {folder}",
        )
    if facts.st_uid not in (os.geteuid(), 0) and os.geteuid() != 0:
        raise StoreError(
            f"The state folder {folder} belongs to uid {facts.st_uid}, this process runs as uid {os.geteuid()}.",
            why="Someone else could read or change what waits to be sent.",
            do=f"Run the command as root or as that account; to take the folder over: chown -R {os.geteuid()} {folder}",
        )
    if facts.st_mode & 0o022:
        raise StoreError(
            f"Others may write to the state folder {folder} (mode {stat.S_IMODE(facts.st_mode):04o}).",
            why="They could replace what waits to be sent.",
            do=f"Run: chmod 0700 {folder}",
        )


def explain(error: Exception, folder: Path) -> StoreError:
    """The StoreError that says in words what SQLite or the kernel only hint at."""
    what = f"The store in {folder} cannot be used."
    try:
        facts = os.statvfs(folder)
    except OSError:
        facts = None
    if isinstance(error, PermissionError) or "readonly" in str(error):
        if facts is not None and facts.f_flag & os.ST_RDONLY:
            return StoreError(what, why="The file system is mounted read-only.", do="Remount it read-write.")
        return StoreError(
            what,
            why=f"uid {os.geteuid()} may not write there ({error}).",
            do=f"Run the command as the service account or root, or: chown -R portfolio-agent {folder}",
        )
    # The order matters from here on: without free inodes, or mounted read-only, SQLite says no more than "unable to
    # open database file", so the file system is asked before its words are believed.
    no_space = "full" in str(error) or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT))
    if facts is not None and facts.f_files and facts.f_favail == 0:
        return StoreError(what, why="The file system has no free inodes.", do="Remove files on that file system.")
    if facts is not None and facts.f_flag & os.ST_RDONLY:
        return StoreError(what, why="The file system is mounted read-only.", do="Remount it read-write.")
    if no_space or (facts is not None and facts.f_bavail * facts.f_frsize < 64 * 1024):
        return disk_full(folder)
    if "malformed" in str(error) or "not a database" in str(error):
        return StoreError(
            what,
            why=f"The file is damaged ({error}).",
            # With the write-ahead log beside it, which would be played into the new file.
            do=f"Stop the agent, keep what is there, and start it anew: mkdir {folder}/damaged && "
            f"mv {folder / FILE_NAME}* {folder}/damaged/",
        )
    if "locked" in str(error):
        return StoreError(
            what,
            why=f"Another program holds its lock for more than {BUSY_TIMEOUT_S:.0f} s.",
            do=f"See who it is: fuser {folder / FILE_NAME}",
        )
    return StoreError(what, why=str(error), do="See: portfolio-agent status")


def disk_full(folder: Path) -> StoreError:
    """The StoreError of a full disk, with the bytes that are left."""
    try:
        facts = os.statvfs(folder)
        free = f"; {facts.f_bavail * facts.f_frsize:,} bytes are free"
    except OSError:
        free = ""
    return StoreError(
        f"The store in {folder} cannot be used.",
        why=f"The disk is full{free}.",
        do="Free space; nothing acknowledged is lost.",
    )


class InstanceLock:
    """Held for the life of the daemon: one agent for one state folder. Freed by the kernel when the process ends."""

    def __init__(self, folder: Path) -> None:
        check_folder(folder, create=True)
        path = folder / LOCK_NAME
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise explain(error, folder) from error
        try:
            # A lock and no file with a number in it: the kernel lets go of it however the process ends, so nothing
            # stale ever keeps the next one from starting, and a number that was given to another process is never
            # believed.
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._handle, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._handle)
            raise AlreadyRunning(
                f"Another agent runs on {folder} (process {holder}).",
                why="Two agents on one state folder would count every figure twice.",
                do=f"Stop it first: systemctl stop portfolio-agent, or: kill {holder}",
            ) from None
        # A second lock, of the kind that can be asked about: `is_held` must never hold the first one, not for an
        # instant, or a daemon that starts in that instant takes a `status` for another agent and ends.
        fcntl.fcntl(self._handle, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_WRLCK))
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Let the next agent in."""
        os.close(self._handle)

    @staticmethod
    def is_held(folder: Path) -> bool:
        """Whether a daemon holds the lock of this folder; asked without taking anything."""
        try:
            handle = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            answer = fcntl.fcntl(handle, fcntl.F_OFD_GETLK, _whole_file(fcntl.F_RDLCK))
        finally:
            os.close(handle)
        kind: int = struct.unpack(FLOCK, answer)[0]
        return kind != fcntl.F_UNLCK


FLOCK = "@hhqqi0q"  # struct flock of fcntl(2): type, whence, start, length, pid, padded to the whole


def _whole_file(kind: int) -> bytes:
    """A lock over the whole file, as fcntl(2) takes it; an open file description's has pid 0."""
    return struct.pack(FLOCK, kind, os.SEEK_SET, 0, 0, 0)
