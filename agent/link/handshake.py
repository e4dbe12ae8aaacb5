"""The three calls about a link: make it, look at it, end it.

In:  a `CloudClient` (TLS, proxy and deadlines are its business) and the key.
Out: a `LinkAnswer`. The answer is untrusted: size, types, lengths and characters are checked, unknown fields dropped.
Only the cloud's own refusal (`agent.net.refusal`) says that a key is bad or a link is gone.
It can tell who we are linked to and until when; it cannot change consent, endpoint, intervals or code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from agent.errors import ConfigError, KeyRejected, NotDelivering, PushDeferred
from agent.link.answer_text import said
from agent.model import Consent
from agent.net.answer import HttpAnswer
from agent.net.cloud import CloudClient
from agent.net.refusal import (
    ASK_WHO_RUNS_IT,
    KEY_REJECTED,
    LINK_ENDED,
    LOCATION_DIFFERS,
    NO_LINK,
    json_object,
    refusal_of,
    stranger,
)
from agent.settings import Secret

PATH = "/v1/link"
ANSWER_LIMIT = 64 * 1024
TEXT_LIMIT = 200
LONGEST_WAIT_S = 86_400.0
LATEST_EXPIRY = timedelta(days=3660)
# The limits we know what to do with, and the largest value that makes sense for each.
KNOWN_LIMITS: Mapping[str, int] = {"maxBatchBytes": 1 << 30, "maxBatchesPerHour": 1_000_000}
JSON_HEADERS: Mapping[str, str] = {"Content-Type": "application/json", "Accept": "application/json"}
NEW_KEY = "Make a new key in the cloud (Add Data Center, or regenerate it) and run: portfolio-agent link"


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """All that linking tells the cloud. `server_id_hash` is a keyed hash; the server ID itself never leaves here."""

    instance_id: str
    product_type: str
    product_version: str
    agent_version: str
    consent: Consent
    location: str | None = None
    server_id_hash: str | None = None

    def body(self) -> bytes:
        """The exact bytes of the request."""
        granted_at = self.consent.granted_at
        document = {
            "instanceId": self.instance_id,
            "serverIdHash": self.server_id_hash,
            "product": {"type": self.product_type, "version": self.product_version},
            "agentVersion": self.agent_version,
            "consent": {
                "level": self.consent.level.value,
                "fieldListVersion": self.consent.field_list_version,
                "grantedAt": granted_at and _rendered(granted_at),
            },
            "dataLocation": self.location,
        }
        fields = {name: value for name, value in document.items() if value is not None}
        return json.dumps(fields, separators=(",", ":"), sort_keys=True, allow_nan=False).encode("utf-8")


@dataclass(frozen=True, slots=True)
class LinkAnswer:
    """Who the key links us to, and until when. `link_id` is empty when asked about a key that is not in use yet."""

    link_id: str
    organisation: str
    key_expires_at: datetime | None
    location: str
    limits: Mapping[str, int]


def link_instance(client: CloudClient, key: Secret, request: LinkRequest, now: datetime) -> LinkAnswer:
    """Present the key and what was agreed; the cloud's word on it.

    Raises KeyRejected, ConfigError (data location differs), PushDeferred (try again later) or NotDelivering.
    """
    answer = client.request("POST", PATH, key=key, body=request.body(), headers=JSON_HEADERS)
    if (refusal := refusal_of(answer)) is not None and refusal.code == LOCATION_DIFFERS:
        raise _location_refusal(request.location, said(answer, key))
    if answer.status not in (200, 201):
        raise _refusal("The cloud did not link this instance.", answer, key)
    result = _parse(answer, key)
    if not result.link_id:
        raise _unclear(answer, key)
    _check_expiry(result, answer, now)
    if request.location is not None and result.location != request.location:
        # The cloud agreed to something else than was asked: end the link it just made, then refuse.
        unlink_instance(client, key)
        raise _location_refusal(request.location, f"the cloud would keep it in {result.location or 'no named place'!r}")
    return result


def look_at_link(client: CloudClient, key: Secret) -> LinkAnswer:
    """What the cloud says about a key; nothing about this instance is told. Raises as `link_instance`."""
    answer = client.request("GET", PATH, key=key, body=None, headers={"Accept": "application/json"})
    if answer.status != 200:
        raise _refusal("The cloud did not say what this key is for.", answer, key)
    return _parse(answer, key)


def unlink_instance(client: CloudClient, key: Secret) -> bool:
    """End the link in the cloud: True when it ended now, False when the cloud knew no such link or key any more.

    Raises PushDeferred or NotDelivering when the cloud did not confirm either.
    """
    answer = client.request("DELETE", PATH, key=key, body=None, headers={"Accept": "application/json"})
    # A sign-in page answers 200 to everything, and the key would stay valid over there.
    if answer.status == 200 and (json_object(answer) or {}).get("state") == "unlinked":
        return True
    refusal = refusal_of(answer)
    # The cloud does not know the link any more, which is what was wanted.
    if refusal is not None and refusal.code in (KEY_REJECTED, LINK_ENDED, NO_LINK):
        return False
    raise _refusal("The cloud did not end the link.", answer, key)


def _parse(answer: HttpAnswer, key: Secret) -> LinkAnswer:
    if len(answer.body) > ANSWER_LIMIT:
        raise _unclear(answer, key)
    try:
        document = json.loads(answer.body)
        if not isinstance(document, dict):
            raise ValueError("not an object")
        # Other JSON is somebody else's: none of these may be missing, though a link's id may be empty.
        if not all(isinstance(document.get(name), str) for name in ("linkId", "organisation", "dataLocation")):
            raise ValueError("not a link")
        limits = document.get("limits") or {}
        return LinkAnswer(
            link_id=_text(document.get("linkId")),
            organisation=_text(document.get("organisation")),
            key_expires_at=_instant(document.get("keyExpiresAt")),
            location=_text(document.get("dataLocation")),
            # By our own list: what the cloud adds of its own accord has no meaning here.
            limits={name: limits[name] for name, top in KNOWN_LIMITS.items() if _fits(limits.get(name), top)},
        )
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        # `from None`: the decoder's exception carries the whole answer, which may repeat the key.
        raise _unclear(answer, key) from None


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > TEXT_LIMIT or not value.isprintable():
        raise ValueError("not a short printable text")
    return value


def _instant(value: Any) -> datetime | None:
    if value is None:
        return None
    instant = datetime.fromisoformat(_text(value))
    if instant.tzinfo is None:
        raise ValueError("an instant without its zone")
    return instant.astimezone(UTC)


def _fits(value: Any, top: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= top


def _check_expiry(result: LinkAnswer, answer: HttpAnswer, now: datetime) -> None:
    ends = result.key_expires_at
    if ends is None or now < ends <= now + LATEST_EXPIRY:
        return
    cloud_time = _date_of(answer)
    why = f"It ends at {_rendered(ends)}; the clock of this host says {_rendered(now)}"
    why += f", the cloud's says {_rendered(cloud_time)}." if cloud_time else "."
    # No KeyRejected: a clock of ours that is wrong must not cost the key, which is shown once.
    raise NotDelivering(
        "The cloud took the key, but by this host's clock it is no key that can be used.",
        why=why,
        do=f"Check the clock first: timedatectl status. If it is right: {NEW_KEY}",
    )


def _date_of(answer: HttpAnswer) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return None


def _refusal(what: str, answer: HttpAnswer, key: Secret) -> KeyRejected | NotDelivering:
    heard = said(answer, key)
    why = f"It answered {answer.status}" + (f": {heard}" if heard else ".")
    refusal = refusal_of(answer)
    if refusal is not None and refusal.code in (KEY_REJECTED, LINK_ENDED):
        return KeyRejected(what, why=f"{why} The key is wrong, has ended or was withdrawn.", do=NEW_KEY)
    if answer.status in (408, 425, 429) or answer.status >= 500:
        return PushDeferred(
            what,
            why=why,
            do="Nothing is lost; try again later.",
            wait_s=_wait_of(answer),
        )
    if refusal is None:
        words = stranger(answer.status)
        why = f"{words[0].upper()}{words[1:]}" + (f"; it said: {heard}" if heard else ".")
        return NotDelivering(what, why=why, do=ASK_WHO_RUNS_IT)
    return NotDelivering(
        what, why=why, do="See whether [cloud] endpoint in agent.toml is right: portfolio-agent config check"
    )


def _wait_of(answer: HttpAnswer) -> float | None:
    text = answer.headers.get("retry-after", "").strip()
    return min(float(text), LONGEST_WAIT_S) if text.isascii() and text.isdigit() and len(text) < 9 else None


def _location_refusal(wanted: str | None, heard: str) -> ConfigError:
    return ConfigError(
        f"The data location differs; this instance was not linked (asked for: {wanted or 'none'}).",
        why=f"Figures may only go where you said: {heard}" if heard else "The organisation keeps its data elsewhere.",
        do="Set [cloud] location in agent.toml to the organisation's location, or have the organisation's location "
        "changed (Data management > Data residency), then run: portfolio-agent link --resume",
    )


def _unclear(answer: HttpAnswer, key: Secret) -> NotDelivering:
    return NotDelivering(
        f"The cloud's answer to the link cannot be understood (status {answer.status}, {len(answer.body):,} bytes).",
        why=said(answer, key) or "It is empty.",
        do="See whether [cloud] endpoint in agent.toml is right and no proxy answers instead of the cloud.",
    )


def _rendered(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
