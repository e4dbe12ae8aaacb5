"""What the commands `link`, `unlink` and `consent` do, step by step, each step safe to be interrupted after.

Linking: the pasted key is sealed into the second slot first, as the cloud shows it only once; the handshake proves it;
only then it takes the first slot. A key the cloud refuses is dropped, a cloud that is away keeps it for `--resume`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from agent.errors import ConfigError, KeyRejected, KeyUnreadable, NotDelivering, NotLinked, UsageError
from agent.link.handshake import LinkRequest, link_instance, unlink_instance
from agent.link.keyfile import ensure_master
from agent.link.record import (
    CandidateKey,
    LinkRecord,
    fingerprint_of,
    open_slot,
    read_record,
    remove_link,
    reveal_key,
    save_record,
    with_consent,
)
from agent.model import Consent
from agent.net.cloud import CloudClient
from agent.settings import Secret
from agent.system.account import Account, owner_of
from agent.system.private_file import make_folder, trusted_owners

BY_HAND = (
    "Revoke it by hand: admin.atlassian.com > Insights > Portfolio insights, open this instance, disconnect it. "
    "Until then the key stays valid there."
)


@dataclass(frozen=True, slots=True)
class LinkFolder:
    """Where one instance's link lies, whose it is, and which files are believed."""

    link_dir: Path
    instance_id: str
    owner: Account | None
    owners: frozenset[int]


def link_folder_of(link_dir: Path, state_dir: Path, instance_id: str) -> LinkFolder:
    """The folder of an instance's link, with owners as the state folder tells."""
    return LinkFolder(link_dir, instance_id, owner_of(state_dir), trusted_owners(state_dir))


def stage_key(folder: LinkFolder, key: Secret, consent: Consent, now: datetime) -> LinkRecord:
    """Seal a pasted key into the second slot; durable on return. The link in force is not touched."""
    from agent.link.vault import associated_data, seal  # imports cryptography

    make_folder(folder.link_dir, folder.owner)
    # The master key first: sealed under one that is not durable yet, the pasted key would be lost with it, and the
    # cloud shows it only once.
    master = ensure_master(folder.link_dir, owner=folder.owner, owners=folder.owners)
    candidate = CandidateKey(
        sealed_key=seal(key, master, associated_data(folder.instance_id)),
        key_fingerprint=fingerprint_of(key),
        pasted_at=now,
        consent=consent,
    )
    record = read_record(folder.link_dir, owners=folder.owners)
    if record is None or record.instance_id != folder.instance_id:
        # Another instance's link is of no use here: its key does not open under our id.
        record = LinkRecord(folder.instance_id, consent)
    record = replace(record, candidate=candidate)
    save_record(folder.link_dir, record, owner=folder.owner, owners=folder.owners)
    return record


def prove_key(
    folder: LinkFolder,
    client: CloudClient,
    request_for: Callable[[Consent], LinkRequest],
    endpoint: str,
    now: datetime,
) -> LinkRecord:
    """Present the key in the second slot to the cloud; once confirmed it is the link in force.

    Raises what `link_instance` raises; after KeyRejected the candidate is gone, after all else it waits for `--resume`.
    """
    record = read_record(folder.link_dir, owners=folder.owners)
    if record is None or record.candidate is None:
        raise UsageError(
            "No pasted key waits for the cloud's answer.",
            why="The last one was confirmed or refused, or none was pasted.",
            do="Run without --resume and paste the key: portfolio-agent link",
        )
    candidate = record.candidate
    key = open_slot(record, candidate.sealed_key, folder.link_dir, folder.instance_id, owners=folder.owners)
    try:
        answer = link_instance(client, key, request_for(candidate.consent), now)
    # Refused is refused; kept, it would be tried at each `--resume` as if there were hope.
    except KeyRejected:
        drop_candidate(folder, record)
        raise
    except NotDelivering as error:
        error.do = f"{error.do} The pasted key is kept, sealed; try it again with: portfolio-agent link --resume"
        raise
    before = _continued(record, candidate.consent, endpoint, answer.organisation)
    linked = LinkRecord(
        instance_id=folder.instance_id,
        consent=before.consent,
        earlier=before.earlier,
        link_id=answer.link_id,
        organisation=answer.organisation,
        endpoint=endpoint,
        location=answer.location,
        key_fingerprint=candidate.key_fingerprint,
        key_expires_at=answer.key_expires_at,
        linked_at=now,
        limits=answer.limits,
        sealed_key=candidate.sealed_key,
    )
    # One file and one rename: link, key and consent change together, or a crash leaves the link that worked.
    save_record(folder.link_dir, linked, owner=folder.owner, owners=folder.owners)
    return linked


