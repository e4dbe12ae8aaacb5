"""link.json: what it holds, who is believed, what damage costs, when the key's end is told."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.errors import AgentError, KeyUnreadable, UsageError
from agent.link.flow import LinkFolder, link_folder_of, stage_key
from agent.link.keyfile import master_path
from agent.link.record import (
    EARLIER_KEPT,
    LinkRecord,
    fingerprint_of,
    key_warning,
    link_path,
    read_link,
    read_record,
    remove_link,
    reveal_key,
    save_record,
    warning_days,
    with_consent,
)
from agent.model import Consent, ConsentLevel
from agent.settings import Secret
from tests.support.servers import require_root

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = "planted-key." + "0123456789" * 4
CONSENT = Consent(ConsentLevel.EXTENDED, "fields-1", NOW)


def make_link_folder(root: Path, instance_id: str = "instance-here") -> LinkFolder:
    """A shared home and a state folder as `init` leaves them."""
    state_dir, link_dir = root / "state", root / "home" / "portfolio-agent"
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    link_dir.parent.mkdir(exist_ok=True)
    return link_folder_of(link_dir, state_dir, instance_id)


def make_link(folder: LinkFolder, key: str = KEY) -> LinkRecord:
    """A confirmed link with this key, on disk."""
    staged = stage_key(folder, Secret(key), CONSENT, NOW)
    assert staged.candidate is not None
    record = LinkRecord(
        instance_id=folder.instance_id,
        consent=CONSENT,
        link_id="link-1",
        organisation="Example Organisation",
        endpoint="https://cloud.example.com",
        location="EU",
        key_fingerprint=staged.candidate.key_fingerprint,
        key_expires_at=NOW + timedelta(days=30),
        linked_at=NOW,
        limits={"maxBatchBytes": 1000},
        sealed_key=staged.candidate.sealed_key,
    )
    save_record(folder.link_dir, record, owner=folder.owner, owners=folder.owners)
    return record


@pytest.fixture
def folder(tmp_path: Path) -> LinkFolder:
    """A fresh link folder."""
    return make_link_folder(tmp_path)


def edit(folder: LinkFolder, change: Any) -> None:
    """Change link.json as an editor would."""
    path = link_path(folder.link_dir)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def refusal(folder: LinkFolder, record: LinkRecord | None = None) -> KeyUnreadable:
    """The error that opening the key gives."""
    with pytest.raises(KeyUnreadable) as caught:
        reveal_key(record or read_link(folder.link_dir) or pytest.fail("no link"), folder.link_dir, folder.instance_id)
    return caught.value


def test_what_is_saved_is_read_back(folder: LinkFolder) -> None:
    """All facts of a link survive the file; the key opens; the file is 0600 in a 0700 folder and holds no key text."""
    record = make_link(folder)
    assert read_link(folder.link_dir) == record
    assert reveal_key(record, folder.link_dir, folder.instance_id).reveal() == KEY
    path = link_path(folder.link_dir)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.link_dir.stat().st_mode) == 0o700
    assert KEY not in path.read_text()
    assert record.key_fingerprint == fingerprint_of(Secret(KEY))
    assert len(record.key_fingerprint) == 8
    assert sorted(item.name for item in folder.link_dir.iterdir()) == ["keys", "link.json"]


@pytest.mark.parametrize(
    "damage", [{"level": "none"}, {"level": "all"}, {"grantedAt": "yesterday"}, "extended", 7, None]
)
def test_earlier_consents_are_read_back_or_not_at_all(folder: LinkFolder, damage: Any) -> None:
    """What led to the consent in force survives the file; damage to any of it forgets all of it, and opens nothing."""
    record = make_link(folder)
    earlier = (Consent(ConsentLevel.BASIC, "fields-0", NOW - timedelta(days=1)),)
    record = replace(record, earlier=earlier)
    save_record(folder.link_dir, record, owner=folder.owner, owners=folder.owners)
    assert read_link(folder.link_dir) == record

    def break_it(document: Any) -> None:
        items = document["earlierConsents"]
        document["earlierConsents"] = [{**items[0], **damage}] if isinstance(damage, dict) else damage

    edit(folder, break_it)
    assert read_link(folder.link_dir) == replace(record, earlier=())


def test_many_changes_keep_the_newest(folder: LinkFolder) -> None:
    """The file does not grow for ever: beyond a hundred changes the oldest are forgotten."""
    record = make_link(folder)
    for number in range(EARLIER_KEPT + 5):
        record = with_consent(record, Consent(ConsentLevel.BASIC, str(number), NOW + timedelta(minutes=number)))
    assert [item.field_list_version for item in record.earlier][-1] == str(EARLIER_KEPT + 3)
    assert len(record.earlier) == EARLIER_KEPT
    save_record(folder.link_dir, record, owner=folder.owner, owners=folder.owners)
    assert read_link(folder.link_dir) == record


def test_no_file_is_no_link(folder: LinkFolder) -> None:
    """Without link.json, or without the whole folder, there is no link and no error."""
    assert read_link(folder.link_dir) is None
    folder.link_dir.mkdir(0o700)
    assert read_link(folder.link_dir) is None


def test_mere_candidate_is_no_link(folder: LinkFolder) -> None:
    """A pasted key that the cloud has not confirmed is not a link."""
    stage_key(folder, Secret(KEY), CONSENT, NOW)
    assert read_link(folder.link_dir) is None
    record = read_record(folder.link_dir)
    assert record is not None
    assert record.candidate is not None


def test_pasting_a_new_key_leaves_the_link_in_force(folder: LinkFolder) -> None:
    """While a new key waits in the second slot the old one still opens, with the old consent."""
    make_link(folder)
    other = "other-key." + "9876543210" * 3
    stage_key(folder, Secret(other), Consent(ConsentLevel.BASIC, "fields-2", NOW), NOW)
    record = read_link(folder.link_dir)
    assert record is not None
    assert reveal_key(record, folder.link_dir, folder.instance_id).reveal() == KEY
    assert record.consent == CONSENT


def test_four_ways_to_fail_have_four_codes(tmp_path: Path) -> None:
    """Wrong key, missing key, tampered blob, blob of another host: four codes, each with a command that goes on."""
    here, there = make_link_folder(tmp_path / "here"), make_link_folder(tmp_path / "there", "instance-there")
    make_link(here), make_link(there)
    said: dict[str, str] = {}

    edit(here, lambda document: document["current"].update(sealedKey=flipped(document["current"]["sealedKey"])))
    said[refusal(here).code] = refusal(here).do
    make_link(here)
    shutil.copy2(link_path(there.link_dir), link_path(here.link_dir))
    said[refusal(here).code] = refusal(here).do
    make_link(here)
    kept = master_path(here.link_dir).read_bytes()
    master_path(here.link_dir).unlink()
    said[refusal(here).code] = refusal(here).do
    shutil.copy2(master_path(there.link_dir), master_path(here.link_dir))
    said[refusal(here).code] = refusal(here).do

    assert set(said) == {"authentication-failed", "other-instance", "key-missing", "wrong-key"}
    assert len(set(said.values())) == 4
    assert all("portfolio-agent link" in do for do in said.values())
    master_path(here.link_dir).unlink()
    master_path(here.link_dir).write_bytes(kept)
    master_path(here.link_dir).chmod(0o400)
    record = read_link(here.link_dir)
    assert record is not None
    assert reveal_key(record, here.link_dir, here.instance_id).reveal() == KEY


def flipped(sealed: str) -> str:
    """The text with one letter changed, in the ciphertext."""
    return sealed[:90] + ("A" if sealed[90] != "A" else "B") + sealed[91:]


@pytest.mark.fault(94)
def test_blob_of_another_instance_under_our_name_is_refused(tmp_path: Path) -> None:
    """Another instance's record, renamed to ours and even with its master key, still does not authenticate."""
    here, there = make_link_folder(tmp_path / "here"), make_link_folder(tmp_path / "there", "instance-there")
    make_link(there)
    shutil.copytree(there.link_dir, here.link_dir)
    edit(here, lambda document: document.update(instanceId=here.instance_id))
    assert refusal(here).code == "authentication-failed"


