"""`link`, `link --show` and `unlink`: to whom this instance is linked, what a key is for, what was removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from agent.link.flow import BY_HAND
from agent.link.record import LinkRecord
from agent.model import ConsentLevel
from agent.runtime.linking import KeyFacts, Unlinked
from agent.views.render_json import TEXT_ONLY


@dataclass(frozen=True, slots=True)
class LinkView:
    """The link that was made; `key_expires_at` is null when the cloud named no end."""

    organisation: str
    link_id: str
    endpoint: str
    data_location: str
    key_fingerprint: str
    key_expires_at: datetime | None
    consent: ConsentLevel
    field_list_version: str


@dataclass(frozen=True, slots=True)
class LinkShowView:
    """What a pasted key is for; `link_id` is "" while nobody linked with it. Nothing was stored."""

    organisation: str
    link_id: str
    data_location: str
    key_expires_at: datetime | None
    limits: Mapping[str, int]
    key_fingerprint: str
    stored: Literal[False] = False


@dataclass(frozen=True, slots=True)
class UnlinkView:
    """What `unlink` did: null when the cloud was not told; false when it did not know the link any more."""

    revoked_in_cloud: bool | None
    removed: tuple[Path, ...]
    local: bool = field(metadata=TEXT_ONLY)


def link_view(record: LinkRecord) -> LinkView:
    """A link in force."""
    return LinkView(
        organisation=record.organisation,
        link_id=record.link_id,
        endpoint=record.endpoint,
        data_location=record.location,
        key_fingerprint=record.key_fingerprint,
        key_expires_at=record.key_expires_at,
        consent=record.consent.level,
        field_list_version=record.consent.field_list_version,
    )


def render_link(view: LinkView) -> str:
    """The text of `link`."""
    ends = view.key_expires_at
    return "\n".join(
        [
            f"Linked to {view.organisation or '(an organisation without a name)'} at {view.endpoint}.",
            f"  Consent: {view.consent}. Data location: {view.data_location or 'not named by the cloud'}.",
            f"  Key {view.key_fingerprint} ends " + (f"{ends:%Y-%m-%d %H:%M} UTC." if ends else "when the cloud says."),
            "What happens next: the service samples, closes each hour and pushes it; nothing needs to be restarted.",
            "  Look ahead: portfolio-agent preview.  See how it goes: portfolio-agent status.",
            "  Not your organisation? portfolio-agent unlink.  Now clear your clipboard.",
        ]
    )


def link_show_view(facts: KeyFacts) -> LinkShowView:
    """What the cloud says of a key."""
    answer = facts.answer
    return LinkShowView(
        organisation=answer.organisation,
        link_id=answer.link_id,
        data_location=answer.location,
        key_expires_at=answer.key_expires_at,
        limits=dict(answer.limits),
        key_fingerprint=facts.fingerprint,
    )


def render_link_show(view: LinkShowView) -> str:
    """The text of `link --show`."""
    rows: list[tuple[str, object]] = [
        ("organisation", view.organisation),
        ("linkId", view.link_id),
        ("dataLocation", view.data_location),
        ("keyExpiresAt", view.key_expires_at),
        ("limits", dict(view.limits)),
        ("keyFingerprint", view.key_fingerprint),
        ("stored", view.stored),
    ]
    lines = [f"{name:<16}{value if value not in (None, '') else '-'}" for name, value in rows]
    return "\n".join([*lines, "Nothing was stored. To link: portfolio-agent link"])


def unlink_view(done: Unlinked, *, local: bool) -> UnlinkView:
    """What `unlink` did."""
    return UnlinkView(done.known_to_cloud, done.removed, local)


def render_unlink(view: UnlinkView) -> str:
    """The text of `unlink`."""
    if view.local:
        first = f"The cloud was not told. {BY_HAND}"
    else:
        first = "Revoked in the cloud." if view.revoked_in_cloud else "The cloud did not know this link any more."
    return "\n".join(
        [
            first,
            *(f"Removed {path}" for path in view.removed),
            *([] if view.removed else ["There was nothing to remove here."]),
            "What waits to be sent is kept here and is not sent without a new link. Sampling goes on; "
            "bundles by hand hold Basic data: portfolio-agent bundle",
        ]
    )
