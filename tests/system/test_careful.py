"""One reader says what is wrong with a private file; the words of each caller are tested where they are written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.system.careful import Flaw, Unfit, read_checked


def flaw_of(path: Path, **options: bool) -> Flaw:
    with pytest.raises(Unfit) as caught:
        read_checked(path, limit=10, owners={os.geteuid()}, **options)
    return caught.value.flaw


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


def device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


BROKEN: dict[str, tuple[Callable[[Path], object], Flaw]] = {
    "readable by the group": (lambda path: path.chmod(0o640), Flaw.MODE),
    "writable by others": (lambda path: path.chmod(0o602), Flaw.MODE),
    "pipe": (pipe, Flaw.KIND),
    "link": (link, Flaw.KIND),
    "folder": (folder, Flaw.KIND),
    "link to a device": (device, Flaw.KIND),
    "second name": (lambda path: os.link(path, path.with_name("second")), Flaw.NAMES),
    "empty": (lambda path: path.write_bytes(b""), Flaw.SIZE),
    "too large": (lambda path: path.write_bytes(b"x" * 11), Flaw.SIZE),
}


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A file as it should be, in a folder as it should be."""
    tmp_path.chmod(0o700)
    path = tmp_path / "file"
    path.touch(0o600)
    path.write_bytes(b"x" * 10)
    return path


@pytest.mark.parametrize("in_folder", [False, True])
def test_what_is_fit_is_read_whole(private: Path, in_folder: bool) -> None:
    """A private file of ours of the largest size is read; a missing one is the system's own error."""
    assert read_checked(private, limit=10, owners={os.geteuid()}, in_folder=in_folder) == b"x" * 10
    with pytest.raises(FileNotFoundError):
        read_checked(private.with_name("none"), limit=10, owners=None, in_folder=in_folder)


@pytest.mark.parametrize("in_folder", [False, True])
@pytest.mark.parametrize("name", BROKEN)
def test_each_flaw_is_told_apart(name: str, in_folder: bool, private: Path) -> None:
    """Each way not to be private has its own flaw, and none makes the reader wait."""
    break_it, flaw = BROKEN[name]
    break_it(private)
    assert flaw_of(private, in_folder=in_folder) is flaw


def test_owner_counts_and_can_be_anybody(private: Path) -> None:
    """A foreign owner is refused, unless the caller says that any will do."""
    with pytest.raises(Unfit) as caught:
        read_checked(private, limit=10, owners={os.geteuid() + 1})
    assert (caught.value.flaw, caught.value.uid) == (Flaw.OWNER, os.geteuid())
    assert read_checked(private, limit=10, owners=None)


def test_folder_is_looked_at_only_when_asked(private: Path) -> None:
    """Where others may write to the folder they may replace the file."""
    private.parent.chmod(0o770)
    assert flaw_of(private, in_folder=True) is Flaw.FOLDER_MODE
    assert read_checked(private, limit=10, owners={os.geteuid()})


def test_folder_that_is_a_link_is_refused(private: Path, tmp_path: Path) -> None:
    """A link in place of the folder could lead elsewhere."""
    real = tmp_path / "real"
    real.mkdir(0o700)
    private.rename(real / "file")
    (tmp_path / "link").symlink_to(real)
    assert flaw_of(tmp_path / "link" / "file", in_folder=True) is Flaw.SYSTEM


def test_what_a_caller_allows(private: Path) -> None:
    """Bits, further names and emptiness are let through where a caller says so, and only there."""
    os.link(private, private.with_name("second"))
    private.chmod(0o440)
    assert read_checked(private, limit=10, owners=None, lax_bits=0o007, only_name=False)
    private.chmod(0o600)
    private.write_bytes(b"")
    assert read_checked(private, limit=10, owners=None, only_name=False, may_be_empty=True) == b""
