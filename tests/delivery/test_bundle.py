"""The bundle: the same batches, verified after writing, whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.batching import document_bytes, render_entry
from agent.delivery.bundle import (
    BundleContents,
    LeftOut,
    bundle_name,
    remove_old,
    verify_bundle,
    write_bundle,
)
from agent.errors import StoreError, UsageError
from agent.model import Batch
from tests.support.batches import BASIC, EXTENDED, IDENTITY, SEALED_AT, batch, noisy, record
from tests.support.cloud import ROOT
from tests.support.servers import require_root

CONTENTS = BundleContents(
    IDENTITY,
    BASIC,
    "1.0.0",
    product=[record("product.version", attributes={"value": "10.3.1"})],
    host=[record("host.cpu.count", attributes={"value": 4})],
    left_out=[LeftOut("hour 2026-11-22T18:00:00Z", "not a tick in it")],
)


def write(folder: Path, batches: Iterable[Batch], *, now: datetime = SEALED_AT, expected_bytes: int = 1000) -> Path:
    return write_bundle(
        folder,
        batches,
        CONTENTS,
        expected_bytes=expected_bytes,
        unpack=document_bytes,
        render=render_entry,
        now=now,
    )


def test_holds_the_very_same_documents(tmp_path: Path) -> None:
    """Each batch is in the bundle as the receiver would unpack it, and the manifest names its sealed hash."""
    path = write(tmp_path / "bundles", [batch(0), batch(1)])
    assert path.name == "portfolio-bundle-i0a1b2c3-20261122T200101Z.zip"
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        for one in (batch(0), batch(1)):
            (entry,) = [item for item in manifest["files"] if item.get("batch", {}).get("batchId") == one.id]
            content = archive.read(entry["name"])
            assert content == document_bytes(one.body)
            assert entry["sha256"] == hashlib.sha256(content).hexdigest()
            assert entry["sizeBytes"] == len(content)
            assert entry["batch"]["sealedSha256"] == one.sha256
        assert json.loads(archive.read("product.json"))["entries"][0]["metricName"] == "product.version"
        assert json.loads(archive.read("host.json"))["entries"][0]["attributes"] == {"value": 4}
    assert manifest["consent"] == {
        "level": "basic", "fieldListVersion": "2026-11", "grantedAt": "2026-11-19T19:00:00Z",
    }  # fmt: skip
    assert manifest["agentVersion"] == "1.0.0"
    assert manifest["window"] == {"start": "2026-11-22T19:00:00Z", "end": "2026-11-22T21:00:00Z"}
    assert manifest["leftOut"] == [{"what": "hour 2026-11-22T18:00:00Z", "why": "not a tick in it"}]
    assert verify_bundle(path) == manifest


def test_golden_listing(tmp_path: Path) -> None:
    """The names in a bundle are made by us, sorted by time, and nothing else is in it."""
    with zipfile.ZipFile(write(tmp_path, [batch(0), batch(1)])) as archive:
        assert archive.namelist() == [
            f"batches/20261122T190000Z-r000-p0-{batch(0).id}.json",
            f"batches/20261122T200000Z-r000-p0-{batch(1).id}.json",
            "product.json",
            "host.json",
            "manifest.json",
        ]


def test_same_input_same_bytes(tmp_path: Path) -> None:
    """Written twice, a bundle is the same file byte for byte."""
    first, second = write(tmp_path / "a", [batch(0), batch(1)]), write(tmp_path / "b", [batch(0), batch(1)])
    assert first.read_bytes() == second.read_bytes()


def test_batches_above_the_consent_stay_out(tmp_path: Path) -> None:
    """A batch sealed under more than the present consent is left out and listed with the reason."""
    path = write(tmp_path, [batch(0, consent=EXTENDED), batch(1)])
    manifest = verify_bundle(path)
    assert [item["batch"]["batchId"] for item in manifest["files"] if "batch" in item] == [batch(1).id]
    assert {"what": f"batch {batch(0, consent=EXTENDED).id}", "why": "sealed under extended"} in manifest["leftOut"]


def test_private_from_the_first_byte(tmp_path: Path) -> None:
    """Folder 0700, file 0600."""
    path = write(tmp_path / "bundles", [batch()])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
def test_existing_path_is_refused(kind: str, tmp_path: Path) -> None:
    """A path that exists or is a link is never written to, and stays as it was."""
    path = tmp_path / bundle_name(IDENTITY, SEALED_AT)
    other = tmp_path / "other"
    if kind == "file":
        path.write_text("mine")
    else:
        path.symlink_to(other)
        if kind == "link":
            other.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        write(tmp_path, [batch()])
    assert not other.exists() or other.read_text() == "mine"


def test_linked_folder_is_refused(tmp_path: Path) -> None:
    """A folder that is a link could lead the bundle elsewhere."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UsageError, match="not a folder of its own"):
        write(tmp_path / "link", [batch()])
    assert list((tmp_path / "real").iterdir()) == []


