"""The store's file: durable, private, one daemon, and clear words for each fault of a disk."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import AlreadyRunning, StoreError
from agent.store import InstanceLock, open_store, reserve
from agent.store.database import FILE_NAME, LOCK_NAME
from agent.store.schema import APPLICATION_ID, STEPS
from tests.support.mounts import remount_read_only, small_disk


def test_every_commit_is_synced_and_private(tmp_path: Path) -> None:
    """WAL with synchronous FULL, secure_delete on; folder 0700, file 0600."""
    store = open_store(tmp_path / "state")
    pragma = {
        name: store.execute(f"PRAGMA {name}")[0][0]
        for name in ("journal_mode", "synchronous", "secure_delete", "foreign_keys", "user_version", "application_id")
    }
    store.close()
    assert pragma == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "foreign_keys": 1,
        "user_version": len(STEPS),
        "application_id": APPLICATION_ID,
    }
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    """An exception inside a transaction leaves nothing of it behind."""
    store = open_store(tmp_path / "state")
    with pytest.raises(RuntimeError), store.transaction() as connection:
        connection.execute("INSERT INTO meta VALUES ('a', '1')")
        raise RuntimeError
    assert store.execute("SELECT * FROM meta") == []
    store.close()


def test_newer_store_is_refused_untouched(tmp_path: Path) -> None:
    """A store of a newer agent is refused with advice, and not one byte of it changes."""
    store = open_store(tmp_path / "state")
    store.connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    store.close()
    before = (tmp_path / "state" / FILE_NAME).read_bytes()
    with pytest.raises(StoreError, match="newer agent") as caught:
        open_store(tmp_path / "state")
    assert "Install the newer agent" in caught.value.do
    assert (tmp_path / "state" / FILE_NAME).read_bytes() == before


def test_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    """A state folder that is a symbolic link could lead the data elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="not a folder of its own"):
        open_store(tmp_path / "state")


def test_link_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """A store file that is a symbolic link is refused, whatever it points to."""
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "state" / FILE_NAME).symlink_to(tmp_path / "target")
    with pytest.raises(StoreError):
        open_store(tmp_path / "state")


def test_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    """0777 on the state folder is refused with the command that mends it."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    with pytest.raises(StoreError) as caught:
        open_store(tmp_path / "state")
    assert f"chmod 0700 {tmp_path / 'state'}" in caught.value.do


def test_text_file_as_store_says_so(tmp_path: Path) -> None:
    """A file that is no database gives a StoreError that says it is damaged and what to do."""
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / FILE_NAME).write_text("this is not a database, " * 100)
    with pytest.raises(StoreError) as caught:
        open_store(tmp_path / "state")
    assert "damaged" in caught.value.why
    assert "keep what is there" in caught.value.do


@pytest.mark.fault(14)
def test_full_disk_is_named_and_heals(tmp_path: Path) -> None:
    """On a full disk the error says "full" and what is free; when space returns, writing goes on; no row is lost."""
    with small_disk(tmp_path / "disk", "size=1m") as disk:
        store = open_store(disk)
        stored = 0
        with pytest.raises(StoreError) as caught:
            for number in range(10_000):
                with store.transaction() as connection:
                    connection.execute("INSERT INTO meta VALUES (?, ?)", (str(number), os.urandom(4000).hex()))
                stored += 1
        assert "disk is full" in caught.value.why
        assert "bytes are free" in caught.value.why
        assert store.execute("SELECT count(*) FROM meta")[0][0] == stored
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        with store.transaction() as connection:
            connection.execute("INSERT INTO meta VALUES ('after', 'x')")
        assert store.execute("PRAGMA integrity_check")[0][0] == "ok"
        store.close()


@pytest.mark.fault(16)
def test_missing_inodes_are_named(tmp_path: Path) -> None:
    """SQLite only says "unable to open"; the agent says that inodes are gone."""
    with small_disk(tmp_path / "disk", "size=8m,nr_inodes=2") as disk:
        (disk / "filler").touch()
        with pytest.raises(StoreError, match="inodes"):
            open_store(disk)


@pytest.mark.fault(14)
def test_a_full_disk_gives_the_reserve_for_opening(tmp_path: Path) -> None:
    """After a clean stop not even the log's index is there: without a byte free, opening would fail for good."""
    with small_disk(tmp_path / "disk", "size=4m") as disk:
        open_store(disk).close()
        assert reserve.keep(disk)
        with (disk / "somebody-elses-file").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, reserve.free_bytes(disk))
        assert reserve.free_bytes(disk) == 0
        store = open_store(disk)
        assert not (disk / reserve.FILE_NAME).exists()
        store.connection.execute("INSERT INTO meta VALUES ('fits', 'yes')")
        store.close()
        with (disk / "another-file").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, reserve.free_bytes(disk))
        with pytest.raises(StoreError, match="disk is full"):
            open_store(disk)


