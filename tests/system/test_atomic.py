"""A file is there whole or not at all, whatever ends the writer; what a killed one left goes away."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from agent.system.account import Account
from agent.system.atomic import STALE_AFTER_S, remove_leftovers, whole_file, write_whole
from tests.support.mounts import small_disk
from tests.support.servers import require, require_root

ROOT = Path(__file__).parents[2]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640, 0o644])
def test_mode_is_exact_whatever_the_umask(mode: int, tmp_path: Path) -> None:
    """The file has the mode it was asked for, and nothing else lies beside it."""
    before = os.umask(0o077)
    try:
        write_whole(tmp_path / "file", b"new", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode
    assert (tmp_path / "file").read_bytes() == b"new"
    assert names(tmp_path) == {"file"}


def test_owner_is_given_before_the_name(tmp_path: Path) -> None:
    """Made by root for an account: owner, group and mode are right, though a change of owner takes bits away."""
    require_root()
    write_whole(tmp_path / "file", b"new", mode=0o640, owner=Account(4242, 4343))
    facts = (tmp_path / "file").stat()
    assert (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)) == (4242, 4343, 0o640)


def test_replaced_or_refused(tmp_path: Path) -> None:
    """What is there is replaced only on request; a refusal leaves it, and nothing beside it."""
    path = tmp_path / "file"
    write_whole(path, b"old")
    with pytest.raises(FileExistsError):
        write_whole(path, b"new", replace=False)
    assert path.read_bytes() == b"old"
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == {"file"}


def test_a_link_is_replaced_and_never_written_through(tmp_path: Path) -> None:
    """A symbolic link under the name, dangling or not, leads nowhere: its target stays as it is."""
    target, path = tmp_path / "target", tmp_path / "file"
    target.write_bytes(b"target")
    path.symlink_to(target)
    with pytest.raises(FileExistsError):
        write_whole(path, b"new", replace=False)
    write_whole(path, b"new")
    assert target.read_bytes() == b"target"
    assert not path.is_symlink()


def test_failure_of_the_writer_or_the_check_leaves_nothing(tmp_path: Path) -> None:
    """An exception in the block, or from the look at what was written, leaves the old file and no other."""
    path = tmp_path / "file"
    write_whole(path, b"old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as stream:
        stream.write(b"half")
        raise ZeroDivisionError

    def refuse(beside: Path) -> None:
        assert beside.read_bytes() == b"whole"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), whole_file(path, check=refuse) as stream:
        stream.write(b"whole")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == {"file"}


def test_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """No space in the middle: the system's error, the old bytes, and no half file that keeps the disk full."""
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        write_whole(disk / "file", b"old")
        for replace in (True, False):
            with pytest.raises(OSError, match="No space"):
                write_whole(disk / ("file" if replace else "other"), b"x" * 200_000, replace=replace)
        assert (disk / "file").read_bytes() == b"old"
        assert names(disk) == {"file"}


WRITER = """
import sys
from pathlib import Path
from agent.system.atomic import write_whole
write_whole(Path(sys.argv[1]), b"new", mode=0o400, replace=sys.argv[2] == "replace")
"""
# Every call that changes what is on disk, by all its names; strace counts each name on its own.
CALLS = ("fchmod", "fsync", "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat")


def killed_at(call: str, number: int, path: Path, how: str) -> bool:
    """Whether the writer, in a process of its own, got as far as this call of that name, where it is killed."""
    inject = f"inject={call}:signal=KILL:when={number}"
    strace = [str(require("strace")), "-f", "-e", f"trace={call}", "-e", inject, "-o", "/dev/null"]
    writer = [sys.executable, "-B", "-c", WRITER, str(path), how]
    return subprocess.run([*strace, *writer], cwd=ROOT, check=False, timeout=60).returncode != 0


@pytest.mark.fault(2)
@pytest.mark.parametrize(("how", "steps"), [("replace", 4), ("create", 5)])
def test_kill_at_each_call_leaves_old_or_new(how: str, steps: int, tmp_path: Path) -> None:
    """Killed at every step: old or new is read, never a half; the next writer goes on, and clears what was left."""
    path = tmp_path / "file"
    kills = 0
    calls = iter(CALLS)
    call, number = next(calls), 1
    while call:
        path.unlink(missing_ok=True)
        if how == "replace":
            path.write_bytes(b"old")
        if not killed_at(call, number, path, how):
            assert path.read_bytes() == b"new"
            call, number = next(calls, ""), 1
            continue
        kills, number = kills + 1, number + 1
        assert not path.exists() or path.read_bytes() in ((b"old", b"new") if how == "replace" else (b"new",))
        assert how == "create" or path.exists()
        for left in tmp_path.glob(".file.*.partial"):
            assert stat.S_IMODE(left.stat().st_mode) & 0o077 == 0
        remove_leftovers(tmp_path, lambda name: name == "file")
        assert not path.exists() or path.stat().st_nlink == 1
        write_whole(path, b"after")
        assert path.read_bytes() == b"after"
    assert kills == steps
    for left in tmp_path.glob(".file.*.partial"):
        os.utime(left, (0, 0))
    write_whole(path, b"last")
    assert names(tmp_path) == {"file"}


def test_only_old_leftovers_of_ours_are_removed(tmp_path: Path) -> None:
    """A writer that may still live, another file's leftover and a stranger's hidden file stay."""
    old, young = f".file.{'a' * 16}.partial", f".file.{'b' * 16}.partial"
    others = (f".other.{'a' * 16}.partial", ".file.backup", "file.partial", ".file.swp")
    for name in (old, young, ".file.partial", *others):
        (tmp_path / name).write_bytes(b"x")
    now = (tmp_path / young).stat().st_mtime
    for name in (old, ".file.partial", *others):
        os.utime(tmp_path / name, (now - STALE_AFTER_S, now - STALE_AFTER_S))
    write_whole(tmp_path / "file", b"new")
    assert names(tmp_path) == {"file", young, *others}


def test_a_second_name_of_a_finished_file_goes_at_once(tmp_path: Path) -> None:
    """Killed between giving the name and taking the other away: a careful reader would refuse a file with two."""
    path = tmp_path / "file"
    write_whole(path, b"new")
    os.link(path, tmp_path / f".file.{'a' * 16}.partial")
    remove_leftovers(tmp_path, lambda name: name == "file")
    assert names(tmp_path) == {"file"}
    assert path.stat().st_nlink == 1


def test_folder_that_is_missing_is_the_systems_error(tmp_path: Path) -> None:
    """Nothing is made on the way; cleaning up in a folder that is not there is no error."""
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "no" / "file", b"new")
    remove_leftovers(tmp_path / "no", lambda _: True, 0.0)
    assert names(tmp_path) == set()