def _continued(record: LinkRecord, consent: Consent, endpoint: str, organisation: str) -> LinkRecord:
    """The record with the consent given with a new key: where it goes to the same place, no hour falls between the two.

    The same consent given again holds since it was first given; to another place it holds from now on alone.
    """
    before = record.consent
    if not record.linked or (record.endpoint, record.organisation) != (endpoint, organisation):
        return replace(record, consent=consent, earlier=())
    unchanged = (before.level, before.field_list_version) == (consent.level, consent.field_list_version)
    return record if unchanged else with_consent(record, consent)


def drop_candidate(folder: LinkFolder, record: LinkRecord) -> None:
    """Forget the pasted key; the link in force, when there is one, stays. Without one no file of the link is left."""
    if record.linked:
        save_record(folder.link_dir, replace(record, candidate=None), owner=folder.owner, owners=folder.owners)
    else:
        remove_link(folder.link_dir)


def revoke(folder: LinkFolder, client: CloudClient) -> bool:
    """End the link in the cloud; False when the cloud did not know it any more. Nothing is removed here.

    Raises NotLinked, KeyUnreadable or NotDelivering, each naming `--local` as the way to go on without the cloud.
    """
    record = linked_record(folder)
    try:
        key = reveal_key(record, folder.link_dir, folder.instance_id, owners=folder.owners)
        return unlink_instance(client, key)
    except (KeyUnreadable, NotDelivering) as error:
        error.do = f"{error.do} Nothing was removed. To remove it here only: portfolio-agent unlink --local"
        raise


def linked_record(folder: LinkFolder) -> LinkRecord:
    """The link in force; raises NotLinked when there is none."""
    record = read_record(folder.link_dir, owners=folder.owners)
    if record is not None and record.candidate is not None and not record.linked:
        raise NotLinked(
            "This instance is not linked yet.",
            why="A key was pasted, and the cloud has not confirmed it.",
            do="Try it again: portfolio-agent link --resume. To forget it: portfolio-agent unlink --local",
        )
    if record is None or not record.linked:
        raise NotLinked(
            "This instance is not linked.",
            why=f"There is no confirmed link in {folder.link_dir}.",
            do="Link it: portfolio-agent link. Without a link, bundles can be made by hand: portfolio-agent bundle",
        )
    return record


def set_consent(folder: LinkFolder, given: Consent) -> tuple[Consent, Consent]:
    """Store another consent for the link in force; the old one and the new one. Nothing is transmitted."""
    record = linked_record(folder)
    changed = with_consent(record, given)
    save_record(folder.link_dir, changed, owner=folder.owner, owners=folder.owners)
    return record.consent, changed.consent


def check_can_link(endpoint: str | None, *, offline: bool) -> str:
    """The endpoint to link to. Raises ConfigError in offline mode or without one."""
    if offline:
        raise ConfigError(
            'The agent is in offline mode ([agent] mode = "offline"), in which no connection is ever made.',
            why="Linking and unlinking talk to the cloud.",
            do='Set mode = "linked" in agent.toml first; to remove a link without a connection: '
            "portfolio-agent unlink --local",
        )
    if endpoint is None:
        raise ConfigError(
            "There is no cloud to link to.",
            why="[cloud] endpoint is not set in agent.toml.",
            do="Set it to the address the cloud console shows, and run the command again.",
        )
    return endpoint
