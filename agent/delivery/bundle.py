"""Sixth stage, second exit: the same sealed batches as a zip file for upload by hand.

In:   batches with their bodies, one at a time; consented records about product and host.
Out:  one zip file, whole or absent.

    manifest.json                              every file with size and SHA-256, consent, window, what was left out
    product.json, host.json                    the consented records about them
    batches/<window start>-r<revision>-p<part>-<batch id>.json     the batch as the receiver would unpack it

Every member name is made here; none comes from data. The same input gives the same bytes. It is written beside its
place (0600), synced, read back and compared, and only then renamed: a crash leaves no zip under the final name.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from agent.errors import StoreError, UsageError
from agent.model import Batch, Consent, ConsentedRecord, Identity
from agent.system.atomic import remove_leftovers, whole_file

FORMAT_VERSION = 1
NAME_PATTERN = re.compile(r"portfolio-bundle-[0-9a-z]{1,12}-\d{8}T\d{6}Z\.zip")
MEMBER_TIME = (1980, 1, 1, 0, 0, 0)  # the zip format's first instant: the same content gives the same bytes
# For the zip's own lists, the manifest and the two descriptions.
SPARE_BYTES = 128 * 1024

Unpack = Callable[[bytes], bytes]
Render = Callable[[ConsentedRecord], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not in the bundle, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class BundleContents:
    """What goes into a bundle besides the batches: who it is about, under which consent, about which product."""

    identity: Identity
    consent: Consent
    agent_version: str
    product: Sequence[ConsentedRecord] = ()
    host: Sequence[ConsentedRecord] = ()
    left_out: Sequence[LeftOut] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """One file inside a bundle, as the manifest lists it."""

    name: str
    size_bytes: int
    sha256: str
    batch: Mapping[str, Any] | None = None


def bundle_name(identity: Identity, now: datetime) -> str:
    """`portfolio-bundle-<first 8 letters or digits of the instance id>-<UTC time>.zip`."""
    short = re.sub(r"[^0-9a-z]", "", identity.instance_id.lower())[:8] or "unknown"
    return f"portfolio-bundle-{short}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.zip"


def write_bundle(
    folder: Path,
    batches: Iterable[Batch],
    contents: BundleContents,
    *,
    expected_bytes: int,
    unpack: Unpack,
    render: Render,
    now: datetime,
    note: Callable[[Path], None] = lambda _: None,
) -> Path:
    """Write one bundle into `folder` and return its path; `batches` is read once, one body in memory at a time.

    `expected_bytes` is the size of all bodies, for the check of free room. A batch sealed above the present consent
    is left out and listed. `note` is called with the path when all is written and read back, right before the file gets
    its name: what it raises leaves no file.
    Raises UsageError when the path exists or the folder is a link, StoreError when there is no room or what was written
    does not read back as it should.
    """
    _check_folder(folder)
    path = folder / bundle_name(contents.identity, now)
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} exists already.", why="A bundle is never overwritten.", do="Try again in a second.")
    _check_room(folder, expected_bytes)
    members: list[Member] = []

    def check(beside: Path) -> None:
        _verify(beside, members)
        note(path)

    try:
        with whole_file(
            path,
            replace=False,  # a bundle is never written over, not even one that came meanwhile
            check=check,
            leftovers=_is_bundle,
        ) as file:
            _write(file, members, batches, contents, unpack, render)
    except OSError as error:
        raise StoreError(
            f"The bundle could not be written to {folder}.",
            why=f"{error.strerror or error}.",
            do=f"Free space on the file system {_mount_point(folder)}, or choose another folder with --output.",
        ) from error
    return path


def remove_old(folder: Path, keep: int, now: datetime, written: Sequence[str] = ()) -> list[Path]:
    """Keep the `keep` newest bundles of ours in `folder`; returns what was removed. Other files are never touched.

    `written` are the names of bundles in the order they were written, which decides: the instant in a name is a label,
    and one written under a clock that was ahead would outlive all that follow. Those not in it are older, by name.
    What a crash left half written is removed too, once it is an hour old.
    """
    remove_leftovers(folder, _is_bundle, now.timestamp())
    order = {name: number for number, name in enumerate(written)}
    ours = sorted(
        (path for path in folder.iterdir() if NAME_PATTERN.fullmatch(path.name) and path.is_file()),
        # By the time in the name: a folder that was copied has other times on its files.
        key=lambda path: (order.get(path.name, -1), path.name.rsplit("-", 1)[1]),
        reverse=True,
    )
    ours = [path for path in ours if not path.is_symlink()]
    for path in ours[keep:]:
        path.unlink()
    return ours[keep:]


def verify_bundle(path: Path) -> Mapping[str, Any]:
    """The manifest of a bundle whose every file is as the manifest says; StoreError names the first that is not."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest: dict[str, Any] = json.loads(archive.read("manifest.json"))
            members = [Member(item["name"], item["sizeBytes"], item["sha256"]) for item in manifest["files"]]
    except (OSError, KeyError, TypeError, ValueError, zlib.error, EOFError, zipfile.BadZipFile) as error:
        raise StoreError(
            f"{path} is not a bundle of this agent.", why=f"{error}.", do="Write it again: portfolio-agent bundle"
        ) from error
    _verify(path, members, manifest_too=True)
    return manifest


def _is_bundle(name: str) -> bool:
    return NAME_PATTERN.fullmatch(name) is not None


