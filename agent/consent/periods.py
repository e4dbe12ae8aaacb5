"""Which ticks of an hour may leave, and under which consent: at closing, however late that is.

In:   the consents of one unbroken stretch, oldest first: from the moment it was given after there was none (no link,
      or `consent set none`) to the one in force. Out: the consent an hour is sealed under, None when it stays here.
Rules: what was measured before the stretch began is not counted in anything that leaves. An hour is sealed at the
narrowest level that held while one of its counted ticks was taken, and never above the level in force now.
A consent without its moment holds for all time: it is Basic without a link, or the word of a damaged link.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from agent.model import Consent, ConsentLevel, Hour, Tick

EVER = datetime.min.replace(tzinfo=UTC)
NARROW_FIRST = (ConsentLevel.NONE, ConsentLevel.BASIC, ConsentLevel.EXTENDED)


def is_covered(consents: Sequence[Consent], instant: datetime) -> bool:
    """Whether consent has held without a break since `instant`."""
    return bool(consents) and consents[-1].level is not ConsentLevel.NONE and _from(consents[0]) <= instant


def covered(consents: Sequence[Consent], ticks: Iterable[Tick]) -> list[Tick]:
    """The ticks that consent has held since."""
    return [tick for tick in ticks if is_covered(consents, tick.taken_at)]


def consent_of(consents: Sequence[Consent], ticks: Iterable[Tick]) -> Consent | None:
    """The consent that what these ticks hold may leave under; None when none of them is covered."""
    instants = [tick.taken_at for tick in covered(consents, ticks)]
    return _narrowest(consents, min(instants), max(instants)) if instants else None


def consent_throughout(consents: Sequence[Consent], hour: Hour) -> Consent | None:
    """The consent that the whole of `hour` may leave under, where its ticks are not known any more."""
    if not is_covered(consents, hour.start):
        return None
    return _narrowest(consents, hour.start, hour.end - timedelta(microseconds=1))


def _narrowest(consents: Sequence[Consent], first: datetime, last: datetime) -> Consent:
    """The narrowest that held from `first` to `last`, or holds now; of equal ones the newest."""
    ends = [_from(later) for later in consents[1:]]
    held = [given for given, end in zip(consents, ends, strict=False) if _from(given) <= last and end > first]
    # In doubt the narrower: who agreed to Extended at half past did not mean what was measured before. And never more
    # than holds now, so that a lowered consent reaches hours that were measured before it.
    return min([consents[-1], *reversed(held)], key=lambda consent: NARROW_FIRST.index(consent.level))


def _from(consent: Consent) -> datetime:
    return EVER if consent.granted_at is None else consent.granted_at
