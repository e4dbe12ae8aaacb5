"""What `link` stored: to whom this instance is linked, what was agreed, the sealed key. No cryptography at import.

In and out: `<shared home>/portfolio-agent/link.json`, 0600, replaced whole. Two slots: `current` is the link in force,
`candidate` a pasted key that the cloud has not confirmed yet; a candidate takes over only after the handshake, so a
mistaken paste or a cloud that is away never costs the key that works.

A consent that cannot be read counts as Basic, never more; a file that cannot be read is an error, and nothing is sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.errors import KeyUnreadable
from agent.link.keyfile import key_folder, load_master, master_path
from agent.model import Consent, ConsentLevel
from agent.settings import Secret
from agent.system.account import Account
from agent.system.deadline import DEADLINE_S
from agent.system.private_file import make_folder, read_private, remove_private, replace_private

FORMAT = 1
LIMIT = 64 * 1024
WARN_DAYS = (1, 3, 7, 14)
EARLIER_KEPT = 100  # hours measured under a consent older than that many changes are not sealed any more


@dataclass(frozen=True, slots=True)
class CandidateKey:
    """A pasted key that waits for the cloud's word."""

    sealed_key: str
    key_fingerprint: str
    pasted_at: datetime
    consent: Consent


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """One link. `link_id` is empty as long as only a candidate exists; `linked` tells.

    `earlier` are the consents before `consent`, oldest first, since when there was one without a break: an hour that
    is sealed after a change was measured under one of them. Withdrawing consent or the link forgets them.
    """

    instance_id: str
    consent: Consent
    link_id: str = ""
    organisation: str = ""
    endpoint: str = ""
    location: str = ""
    key_fingerprint: str = ""
    key_expires_at: datetime | None = None
    linked_at: datetime | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    sealed_key: str = ""
    candidate: CandidateKey | None = None
    earlier: tuple[Consent, ...] = ()

    @property
    def linked(self) -> bool:
        """Whether the cloud has confirmed a key."""
        return bool(self.link_id and self.sealed_key)


def with_consent(record: LinkRecord, consent: Consent) -> LinkRecord:
    """The record under another consent; it begins no earlier than the one before it, whatever the clock says."""
    before = record.consent
    if before.level is ConsentLevel.NONE or consent.level is ConsentLevel.NONE:
        return replace(record, consent=consent, earlier=())
    if before.granted_at is not None and consent.granted_at is not None:
        consent = replace(consent, granted_at=max(before.granted_at, consent.granted_at))
    return replace(record, consent=consent, earlier=(*record.earlier, before)[-EARLIER_KEPT:])


def fingerprint_of(key: Secret) -> str:
    """The public name of a key: the first 8 hex digits of its SHA-256."""
    return hashlib.sha256(key.reveal().encode("ascii")).hexdigest()[:8]


def link_path(link_dir: Path) -> Path:
    """The file that holds the link."""
    return link_dir / "link.json"


def read_link(link_dir: Path, *, owners: Collection[int] = (), deadline_s: float = DEADLINE_S) -> LinkRecord | None:
    """The link in force; None when this instance is not linked (a mere candidate is not a link).

    Raises KeyUnreadable when link.json is there but not fit to be believed.
    """
    record = read_record(link_dir, owners=owners, deadline_s=deadline_s)
    return record if record is not None and record.linked else None


