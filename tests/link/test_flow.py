"""Linking step by step, over real TLS: what is kept, what is dropped, whatever goes wrong in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.errors import ConfigError, KeyRejected, KeyUnreadable, NotDelivering, NotLinked, PushDeferred, UsageError
from agent.link.flow import LinkFolder, check_can_link, prove_key, revoke, set_consent, stage_key
from agent.link.handshake import LinkRequest
from agent.link.keyfile import master_path
from agent.link.record import LinkRecord, link_path, read_link, read_record, reveal_key, save_record
from agent.model import Consent, ConsentLevel
from agent.settings import Secret
from tests.link.test_record import make_link_folder
from tests.support.cloud import KEY, Receiver, receiver

NOW = datetime.now(UTC)
BASIC = Consent(ConsentLevel.BASIC, "fields-1", NOW)
EXTENDED = Consent(ConsentLevel.EXTENDED, "fields-2", NOW)
BAD_KEY = Secret("unknown-key-0123456789abcdef")
SECOND_KEY = Secret("second-key-0123456789abcdef")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Receiver]:
    """A running reference receiver that knows two keys."""
    with receiver(tmp_path / "cloud") as running:
        (running.folder / "keys.txt").write_text(f"{KEY.reveal()}\n{SECOND_KEY.reveal()}\n")
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> LinkFolder:
    """A fresh shared home."""
    return make_link_folder(tmp_path)


def request_for(consent: Consent) -> LinkRequest:
    """The request as the command makes it."""
    return LinkRequest("instance-here", "jira", "10.3.2", "0.1.0", consent)


def link(folder: LinkFolder, cloud: Receiver, key: Secret, consent: Consent = BASIC) -> LinkRecord:
    """Paste and prove."""
    stage_key(folder, key, consent, NOW)
    return resume(folder, cloud)


def resume(folder: LinkFolder, cloud: Receiver) -> LinkRecord:
    """Prove what was pasted."""
    with cloud.client() as client:
        return prove_key(folder, client, request_for, cloud.settings.endpoint or "", NOW)


def key_of(folder: LinkFolder) -> str:
    """The key of the link in force."""
    record = read_link(folder.link_dir)
    assert record is not None
    return reveal_key(record, folder.link_dir, folder.instance_id).reveal()


def test_proven_key_is_the_link(folder: LinkFolder, cloud: Receiver) -> None:
    """After the handshake the link is in force with the consent that was given, and no candidate is left."""
    record = link(folder, cloud, KEY, EXTENDED)
    assert read_link(folder.link_dir) == record
    assert record.consent == EXTENDED
    assert record.organisation == "Example Organisation"
    assert record.candidate is None
    assert key_of(folder) == KEY.reveal()


def test_new_key_takes_over_only_when_proven(folder: LinkFolder, cloud: Receiver) -> None:
    """A new key replaces the old one after the handshake, not before it."""
    link(folder, cloud, KEY)
    stage_key(folder, SECOND_KEY, EXTENDED, NOW)
    assert key_of(folder) == KEY.reveal()
    record = resume(folder, cloud)
    assert key_of(folder) == SECOND_KEY.reveal()
    assert record.consent == EXTENDED


def test_the_same_consent_with_a_new_key_goes_on(folder: LinkFolder, cloud: Receiver) -> None:
    """Renewing the key leaves no hour without consent; another level or list of fields begins anew."""
    link(folder, cloud, KEY)
    later = NOW + timedelta(days=29)
    assert link(folder, cloud, SECOND_KEY, replace(BASIC, granted_at=later)).consent.granted_at == NOW
    for other in (Consent(ConsentLevel.BASIC, "fields-2", later), Consent(ConsentLevel.EXTENDED, "fields-2", later)):
        assert link(folder, cloud, KEY, other).consent == other


def test_rejected_key_leaves_the_old_link(folder: LinkFolder, cloud: Receiver) -> None:
    """A key the cloud refuses is forgotten; the link in force and its consent stay as they were."""
    before = link(folder, cloud, KEY)
    with pytest.raises(KeyRejected):
        link(folder, cloud, BAD_KEY, EXTENDED)
    assert read_record(folder.link_dir) == before
    assert key_of(folder) == KEY.reveal()


def test_rejected_first_key_leaves_no_file(folder: LinkFolder, cloud: Receiver) -> None:
    """A refused key on an unlinked instance leaves neither link.json nor master key."""
    with pytest.raises(KeyRejected):
        link(folder, cloud, BAD_KEY)
    assert not link_path(folder.link_dir).exists()
    assert not master_path(folder.link_dir).exists()


def test_cloud_away_keeps_the_pasted_key_for_resume(folder: LinkFolder, cloud: Receiver) -> None:
    """The key is shown only once by the cloud, so a cloud that is away must not cost it: resuming links."""
    cloud.control(mode="503", times=1, calls=["link"])
    with pytest.raises(PushDeferred) as caught:
        link(folder, cloud, KEY)
    assert "--resume" in caught.value.do
    assert read_link(folder.link_dir) is None
    resume(folder, cloud)
    assert key_of(folder) == KEY.reveal()


@pytest.mark.parametrize("mode", ["html403", "json401", "empty410", "html404", "html200"])
def test_a_firewalls_page_costs_no_pasted_key(folder: LinkFolder, cloud: Receiver, mode: str) -> None:
    """What answers in the cloud's place says nothing of the key, which is shown once: it waits, and resuming links."""
    cloud.control(mode=mode, times=1, calls=["link"])
    with pytest.raises(NotDelivering) as caught:
        link(folder, cloud, KEY)
    assert "--resume" in caught.value.do
    resume(folder, cloud)
    assert key_of(folder) == KEY.reveal()