@pytest.mark.fault(107)
def test_no_room_names_the_file_system(tmp_path: Path) -> None:
    """Free room is checked before the first byte, and the message names the file system (B11)."""
    require_root()
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], check=True)
    try:
        with pytest.raises(StoreError) as caught:
            write(mount, [batch()], expected_bytes=8 * 1024 * 1024)
        assert f"The file system {mount} has" in caught.value.why
        assert list(mount.iterdir()) == []
    finally:
        subprocess.run(["umount", str(mount)], check=True)


@pytest.mark.fault(107)
def test_disk_that_fills_up_leaves_no_half_zip(tmp_path: Path) -> None:
    """When the room ends in the middle after all, no file is left behind, and the error says why."""
    require_root()
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mount)], check=True)
    try:
        big = [noisy(number) for number in range(8)]
        with pytest.raises(StoreError, match="could not be written") as caught:
            write(mount, big, expected_bytes=1)
        assert "No space left" in caught.value.why
        assert list(mount.iterdir()) == []
    finally:
        subprocess.run(["umount", str(mount)], check=True)


KILLED_WRITER = """
    import sys, time
    from pathlib import Path
    from tests.delivery.test_bundle import write
    from tests.support.batches import batch
    def batches():
        yield batch(0)
        print("half", flush=True)
        time.sleep(60)
    write(Path(sys.argv[1]), batches())
"""


@pytest.mark.fault(107)
def test_kill_in_the_middle_leaves_no_zip(tmp_path: Path) -> None:
    """kill -9 half way: nothing under the final name; the next bundle removes the remains once they are old."""
    command = [sys.executable, "-c", textwrap.dedent(KILLED_WRITER), str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    (left,) = list(tmp_path.iterdir())
    assert left.name.endswith(".partial")
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    written = datetime.fromtimestamp(left.stat().st_mtime, SEALED_AT.tzinfo)
    remove_old(tmp_path, 3, written + timedelta(minutes=5))
    assert left.exists(), "it may still be being written"
    remove_old(tmp_path, 3, written + timedelta(hours=2))
    assert not left.exists()
    assert verify_bundle(write(tmp_path, [batch()]))


def test_flipped_byte_is_noticed(tmp_path: Path) -> None:
    """A changed bundle does not pass as one, wherever the byte is in its files."""
    path = write(tmp_path, [batch()])
    whole = path.read_bytes()
    start = whole.index(b"batches/") + 120
    for position in range(start, start + 60, 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(StoreError):
            verify_bundle(path)
    path.write_bytes(b"not a zip")
    with pytest.raises(StoreError, match="not a bundle"):
        verify_bundle(path)


def test_what_the_disk_changed_is_noticed_before_the_final_name(tmp_path: Path) -> None:
    """A bundle is read back after writing: one that does not read as written never gets its name."""

    def batches() -> Iterable[Batch]:
        yield noisy(0)
        (half_written,) = tmp_path.glob(".*.partial")
        with half_written.open("r+b") as file:
            file.seek(5000)
            file.write(b"changed by a bad disk")

    with pytest.raises(StoreError, match="damaged"):
        write(tmp_path, batches())
    assert list(tmp_path.iterdir()) == []


def test_keeps_the_newest_and_only_ours(tmp_path: Path) -> None:
    """Old bundles of ours are removed, the newest stay, other people's files are never touched."""
    for number in range(5):
        write(tmp_path, [batch()], now=SEALED_AT + timedelta(days=number))
    (tmp_path / "portfolio-bundle-mine.zip").write_text("an admin's own")
    (tmp_path / "portfolio-bundle-abc-20200101T000000Z.zip").symlink_to("/etc/hostname")
    removed = remove_old(tmp_path, 2, SEALED_AT)
    assert [path.name[-20:-4] for path in removed] == ["20261124T200101Z", "20261123T200101Z", "20261122T200101Z"]
    assert len(list(tmp_path.glob("*.zip"))) == 4


def test_instance_id_never_shapes_a_path(tmp_path: Path) -> None:
    """Whatever an instance id holds, the name is letters and digits."""
    from dataclasses import replace

    from agent.model import InstanceId

    assert bundle_name(replace(IDENTITY, instance_id=InstanceId("../../etc/x")), SEALED_AT) == (
        "portfolio-bundle-etcx-20261122T200101Z.zip"
    )
    assert bundle_name(replace(IDENTITY, instance_id=InstanceId("//")), SEALED_AT).startswith(
        "portfolio-bundle-unknown"
    )


def test_empty_bundle_says_so(tmp_path: Path) -> None:
    """Without any batch a bundle is still a bundle: description, no window, and the reasons."""
    manifest = verify_bundle(write(tmp_path, []))
    assert manifest["window"] is None
