"""Folders of the product: sizes and ages, seldom, and what happens when they are not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.errors import SourceError
from agent.model import Reading
from agent.sources.folders.source import Folders
from tests.support.sources import accepted, catalog

NOW_S = 1_800_000_000.0


def homes(folder: Path) -> dict[str, Path]:
    """A local home with an index of 1,500 bytes and a shared home with two snapshots."""
    index = folder / "local" / "caches" / "indexesV1"
    (index / "issues" / "deep").mkdir(parents=True)
    (index / "snapshots").mkdir()
    (index / "snapshots" / "old.zip").write_bytes(b"x" * 10_000)
    (index / "issues" / "deep" / "_1.cfs").write_bytes(b"x" * 1000)
    (index / "comments.cfs").write_bytes(b"x" * 500)
    (index / "link").symlink_to("/usr")
    caches = folder / "shared" / "caches"
    caches.mkdir(parents=True)
    for name, size, days in (("IndexSnapshot_1.tar.sz", 70, 9), ("IndexSnapshot_2.zip", 90, 2), ("other.zip", 5, 0)):
        (caches / name).write_bytes(b"x" * size)
        os.utime(caches / name, (NOW_S - days * 86_400, NOW_S - days * 86_400))
    return {"local": folder / "local", "shared": folder / "shared"}


def values(reading: Reading) -> dict[str, object]:
    return {sample.series.metric.removeprefix("jira.guardrail.index."): sample.value for sample in reading.samples}


def test_size_and_snapshots(tmp_path: Path) -> None:
    """The size is of the index alone, links not followed; the newest snapshot of all places speaks."""
    reading = Folders(catalog(), homes(tmp_path), now_s=lambda: NOW_S).read(10)
    assert values(reading) == {"bytes": 1500, "snapshots": 2, "snapshot.bytes": 90, "snapshot.age": 2 * 86_400}
    assert {sample.attributes for sample in reading.samples} == {(("every_s", 3600),)}
    assert reading.failures == ()


def test_newer_place_first(tmp_path: Path) -> None:
    """Jira 9 has another folder; the old one may still lie there and is not counted."""
    found = homes(tmp_path)
    (found["local"] / "caches" / "indexesV2").mkdir()
    (found["local"] / "caches" / "indexesV2" / "_1.cfs").write_bytes(b"x" * 7)
    assert values(Folders(catalog(), found).read(10))["bytes"] == 7


def test_what_is_not_there_is_not_zero(tmp_path: Path) -> None:
    """A node without an index, a home without snapshots: not-present; a folder without snapshots counts none."""
    reading = Folders(catalog(), {"local": tmp_path / "none", "shared": tmp_path}).read(10)
    assert reading.samples == ()
    assert {failure.reason for failure in reading.failures} == {"not-present"}
    (tmp_path / "caches").mkdir()
    reading = Folders(catalog(), {"local": tmp_path / "none", "shared": tmp_path}).read(10)
    assert values(reading) == {"snapshots": 0}


def test_walked_once_an_hour(tmp_path: Path) -> None:
    """Between two walks the figures are not due; what is absent stays so and is looked for again after an hour."""
    now = [0.0]
    source = Folders(catalog(), homes(tmp_path), clock=lambda: now[0])
    assert len(accepted(source).samples) == 4
    now[0] = 3480.0
    again = accepted(source)
    assert again.samples == ()
    assert {failure.reason for failure in again.failures} == {"not-due"}
    now[0] = 3600.0
    assert len(accepted(source).samples) == 4


def test_no_half_size(tmp_path: Path) -> None:
    """A walk that the tick's time does not allow gives nothing; the listing of snapshots still comes."""
    ticking = iter(range(1000))
    source = Folders(catalog(), homes(tmp_path), clock=lambda: float(next(ticking)))
    reading = source.read(1.5)
    assert "bytes" not in values(reading)
    assert "deadline" in {failure.reason for failure in reading.failures}


def test_no_time_at_all(tmp_path: Path) -> None:
    """Without any time the source says so, once, as each source does."""
    with pytest.raises(SourceError) as caught:
        Folders(catalog(), homes(tmp_path)).read(0)
    assert caught.value.reason == "deadline"