DAMAGES: dict[str, Any] = {
    "missing": lambda document: document.pop("consent"),
    "null": lambda document: document.update(consent=None),
    "not-an-object": lambda document: document.update(consent=["extended"]),
    "unknown-level": lambda document: document["consent"].update(level="everything"),
    "upper-case": lambda document: document["consent"].update(level="EXTENDED"),
    "list-level": lambda document: document["consent"].update(level=["extended"]),
    "no-version": lambda document: document["consent"].pop("fieldListVersion"),
    "no-time": lambda document: document["consent"].pop("grantedAt"),
    "broken-time": lambda document: document["consent"].update(grantedAt="yesterday"),
    "time-without-zone": lambda document: document["consent"].update(grantedAt="2026-11-22T12:00:00"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_unclear_consent_is_basic(folder: LinkFolder, name: str) -> None:
    """Extended consent that is damaged in any part counts as Basic, with no field list agreed to."""
    make_link(folder)
    edit(folder, DAMAGES[name])
    record = read_link(folder.link_dir)
    assert record is not None
    assert record.consent == Consent(ConsentLevel.BASIC, "", None)


def test_withdrawn_consent_stays_withdrawn_when_damaged(folder: LinkFolder) -> None:
    """None means none: a damaged date beside it does not open Basic again."""
    save_record(
        folder.link_dir,
        replace(make_link(folder), consent=Consent(ConsentLevel.NONE, "fields-1", NOW)),
        owner=folder.owner,
        owners=folder.owners,
    )
    edit(folder, lambda document: document["consent"].pop("grantedAt"))
    record = read_link(folder.link_dir)
    assert record is not None
    assert record.consent.level is ConsentLevel.NONE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_file_is_an_error_or_less_consent(folder: LinkFolder, data: st.DataObject) -> None:
    """Whatever one field is replaced with, reading gives a record, no link or KeyUnreadable; consent never rises."""
    remove_link(folder.link_dir)
    save_record(
        folder.link_dir,
        replace(make_link(folder), consent=Consent(ConsentLevel.BASIC, "fields-1", NOW)),
        owner=folder.owner,
        owners=folder.owners,
    )
    document = json.loads(link_path(folder.link_dir).read_text())
    section = data.draw(st.sampled_from([document, document["current"]]))
    name = data.draw(st.sampled_from(sorted(section)))
    value = data.draw(JSON)
    section[name] = value
    link_path(folder.link_dir).write_text(json.dumps(document))
    try:
        record = read_link(folder.link_dir)
    except KeyUnreadable:
        return
    assert record is None or value == "extended" or not record.consent.level.allows(ConsentLevel.EXTENDED)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"format": 2}', b"[" * 60_000, b"x" * 70_000],
    ids=["empty", "cut", "null", "list", "bytes", "newer", "deep", "huge"],
)
def test_file_that_is_no_record_is_an_error(folder: LinkFolder, content: bytes) -> None:
    """A link.json that is no record is an error with the file's name and a way on, never "not linked"."""
    make_link(folder)
    link_path(folder.link_dir).write_bytes(content)
    with pytest.raises(KeyUnreadable) as caught:
        read_link(folder.link_dir)
    assert str(link_path(folder.link_dir)) in str(caught.value)
    assert "portfolio-agent link" in caught.value.do


