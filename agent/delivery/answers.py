"""What an answer to a batch means: the table that push obeys and the tests read.

An answer can only mean: got it, wait, split, set aside, stop. Only a complete answer that names the batch's own id
and hash removes it from the outbox; only the receiver's own refusal, which names a code and the batch, says that a key
or a batch is bad. Everything else, whoever sent it, means wait, and the batch is kept.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from agent.errors import AgentError, BatchRefused, KeyRejected, PushDeferred
from agent.log import printable
from agent.model import Batch
from agent.net.answer import HttpAnswer
from agent.net.refusal import ASK_WHO_RUNS_IT, refusal_of, stranger
from agent.settings import Secret

LONGEST_RETRY_AFTER_S = 3600.0
LONGEST_EXCERPT = 200
LONGEST_READ = 8192  # well beyond the longest key, so that no cut leaves half of one


class Action(StrEnum):
    """What push does with a batch after an answer."""

    ACKNOWLEDGE = "acknowledge"
    WAIT = "wait"
    SPLIT = "split"
    REFUSE = "refuse"
    SET_ASIDE = "set-aside"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class AnswerMeaning:
    """The action, what to tell a person, and how long the receiver wants to be left alone."""

    action: Action
    why: str
    do: str = ""
    wait_s: float | None = None


_NEW_KEY = "Make a new security key in the cloud console, then run: portfolio-agent link"
_ADDRESS = "Check cloud.endpoint: this address does not take batches."
_LATER = "Nothing: it is tried again."
_REPORT = "It is set aside after three refusals; report it with the output of: portfolio-agent status"

_CLONE = "Two agents may share one identity (a cloned machine?); see: portfolio-agent status"
_GOES_ON = f"{ASK_WHO_RUNS_IT} It goes on by itself then."

# status -> what it means when the receiver itself says it. A status that is not listed: WAIT.
ACTIONS: dict[int, tuple[Action, str, str]] = {
    400: (Action.REFUSE, "the receiver cannot read this batch", _REPORT),
    401: (Action.HOLD, "the receiver does not accept the security key", _NEW_KEY),
    403: (Action.HOLD, "the security key may not deliver", _NEW_KEY),
    404: (Action.WAIT, "the address is unknown there", _ADDRESS),
    405: (Action.WAIT, "the address does not take batches", _ADDRESS),
    407: (Action.WAIT, "a proxy wants a login", "Set cloud.proxy and cloud.proxy_password_file."),
    408: (Action.WAIT, "the receiver gave up waiting for the request", _LATER),
    409: (Action.SET_ASIDE, "the receiver holds other bytes under this id", _CLONE),
    410: (Action.HOLD, "the link was ended in the cloud", _NEW_KEY),
    413: (Action.SPLIT, "the batch is too large for the receiver", _LATER),
    415: (Action.WAIT, "the receiver does not take this content type", _ADDRESS),
    418: (Action.WAIT, "what answers is not the receiver", _GOES_ON),
    422: (Action.REFUSE, "the receiver does not accept what this batch says", _REPORT),
    429: (Action.WAIT, "the receiver asks to slow down", _LATER),
    500: (Action.WAIT, "the receiver has a fault", _LATER),
    502: (Action.WAIT, "a gateway before the receiver has a fault", _LATER),
    503: (Action.WAIT, "the receiver is not available", _LATER),
    504: (Action.WAIT, "a gateway before the receiver got no answer", _LATER),
}


def judge(answer: HttpAnswer, batch: Batch, now: datetime) -> AnswerMeaning:
    """What `answer` means for `batch`."""
    wait_s = retry_after_s(answer.headers.get("retry-after"), now)
    refusal = refusal_of(answer)
    own = refusal is not None and refusal.batch_id == batch.id
    # A status alone proves nothing: a captive portal answers 200 to everything, and a proxy may have kept the body.
    if answer.status in (200, 201, 202):
        if proves(answer.body, batch):
            return AnswerMeaning(Action.ACKNOWLEDGE, f"{answer.status} acknowledged")
        return AnswerMeaning(
            Action.WAIT,
            f"{answer.status} without this batch's id and hash is no acknowledgement: {stranger(answer.status)}",
            _GOES_ON,
            wait_s,
        )
    # A conflict that names our id and hash is good news: an earlier try arrived and only its answer was lost.
    if answer.status == 409 and proves(answer.body, batch):
        return AnswerMeaning(Action.ACKNOWLEDGE, "409 the receiver had it already")
    if 300 <= answer.status < 400:
        return AnswerMeaning(Action.WAIT, f"{answer.status} a redirect is never followed", _ADDRESS, wait_s)
    known = ACTIONS.get(answer.status)
    if known is None or (known[0] is not Action.WAIT and not own):
        return AnswerMeaning(Action.WAIT, stranger(answer.status), _GOES_ON, wait_s)
    action, why, do = known
    return AnswerMeaning(action, f"{answer.status} {why}", do, wait_s)


def problem_of(batch: Batch, meaning: AnswerMeaning) -> AgentError:
    """The error whose type says what happens next."""
    if meaning.action is Action.WAIT:
        return PushDeferred(f"Batch {batch.id} waits on.", why=meaning.why, do=meaning.do, wait_s=meaning.wait_s)
    if meaning.action is Action.HOLD:
        return KeyRejected("Nothing is delivered.", why=meaning.why, do=meaning.do)
    return BatchRefused(f"Batch {batch.id} was not taken.", why=meaning.why, do=meaning.do)


def proves(body: bytes, batch: Batch) -> bool:
    """Whether an answer's body names this batch's own id and the hash of its bytes."""
    return _named(body) == (batch.id, batch.sha256)


def _named(body: bytes) -> tuple[str, str] | None:
    try:
        answer = json.loads(body)
    # A few hundred kilobytes of brackets raise RecursionError and no ValueError.
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    batch_id, digest = answer.get("batchId"), answer.get("sha256")
    if not isinstance(batch_id, str):
        return None
    return batch_id, digest if isinstance(digest, str) else ""


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds a Retry-After header asks for, in either form, between 0 and one hour; None when it says nothing."""
    if value is None:
        return None
    text = value.strip()
    try:
        seconds = float(text) if text.isascii() and text.isdigit() else None
        if seconds is None:
            at = parsedate_to_datetime(text)
            seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    if not math.isfinite(seconds):
        return LONGEST_RETRY_AFTER_S
    # At most an hour: a date written under a wrong clock, or a slip of ten years, must not silence a site.
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def said(body: bytes, key: Secret) -> str:
    """The start of an untrusted body, safe to show: at most 200 characters on one line, without the key."""
    # The key is taken out before the text is cut: of a key that the cut goes through, half would stay and match
    # nothing.
    text = body[:LONGEST_READ].decode("utf-8", "replace").replace(key.reveal(), "[redacted]")
    return printable(" ".join(text.split()))[:LONGEST_EXCERPT]