def read_record(link_dir: Path, *, owners: Collection[int] = (), deadline_s: float = DEADLINE_S) -> LinkRecord | None:
    """All of link.json, the candidate too; None when there is no file."""
    path = link_path(link_dir)
    content = read_private(path, limit=LIMIT, owners=owners, deadline_s=deadline_s)
    if content is None:
        return None
    try:
        return _parse(json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise KeyUnreadable(
            f"{path} cannot be understood ({type(error).__name__}).",
            why="It was damaged or written by hand.",
            do=f"Put it back from a backup, or: mv {path} {path}.aside; portfolio-agent link",
            code="link-damaged",
        ) from None


def reveal_key(
    record: LinkRecord,
    link_dir: Path,
    instance_id: str,
    *,
    owners: Collection[int] = (),
    deadline_s: float = DEADLINE_S,
) -> Secret:
    """The security key of the link in force. Imports cryptography: not for the resident process.

    Raises KeyUnreadable: `other-instance`, `key-missing`, `wrong-key` or `authentication-failed`, each with its cure.
    """
    return open_slot(record, record.sealed_key, link_dir, instance_id, owners=owners, deadline_s=deadline_s)


def open_slot(
    record: LinkRecord,
    sealed_key: str,
    link_dir: Path,
    instance_id: str,
    *,
    owners: Collection[int] = (),
    deadline_s: float = DEADLINE_S,
) -> Secret:
    """The key in one of the record's slots; as `reveal_key`."""
    if record.instance_id != instance_id:
        raise KeyUnreadable(
            f"{link_path(link_dir)} belongs to another instance ({record.instance_id}; this one is {instance_id}).",
            why="It was copied here, or instance.json was made anew.",
            do="Put back the instance.json that belongs to it, or link this instance with a key of its own: "
            "portfolio-agent link",
            code="other-instance",
        )
    from agent.link.vault import associated_data, open_sealed  # imports cryptography

    master = load_master(link_dir, owners=owners, deadline_s=deadline_s)
    return open_sealed(sealed_key, master, associated_data(instance_id))


def save_record(link_dir: Path, record: LinkRecord, *, owner: Account | None, owners: Collection[int] = ()) -> None:
    """Replace link.json as a whole; durable on return."""
    make_folder(link_dir, owner)
    text = json.dumps(_render(record), indent=2, allow_nan=False) + "\n"
    replace_private(link_path(link_dir), text.encode("utf-8"), owner=owner, owners=owners)


def remove_link(link_dir: Path) -> tuple[Path, ...]:
    """Remove link.json, what a broken write left beside it, and the master key; the paths that are gone."""
    leftovers = sorted(link_dir.glob(".link.json.*"))
    return remove_private((link_path(link_dir), master_path(link_dir), *leftovers), (key_folder(link_dir),))


def key_warning(record: LinkRecord, now: datetime) -> str | None:
    """What a person should know about the key's end: from 14 days before it; None while all is well."""
    ends = record.key_expires_at
    if ends is None:
        return None
    left = ends - now
    if left.total_seconds() <= 0:
        return f"The security key ended on {ends:%Y-%m-%d %H:%M} UTC: nothing is sent, nothing is lost."
    days = left.total_seconds() / 86_400
    if days > WARN_DAYS[-1]:
        return None
    whole = int(days)
    span = "less than a day" if whole == 0 else f"{whole} day{'' if whole == 1 else 's'}"
    return f"The security key ends in {span} ({ends:%Y-%m-%d %H:%M} UTC)."


def warning_days(record: LinkRecord, now: datetime) -> int | None:
    """Which warning is due: 14, 7, 3, 1, or 0 once the key has ended; None before. For logging each step once."""
    if record.key_expires_at is None:
        return None
    days = (record.key_expires_at - now).total_seconds() / 86_400
    if days <= 0:
        return 0
    return next((limit for limit in WARN_DAYS if days <= limit), None)


def _render(record: LinkRecord) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "instanceId": record.instance_id,
        "consent": _render_consent(record.consent),
        "earlierConsents": [_render_consent(consent) for consent in record.earlier],
        "current": {
            "linkId": record.link_id,
            "organisation": record.organisation,
            "endpoint": record.endpoint,
            "location": record.location,
            "keyFingerprint": record.key_fingerprint,
            "keyExpiresAt": _render_instant(record.key_expires_at),
            "linkedAt": _render_instant(record.linked_at),
            "limits": dict(record.limits),
            "sealedKey": record.sealed_key,
        }
        if record.linked
        else None,
        "candidate": {
            "sealedKey": record.candidate.sealed_key,
            "keyFingerprint": record.candidate.key_fingerprint,
            "pastedAt": _render_instant(record.candidate.pasted_at),
            "consent": _render_consent(record.candidate.consent),
        }
        if record.candidate
        else None,
    }


def _render_consent(consent: Consent) -> dict[str, Any]:
    return {
        "level": consent.level.value,
        "fieldListVersion": consent.field_list_version,
        "grantedAt": _render_instant(consent.granted_at),
    }


def _render_instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat()


def _parse(document: Any) -> LinkRecord:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError("not a link record")
    record = LinkRecord(
        instance_id=_text(document["instanceId"]),
        consent=_consent(document.get("consent")),
        earlier=_earlier(document.get("earlierConsents", [])),
    )
    current, candidate = document.get("current"), document.get("candidate")
    if candidate is not None:
        pasted_at = _instant(candidate["pastedAt"])
        if pasted_at is None:
            raise ValueError("a candidate without its time")
        record = replace(
            record,
            candidate=CandidateKey(
                sealed_key=_text(candidate["sealedKey"]),
                key_fingerprint=_text(candidate["keyFingerprint"]),
                pasted_at=pasted_at,
                consent=_consent(candidate.get("consent")),
            ),
        )
    if current is None:
        return record
    return replace(
        record,
        link_id=_text(current["linkId"]),
        organisation=_text(current["organisation"]),
        endpoint=_text(current["endpoint"]),
        location=_text(current["location"]),
        key_fingerprint=_text(current["keyFingerprint"]),
        key_expires_at=_instant(current["keyExpiresAt"]),
        linked_at=_instant(current["linkedAt"]),
        limits={_text(name): _whole(value) for name, value in current["limits"].items()},
        sealed_key=_text(current["sealedKey"]),
    )


def _consent(document: Any) -> Consent:
    """Basic when anything about it is unclear: a damaged consent must never open more."""
    try:
        return _given(document)
    except (KeyError, TypeError, ValueError, OverflowError):
        level = document.get("level") if isinstance(document, dict) else None
        return Consent(ConsentLevel.NONE if level == ConsentLevel.NONE else ConsentLevel.BASIC, "", None)


def _given(document: Any) -> Consent:
    return Consent(
        level=ConsentLevel(document["level"]),
        field_list_version=_text(document["fieldListVersion"]),
        granted_at=_instant(document["grantedAt"]),
    )


def _earlier(items: Any) -> tuple[Consent, ...]:
    """Nothing when anything about them is unclear: then what was measured under them stays here."""
    try:
        found = tuple(_given(item) for item in items)
    except (KeyError, TypeError, ValueError, OverflowError):
        return ()
    return found if all(item.level is not ConsentLevel.NONE for item in found) else ()


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("whole number expected")
    return value


def _instant(value: Any) -> datetime | None:
    if value is None:
        return None
    instant = datetime.fromisoformat(_text(value))
    if instant.tzinfo is None:
        raise ValueError("an instant without its zone")
    return instant.astimezone(UTC)