def test_lost_answer_is_repaired_by_resume(folder: LinkFolder, cloud: Receiver) -> None:
    """When the cloud linked but its answer was lost, the old key still opens here and resuming finishes."""
    link(folder, cloud, SECOND_KEY)
    cloud.control(mode="reset_mid", times=1, calls=["link"])
    with pytest.raises(PushDeferred):
        link(folder, cloud, KEY)
    assert key_of(folder) == SECOND_KEY.reveal()
    resume(folder, cloud)
    assert key_of(folder) == KEY.reveal()


def test_nothing_to_resume_is_told(folder: LinkFolder, cloud: Receiver) -> None:
    """Resuming without a pasted key says so, before and after a link."""
    with pytest.raises(UsageError, match="No pasted key"):
        resume(folder, cloud)
    link(folder, cloud, KEY)
    with pytest.raises(UsageError, match="No pasted key"):
        resume(folder, cloud)


def test_link_of_another_instance_is_replaced(tmp_path: Path, cloud: Receiver) -> None:
    """A link.json copied from another instance does not open here and is replaced by our own link."""
    there = make_link_folder(tmp_path, "instance-there")
    link(there, cloud, KEY)
    here = make_link_folder(tmp_path, "instance-here")
    with pytest.raises(KeyUnreadable, match="other-instance"):
        key_of(here)
    link(here, cloud, SECOND_KEY)
    assert key_of(here) == SECOND_KEY.reveal()


def test_revoking_ends_the_link_in_the_cloud(folder: LinkFolder, cloud: Receiver) -> None:
    """Revoking tells the cloud once; a second time the cloud no longer knows it."""
    link(folder, cloud, KEY)
    with cloud.client() as client:
        assert revoke(folder, client) is True
        assert revoke(folder, client) is False


def test_revoking_without_cloud_removes_nothing(folder: LinkFolder, cloud: Receiver) -> None:
    """When the cloud does not confirm, the link stays and `--local` is named."""
    link(folder, cloud, KEY)
    cloud.control(mode="503", calls=["link"])
    with cloud.client() as client, pytest.raises(PushDeferred) as caught:
        revoke(folder, client)
    assert "--local" in caught.value.do
    assert key_of(folder) == KEY.reveal()


def test_another_consent_keeps_the_ones_before_it(folder: LinkFolder, cloud: Receiver) -> None:
    """Set or given with a new key for the same place, it follows the consent before it: no gap, and each is known."""
    link(folder, cloud, KEY)
    set_consent(folder, Consent(ConsentLevel.EXTENDED, "fields-1", NOW + timedelta(minutes=1)))
    later = Consent(ConsentLevel.BASIC, "fields-2", NOW + timedelta(minutes=2))
    linked = link(folder, cloud, SECOND_KEY, later)
    first, second = linked.earlier
    assert (first, second.level, linked.consent) == (BASIC, ConsentLevel.EXTENDED, later)
    assert read_link(folder.link_dir) == linked


@pytest.mark.parametrize("way", ["another organisation", "none"])
def test_a_consent_that_begins_anew_has_none_before_it(folder: LinkFolder, cloud: Receiver, way: str) -> None:
    """After `consent set none`, or for another organisation, what was agreed before covers nothing."""
    record = link(folder, cloud, KEY)
    set_consent(folder, Consent(ConsentLevel.EXTENDED, "fields-1", NOW))
    if way == "none":
        set_consent(folder, Consent(ConsentLevel.NONE, "fields-1", NOW))
        set_consent(folder, Consent(ConsentLevel.BASIC, "fields-1", NOW))
    else:
        kept = read_link(folder.link_dir) or record
        save_record(folder.link_dir, replace(kept, organisation="Another"), owner=folder.owner, owners=folder.owners)
        link(folder, cloud, SECOND_KEY)
    assert (read_link(folder.link_dir) or record).earlier == ()


def test_changed_consent_is_stored_and_told_to_nobody(folder: LinkFolder, cloud: Receiver) -> None:
    """Changing consent writes link.json and makes no request; it needs a link."""
    with pytest.raises(NotLinked):
        set_consent(folder, Consent(ConsentLevel.BASIC, "fields-3", NOW))
    link(folder, cloud, KEY, EXTENDED)
    requests = len(cloud.log())
    for level in (ConsentLevel.BASIC, ConsentLevel.NONE):
        old, new = set_consent(folder, Consent(level, "fields-3", NOW))
        assert old.level is not new.level
        record = read_link(folder.link_dir)
        assert record is not None
        assert record.consent == new == Consent(level, "fields-3", NOW)
    assert key_of(folder) == KEY.reveal()
    assert len(cloud.log()) == requests


def test_offline_mode_never_links() -> None:
    """Offline mode and a missing endpoint are refused before any connection."""
    with pytest.raises(ConfigError, match="offline"):
        check_can_link("https://cloud.example.com", offline=True)
    with pytest.raises(ConfigError, match="no cloud"):
        check_can_link(None, offline=False)
    assert check_can_link("https://cloud.example.com", offline=False) == "https://cloud.example.com"