def test_link_that_others_could_write_is_refused(folder: LinkFolder) -> None:
    """link.json of another account or readable by others is refused: it decides where figures go."""
    require_root()
    make_link(folder)
    link_path(folder.link_dir).chmod(0o644)
    with pytest.raises(KeyUnreadable, match="file-mode"):
        read_link(folder.link_dir)
    link_path(folder.link_dir).chmod(0o600)
    os.chown(link_path(folder.link_dir), 4242, 4242)
    with pytest.raises(KeyUnreadable, match="file-owner"):
        read_link(folder.link_dir)


def test_root_links_for_the_service_account(tmp_path: Path) -> None:
    """Linked by root, every file belongs to the state folder's owner, who can then open the key without root."""
    require_root()
    os.chown(make_link_folder(tmp_path).link_dir.parent.parent / "state", 4242, 4242)
    folder = make_link_folder(tmp_path)
    record = make_link(folder)
    paths = [folder.link_dir, *folder.link_dir.rglob("*")]
    assert {path.stat().st_uid for path in paths} == {4242}
    assert read_link(folder.link_dir, owners=folder.owners) == record
    opened = reveal_key(record, folder.link_dir, folder.instance_id, owners=folder.owners)
    assert opened.reveal() == KEY


def test_failed_save_keeps_the_old_file(folder: LinkFolder) -> None:
    """When the new file cannot be written the old link is still whole and nothing is left beside it."""
    record = make_link(folder)
    link_path(folder.link_dir).unlink()
    link_path(folder.link_dir).mkdir()
    with pytest.raises(UsageError) as caught:
        save_record(folder.link_dir, record, owner=None)
    assert "link.json" in caught.value.what
    assert sorted(item.name for item in folder.link_dir.iterdir()) == ["keys", "link.json"]


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    """On a full file system saving fails with the reason and the link in force is untouched."""
    require_root()
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        from tests.support.servers import missing

        missing("a tmpfs cannot be mounted here")
    try:
        folder = make_link_folder(disk)
        record = make_link(folder)
        fill(disk / "filler")
        with pytest.raises(UsageError) as caught:
            save_record(folder.link_dir, replace(record, organisation="Other"), owner=None)
        assert "No space" in caught.value.why
        assert read_link(folder.link_dir) == record
        assert reveal_key(record, folder.link_dir, folder.instance_id).reveal() == KEY
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_removal_leaves_no_file_of_the_link(folder: LinkFolder) -> None:
    """Removing takes link.json, leftovers of a broken write and the master key; doing it again removes nothing."""
    make_link(folder)
    (folder.link_dir / ".link.json.999").write_text("leftover")
    (folder.link_dir / "instance.json").write_text("{}")
    gone = remove_link(folder.link_dir)
    assert link_path(folder.link_dir) in gone
    assert master_path(folder.link_dir) in gone
    assert [item.name for item in folder.link_dir.iterdir()] == ["instance.json"]
    assert remove_link(folder.link_dir) == ()