@pytest.mark.fault(17)
def test_read_only_file_system_is_named(tmp_path: Path) -> None:
    """A read-only mount is told as such, not as a permission problem."""
    with small_disk(tmp_path / "disk", "size=4m") as disk:
        open_store(disk).close()
        remount_read_only(disk)
        with pytest.raises(StoreError, match="read-only"):
            open_store(disk)


@pytest.mark.fault(31)
def test_second_daemon_is_refused_and_told_who_runs(tmp_path: Path) -> None:
    """The lock belongs to a process; a second one is refused with the first one's number and exit code 13."""
    first = InstanceLock(tmp_path / "state")
    code = (
        "from agent.store import InstanceLock; from pathlib import Path; "
        f"InstanceLock(Path({str(tmp_path / 'state')!r}))"
    )
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"process {os.getpid()}" in second.stderr
    with pytest.raises(AlreadyRunning) as caught:
        InstanceLock(tmp_path / "state")
    assert caught.value.exit_code == 13
    first.release()
    InstanceLock(tmp_path / "state").release()


PROBE = """
import sys
from pathlib import Path
from agent.store import InstanceLock
while True:
    print(InstanceLock.is_held(Path(sys.argv[1])), flush=True)
"""


def test_asking_who_runs_disturbs_nobody_who_starts(tmp_path: Path) -> None:
    """However often `status` looks, a daemon that starts in that instant gets its lock; and it sees who holds it."""
    state = tmp_path / "state"
    assert not InstanceLock.is_held(state)
    InstanceLock(state).release()
    probe = subprocess.Popen([sys.executable, "-c", PROBE, str(state)], stdout=subprocess.PIPE, text=True)
    try:
        assert probe.stdout is not None
        assert probe.stdout.readline() == "False\n"
        for _ in range(300):
            InstanceLock(state).release()
        lock = InstanceLock(state)
        assert InstanceLock.is_held(state)
        for line in probe.stdout:  # what it saw before is still in the pipe
            if line == "True\n":
                break
        lock.release()
        assert not InstanceLock.is_held(state)
    finally:
        probe.kill()
        probe.communicate()


def test_lock_of_a_killed_daemon_is_free(tmp_path: Path) -> None:
    """kill -9 leaves the lock file behind but not the lock."""
    code = (
        "from agent.store import InstanceLock; from pathlib import Path; import os, signal\n"
        f"InstanceLock(Path({str(tmp_path / 'state')!r})); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert (tmp_path / "state" / LOCK_NAME).exists()
    InstanceLock(tmp_path / "state").release()


def test_read_only_opening_creates_nothing(tmp_path: Path) -> None:
    """`status` before the first run says so and leaves no file behind."""
    with pytest.raises(StoreError):
        open_store(tmp_path, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_read_only_store_cannot_be_written(tmp_path: Path) -> None:
    """A store opened for reading refuses writes by itself."""
    open_store(tmp_path / "state").close()
    store = open_store(tmp_path / "state", read_only=True)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store.connection.execute("INSERT INTO meta VALUES ('a', 'b')")
    store.close()


SOURCE_STATE = (
    """INSERT INTO source_state VALUES ('jmx', 'partial', 1, 1, 1, 1, 0.1, '[["a", "cut", "Erika"]]', '', '')"""
)


def test_migration_from_the_first_schema_keeps_all_data(tmp_path: Path) -> None:
    """A store of schema 1 with rows in it is brought to the newest schema: all but the sources' state is as before."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    old = sqlite3.connect(folder / FILE_NAME)
    for statement in STEPS[0]:
        old.execute(statement)
    old.execute("INSERT INTO meta VALUES ('kept', 'yes')")
    old.execute("INSERT INTO layout VALUES (1, 'digest', x'01')")
    old.execute("INSERT INTO tick (taken_ms, hour_s, layout, body) VALUES (1000, 0, 1, x'02')")
    old.execute("INSERT INTO audit (at_ms, actor, event, detail) VALUES (1000, 'root', 'link.made', '{}')")
    old.execute(SOURCE_STATE)
    old.execute("PRAGMA user_version = 1")
    old.commit()
    tables = [name for (name,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    before = {table: old.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    old.close()
    store = open_store(folder)
    assert store.execute("PRAGMA user_version")[0][0] == len(STEPS) > 1
    # The clock that is never set was not asked then, and nothing was in doubt.
    before["tick"] = [(*row, None, None, 1) for row in before["tick"]]
    before["source_state"] = []  # its failures quoted names until schema 3; the next tick writes it anew
    assert {table: [tuple(row) for row in store.execute(f"SELECT * FROM {table}")] for table in tables} == before
    assert store.execute("SELECT * FROM snapshot") == []
    store.close()
