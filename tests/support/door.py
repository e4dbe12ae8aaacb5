"""All that the door lets through of some hourly rows, and what it kept, in one go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.catalog import Catalog
from agent.consent import Door, Pseudonyms, Rules
from agent.model import Consent, ConsentedRecord, HourlyAggregate, Withheld


@dataclass(frozen=True)
class Passed:
    """The records in the order of their rows, and each distinct field that stayed."""

    records: tuple[ConsentedRecord, ...]
    withheld: tuple[Withheld, ...]


def consented(
    aggregates: Iterable[HourlyAggregate], catalog: Catalog, consent: Consent, pseudonyms: Pseudonyms
) -> Passed:
    """What of `aggregates` leaves under `consent`."""
    door = Door(Rules(catalog, consent.level, pseudonyms))
    records = tuple(door.records(aggregate.row for aggregate in aggregates))
    return Passed(records, door.withheld)