@pytest.mark.fault(91)
@pytest.mark.parametrize(
    ("left", "words", "due"),
    [
        (timedelta(days=14, seconds=1), None, None),
        (timedelta(days=14), "14 days", 14),
        (timedelta(days=7, hours=1), "7 days", 14),
        (timedelta(days=7), "7 days", 7),
        (timedelta(days=3), "3 days", 3),
        (timedelta(days=1, hours=1), "1 day ", 3),
        (timedelta(days=1), "1 day ", 1),
        (timedelta(hours=23), "less than a day", 1),
        (timedelta(0), "ended", 0),
        (timedelta(days=-3), "ended", 0),
    ],
)
def test_end_of_key_is_told_ahead(left: timedelta, words: str | None, due: int | None) -> None:
    """From 14 days before its end the key's end is told, in steps of 14, 7, 3 and 1 days, and after it as ended."""
    record = LinkRecord("instance", CONSENT, key_expires_at=NOW + left)
    warning = key_warning(record, NOW)
    assert warning_days(record, NOW) == due
    if words is None:
        assert warning is None
    else:
        assert words in (warning or "")


def test_key_without_end_gives_no_warning() -> None:
    """A cloud that names no end gets no invented one."""
    assert key_warning(LinkRecord("instance", CONSENT), NOW) is None
    assert warning_days(LinkRecord("instance", CONSENT), NOW) is None


def test_reading_the_link_imports_no_cryptography() -> None:
    """`status` and the resident process read the link without loading cryptography, h11, typer or SQLAlchemy."""
    code = (
        "import sys, pathlib, agent.link; agent.link.read_link(pathlib.Path('/nonexistent/portfolio-agent'));"
        "print([name for name in ('cryptography', 'h11', 'typer', 'sqlalchemy', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_every_refusal_is_an_agent_error() -> None:
    """The code stands behind the first sentence, so that support can ask for it."""
    error = KeyUnreadable("It cannot be read.", code="some-code")
    assert isinstance(error, AgentError)
    assert str(error) == "It cannot be read. [some-code]"