def _write(
    file: BinaryIO,
    members: list[Member],
    batches: Iterable[Batch],
    contents: BundleContents,
    unpack: Unpack,
    render: Render,
) -> None:
    """Fill the zip, and `members` with what went in."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        left_out = list(contents.left_out)
        starts: list[str] = []
        ends: list[str] = []
        for batch in batches:
            if not contents.consent.level.allows(batch.consent.level):
                left_out.append(LeftOut(f"batch {batch.id}", f"sealed under {batch.consent.level.value}"))
                continue
            document = unpack(batch.body)
            facts = _batch_facts(batch)
            starts.append(facts["window"]["start"])
            ends.append(facts["window"]["end"])
            members.append(_add(archive, _member_name(batch), document, facts))
        for name, records in (("product.json", contents.product), ("host.json", contents.host)):
            lines = [dict(render(record)) for record in records]
            members.append(_add(archive, name, _json({"entries": lines})))
        manifest = _manifest(contents, sorted(members, key=lambda item: item.name), left_out, starts, ends)
        members.append(_add(archive, "manifest.json", _json(manifest)))


def _add(archive: zipfile.ZipFile, name: str, content: bytes, batch: Mapping[str, Any] | None = None) -> Member:
    entry = zipfile.ZipInfo(name, MEMBER_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    # A regular file of mode 0600: unpacked by root it is as private as it was here.
    entry.external_attr = 0o100600 << 16
    archive.writestr(entry, content)
    return Member(name, len(content), hashlib.sha256(content).hexdigest(), batch)


def _member_name(batch: Batch) -> str:
    start = batch.hour.start.astimezone(UTC)
    return f"batches/{start:%Y%m%dT%H%M%SZ}-r{batch.revision:03d}-p{batch.part}-{batch.id}.json"


def _batch_facts(batch: Batch) -> dict[str, Any]:
    return {
        "batchId": batch.id,
        "sealedSha256": batch.sha256,
        "entries": batch.entries,
        "level": batch.consent.level.value,
        "window": {
            "start": _instant(batch.hour.start),
            "end": _instant(batch.hour.end),
            "revision": batch.revision,
        },
    }


def _manifest(
    contents: BundleContents, members: Sequence[Member], left_out: Sequence[LeftOut], starts: list[str], ends: list[str]
) -> dict[str, Any]:
    granted = contents.consent.granted_at
    return {
        "format": "portfolio-bundle",
        "formatVersion": FORMAT_VERSION,
        "instanceId": contents.identity.instance_id,
        "nodeId": contents.identity.node_id,
        "product": {"type": contents.identity.product_type, "version": contents.identity.product_version},
        "agentVersion": contents.agent_version,
        "consent": {
            "level": contents.consent.level.value,
            "fieldListVersion": contents.consent.field_list_version,
            "grantedAt": None if granted is None else _instant(granted),
        },
        "window": {"start": min(starts), "end": max(ends)} if starts else None,
        "files": [
            {"name": item.name, "sizeBytes": item.size_bytes, "sha256": item.sha256}
            | ({} if item.batch is None else {"batch": dict(item.batch)})
            for item in members
        ],
        "leftOut": [{"what": item.what, "why": item.why} for item in left_out],
    }


def _verify(path: Path, members: Sequence[Member], *, manifest_too: bool = False) -> None:
    """Read the zip back and compare names, sizes and hashes."""
    names = {item.name for item in members} | ({"manifest.json"} if manifest_too else set())
    try:
        with zipfile.ZipFile(path) as archive:
            # Read back through the file system: a disk that lies shows here, and not when somebody has carried the file
            # away.
            if sorted(archive.namelist()) != sorted(names):
                raise zipfile.BadZipFile("its files are not the ones of the manifest")
            for item in members:
                if _digest(archive, item.name) != (item.size_bytes, item.sha256):
                    raise zipfile.BadZipFile(f"{item.name} is not as it was written")
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        raise StoreError(
            f"The bundle {path} is damaged.",
            why=f"{error}.",
            do=f"Check the disk below {_mount_point(path.parent)}, then write it again: portfolio-agent bundle",
        ) from error


def _digest(archive: zipfile.ZipFile, name: str) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with archive.open(name) as member:
        for piece in _pieces(member.read):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


def _pieces(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while piece := read(65536):
        yield piece


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be used for bundles.", why=f"{error.strerror}.", do="Choose another with --output."
        ) from error
    if folder.is_symlink() or not folder.is_dir():
        raise UsageError(
            f"{folder} is not a folder of its own.",
            why="A link could lead the bundle elsewhere.",
            do="Choose a folder that is not a link.",
        )


def _check_room(folder: Path, expected_bytes: int) -> None:
    facts = os.statvfs(folder)
    free = facts.f_bavail * facts.f_frsize
    needed = expected_bytes + SPARE_BYTES
    if free < needed:
        raise StoreError(
            f"There is no room for a bundle in {folder}.",
            why=f"The file system {_mount_point(folder)} has {free:,} bytes free, about {needed:,} are needed.",
            do="Free space there, or choose another folder with --output.",
        )


def _mount_point(folder: Path) -> Path:
    path = folder.resolve()
    while not path.is_mount() and path != path.parent:
        path = path.parent
    return path


def _instant(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, allow_nan=False, ensure_ascii=False, indent=1) + "\n").encode()
