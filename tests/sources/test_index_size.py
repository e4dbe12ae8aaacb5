"""Index sizes: bounded, hourly, never a part for the whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.settings import ProductType
from agent.sources import index_size
from agent.sources.index_size import IndexSizes, Missing, folders_of


def jira(home: Path) -> IndexSizes:
    folders = folders_of(ProductType.JIRA, home, home / "shared")
    assert folders is not None
    return IndexSizes(folders, clock=lambda: 0.0, now=lambda: 1000.0)


def test_sizes_of_index_and_snapshot(tmp_path: Path) -> None:
    """Files of all parts are summed; the newest snapshot's size and age stand beside them; attachments never."""
    issues = tmp_path / "caches" / "indexesV1" / "issues"
    issues.mkdir(parents=True)
    (issues / "_0.cfs").write_bytes(b"x" * 1000)
    (issues.parent / "segments_1").write_bytes(b"x" * 24)
    (issues / "link").symlink_to("/etc/passwd")
    shared = tmp_path / "shared" / "caches"
    shared.mkdir(parents=True)
    for number, size in ((1, 10), (2, 20)):
        snapshot = shared / f"IndexSnapshot_{number}.tar.sz"
        snapshot.write_bytes(b"x" * size)
        os.utime(snapshot, (100 * number, 100 * number))
    assert jira(tmp_path).read() == {
        "jira.index.size": 1024,
        "jira.index.snapshot.size": 20,
        "jira.index.snapshot.age": 800.0,
        "jira.index.snapshot.count": 2,
    }


def test_once_an_hour(tmp_path: Path) -> None:
    """In between it is not due, and nothing is walked."""
    clock = [0.0]
    folders = folders_of(ProductType.CONFLUENCE, tmp_path, tmp_path)
    assert folders is not None
    sizes = IndexSizes(folders, clock=lambda: clock[0])
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "_1.cfs").write_bytes(b"xyz")
    assert sizes.read() == {"conf.index.bytes": 3}
    for now_s, reason in ((10.0, "not-due"), (3599.0, "not-due")):
        clock[0] = now_s
        with pytest.raises(Missing) as caught:
            sizes.read()
        assert caught.value.reason == reason
    clock[0] = 3600.0
    assert sizes.read() == {"conf.index.bytes": 3}


def test_absent_index_is_not_present(tmp_path: Path) -> None:
    """A node may have none: that is not 0 bytes."""
    with pytest.raises(Missing) as caught:
        jira(tmp_path).read()
    assert caught.value.reason == "not-present"


def test_too_many_files_give_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk ends at its bound, and part of an index is not told as its size."""
    monkeypatch.setattr(index_size, "MOST_FILES", 10)
    folder = tmp_path / "caches" / "indexesV2"
    folder.mkdir(parents=True)
    for number in range(11):
        (folder / f"_{number}").touch()
    with pytest.raises(Missing) as caught:
        jira(tmp_path).read()
    assert caught.value.reason == "deadline"
