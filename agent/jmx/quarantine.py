"""Beans and attributes that are not asked for, because asking broke a reply or took too long; retried hourly.

One value that cannot be serialized spoils the whole reply of its bean and costs a connection (wire note, section 9).
"""

from __future__ import annotations

from typing import NamedTuple

from agent.jmx.model import ReadFailure

RETRY_AFTER_S = 3600.0
# The names are the server's: without a bound they could fill our memory.
MAX_ENTRIES = 10_000
Key = tuple[str, str]  # bean, attribute; no attribute means the whole bean


class _QuarantinedRead(NamedTuple):
    reason: str
    detail: str
    until: float


class Quarantine:
    """Keeps names with the reason and the moment of the next try."""

    def __init__(self) -> None:
        self._entries: dict[Key, _QuarantinedRead] = {}
        self._fresh: list[Key] = []

    def __contains__(self, key: Key) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, bean: str, attribute: str, reason: str, detail: str, now: float) -> None:
        """Leave a bean or attribute alone for an hour; beyond the limit the oldest is let go."""
        while len(self._entries) >= MAX_ENTRIES:
            del self._entries[next(iter(self._entries))]
        self._entries[bean, attribute] = _QuarantinedRead(reason, detail, now + RETRY_AFTER_S)
        self._fresh.append((bean, attribute))

    def take_back(self) -> list[Key]:
        """Take out and return what was added since the last `release`: that sample was not used after all."""
        return [key for key in self._fresh if self._entries.pop(key, None) is not None]

    def release(self, now: float) -> list[Key]:
        """Take out and return what may be tried again; a sample begins."""
        self._fresh.clear()
        ripe = [key for key, entry in self._entries.items() if entry.until <= now]
        for key in ripe:
            del self._entries[key]
        return ripe

    def keep_only(self, beans: dict[str, object]) -> None:
        """Forget beans that are not read any more."""
        self._entries = {key: entry for key, entry in self._entries.items() if key[0] in beans}

    def listed(self) -> tuple[ReadFailure, ...]:
        """Return what is left alone, with the reason."""
        return tuple(
            ReadFailure(bean, attribute, entry.reason, entry.detail, left_alone=True)
            for (bean, attribute), entry in self._entries.items()
        )
