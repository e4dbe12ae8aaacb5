"""Who refused: the cloud, or something on the way that speaks HTTP as well.

In:   an answer that is no success. Out: the cloud's own word on it, or None.
Firewalls, proxies, sign-in pages and gateways answer 400, 401, 403, 404, 410, 413 and 422 of their own accord, some in
JSON. None of them knows the codes of `config/cloud-api.yaml` or the id of the batch. Only what has both may cost a key
or a batch; all else means wait, and ends when whoever stands there lets requests pass again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from agent.net.answer import HttpAnswer

LARGEST_REFUSAL = 64 * 1024
KEY_REJECTED, LINK_ENDED, NO_LINK = "key-rejected", "link-ended", "no-link"
UNREADABLE, NOT_ACCEPTED, TOO_LARGE = "unreadable", "not-accepted", "too-large"
OTHER_BYTES, LOCATION_DIFFERS = "other-bytes", "location-differs"
CODES: Mapping[int, frozenset[str]] = {
    400: frozenset({UNREADABLE}),
    401: frozenset({KEY_REJECTED}),
    403: frozenset({KEY_REJECTED}),
    404: frozenset({NO_LINK}),
    409: frozenset({OTHER_BYTES, LOCATION_DIFFERS}),
    410: frozenset({LINK_ENDED}),
    413: frozenset({TOO_LARGE}),
    422: frozenset({NOT_ACCEPTED}),
}
ASK_WHO_RUNS_IT = (
    "Check cloud.endpoint and cloud.proxy in agent.toml, or ask who runs the proxy or firewall to let HTTPS to that "
    "address pass."
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The cloud's own refusal: one of CODES for its status, its words, and the batch that it speaks of."""

    code: str
    error: str
    batch_id: str = ""


def refusal_of(answer: HttpAnswer) -> Refusal | None:
    """The cloud's own refusal, or None when something else answered."""
    document = json_object(answer)
    if document is None:
        return None
    code, error, batch_id = document.get("code"), document.get("error"), document.get("batchId", "")
    if not isinstance(code, str) or not isinstance(error, str) or not isinstance(batch_id, str):
        return None
    return Refusal(code, error, batch_id) if code in CODES.get(answer.status, ()) else None


def json_object(answer: HttpAnswer) -> dict[str, object] | None:
    """The answer's JSON object, when it says that it is JSON and is."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or len(answer.body) > LARGEST_REFUSAL:
        return None
    try:
        document = json.loads(answer.body)
    # A few hundred kilobytes of brackets raise RecursionError and no ValueError.
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def stranger(status: int) -> str:
    """What to say of an answer that is not the cloud's."""
    return f"something between here and the cloud answered {status}, not the cloud"
