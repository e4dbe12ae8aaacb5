"""Which ticks of an hour may leave, and under which consent: at closing, however late that is.

In:   the consents of one unbroken stretch, oldest first: from the moment it was given after there was none (no link,
      or `consent set none`) to the one in force. Out: the consent an hour is sealed under, None when it stays here.
Rules: what was measured before the stretch began is not counted in anything that leaves. An hour is sealed at the
narrowest level that held while one of its counted ticks was taken, and never above the level in force now.
A consent holds from its mark on, the store's number when it was given: the instant it names is a label, and a clock
that was ahead or behind then would keep hours back for forty days, or let out what was measured before. Where no mark
is known (another node's consent, an older agent's) its instant is compared with the labels of the ticks.
A consent without its moment holds for all time: it is Basic without a link, or the word of a damaged link.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agent.model import Consent, ConsentLevel, Hour, Tick
from agent.store.consents import NO_MARKS, Marks, mark_of

EVER = datetime.min.replace(tzinfo=UTC)
NARROW_FIRST = (ConsentLevel.NONE, ConsentLevel.BASIC, ConsentLevel.EXTENDED)


@dataclass(frozen=True, slots=True)
class MeasuredHour:
    """A closed hour whose ticks are not known any more: all of them came after tick `after`, the last is `last`."""

    hour: Hour
    after: int = 0
    last: int = 0


def is_covered(consents: Sequence[Consent], instant: datetime) -> bool:
    """Whether consent has held without a break since `instant`, by the instants the consents name."""
    return _is_in_force(consents) and _from(consents[0]) <= instant


def covered(consents: Sequence[Consent], ticks: Iterable[Tick], marks: Marks = NO_MARKS) -> list[Tick]:
    """The ticks that consent has held since."""
    return [tick for tick in ticks if _is_in_force(consents) and _held(consents[0], tick, marks)]


def consent_of(consents: Sequence[Consent], ticks: Iterable[Tick], marks: Marks = NO_MARKS) -> Consent | None:
    """The consent that what these ticks hold may leave under; None when none of them is covered."""
    counted = covered(consents, ticks, marks)
    if not counted:
        return None
    newest = [_newest([_held(consent, tick, marks) for consent in consents]) for tick in counted]
    return _narrowest(consents, min(newest), max(newest))


def consent_throughout(consents: Sequence[Consent], item: MeasuredHour, marks: Marks = NO_MARKS) -> Consent | None:
    """The consent that the whole of an hour may leave under, where its ticks are not known any more."""
    at_start = [_held_before(consent, item, marks) for consent in consents]
    if not _is_in_force(consents) or not at_start[0]:
        return None
    at_end = [_held_at_end(consent, item, marks) for consent in consents]
    return _narrowest(consents, _newest(at_start), _newest(at_end))


def _is_in_force(consents: Sequence[Consent]) -> bool:
    return bool(consents) and consents[-1].level is not ConsentLevel.NONE


def _held(consent: Consent, tick: Tick, marks: Marks) -> bool:
    mark = mark_of(marks, consent)
    return _from(consent) <= tick.taken_at if mark is None else mark.is_before(tick)


def _held_before(consent: Consent, item: MeasuredHour, marks: Marks) -> bool:
    mark = mark_of(marks, consent)
    return _from(consent) <= item.hour.start if mark is None else mark.tick <= item.after


def _held_at_end(consent: Consent, item: MeasuredHour, marks: Marks) -> bool:
    mark = mark_of(marks, consent)
    return _from(consent) <= item.hour.end - timedelta(microseconds=1) if mark is None else mark.tick < item.last


def _newest(held: Sequence[bool]) -> int:
    """Which consent was in force: the newest that held."""
    return max((number for number, is_held in enumerate(held) if is_held), default=0)


def _narrowest(consents: Sequence[Consent], first: int, last: int) -> Consent:
    """The narrowest from number `first` to number `last`, or the one in force now; of equal ones the newest."""
    later = [*map(_from, consents[1:]), None]
    # One that was replaced the instant it began held for nothing.
    # In doubt the narrower: who agreed to Extended at half past did not mean what was measured before. And never more
    # than holds now, so that a lowered consent reaches hours that were measured before it.
    held = [consents[at] for at in range(first, last + 1) if at == last or _from(consents[at]) != later[at]]
    return min([consents[-1], *reversed(held)], key=lambda consent: NARROW_FIRST.index(consent.level))


def _from(consent: Consent) -> datetime:
    return EVER if consent.granted_at is None else consent.granted_at
