"""Consent was lowered: what waits above the new level is filtered again under new ids, or purged.

In:   the outbox, the present consent, and a callback that filters and seals an hour again under it.
Out:  no body on disk that the present consent does not allow, freed pages and write-ahead log included.
A consent that was widened changes nothing: what was sealed under less may still leave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agent.model import Batch, Consent, ConsentLevel, Hour
from agent.store import Store, outbox
from agent.store.outbox import BatchRow, BatchState

Rebuild = Callable[[Hour, int], list[Batch]]


@dataclass(frozen=True, slots=True)
class Resealed:
    """What became of the batches above the present level: newly sealed, and gone for good."""

    replaced: int = 0
    sealed: int = 0
    purged: int = 0


def reseal(store: Store, rebuild: Rebuild, consent: Consent, at: datetime) -> Resealed:
    """Replace every body sealed above `consent.level`; must have run before anything is pushed or bundled.

    `rebuild` gives the batches of one revision of one hour under the present consent, or none when its figures are
    no longer stored: then the hour is purged. Delivered bodies are purged too: they only waited for a bundle.
    Each hour changes in one transaction, so a crash leaves it either old or new.
    """
    above = [row for row in _with_body(store) if not _allowed(row.level, consent.level)]
    replaced = sealed = purged = 0
    for hour, revision in sorted({(row.hour, row.revision) for row in above}, key=lambda key: (key[0].start, key[1])):
        old = [row for row in above if (row.hour, row.revision) == (hour, revision)]
        unsent = any(row.state is BatchState.WAITING for row in old)
        # Filtered and sealed before the transaction: it holds the write lock, and the daemon has a tick to store.
        fresh = rebuild(hour, revision) if unsent and consent.level is not ConsentLevel.NONE else []
        with store.transaction() as connection:
            for row in old:
                outbox.replace(connection, row.id, f"consent is {consent.level.value} now", at)
            for batch in fresh:
                outbox.put(connection, batch)
        replaced += len(old)
        sealed += len(fresh)
        purged += 0 if fresh else len(old)
    # After the last transaction, since until then the old bodies are still in the write-ahead log.
    if above:
        store.scrub()
    return Resealed(replaced, sealed, purged)


def _allowed(sealed_under: ConsentLevel, present: ConsentLevel) -> bool:
    return present.allows(sealed_under)


def _with_body(store: Store) -> list[BatchRow]:
    with_body = outbox.with_body(store)
    return [row for row in outbox.rows(store) if row.id in with_body]
