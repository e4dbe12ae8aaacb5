"""Invented records, identities and batches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from agent.batching import seal
from agent.model import (
    Batch,
    Consent,
    ConsentedRecord,
    ConsentLevel,
    EntryType,
    Hour,
    Identity,
    InstanceId,
    NodeId,
    Scalar,
)

START = datetime(2026, 11, 22, 19, tzinfo=UTC)
SEALED_AT = START + timedelta(hours=1, seconds=61)
IDENTITY = Identity(InstanceId("i-0a1b2c3d4e5f"), NodeId("n-4f1c9a"), "jira", "10.3.1")
BASIC = Consent(ConsentLevel.BASIC, "2026-11", START - timedelta(days=3))
EXTENDED = Consent(ConsentLevel.EXTENDED, "2026-11", START - timedelta(days=3))


def hour(number: int = 0) -> Hour:
    """The hour `number` hours after START."""
    return Hour(START + timedelta(hours=number))


def record(
    name: str = "jvm.memory.heap.used",
    at: datetime = START,
    attributes: Mapping[str, Scalar | Mapping[str, int]] | None = None,
    **tags: str,
) -> ConsentedRecord:
    """One consented record."""
    default: dict[str, Scalar | Mapping[str, int]] = {"min": 1, "max": 3.5, "samples": 30, "failed": {"timeout": 1}}
    figures = default if attributes is None else attributes
    return ConsentedRecord(name, EntryType.JMX_METRIC, at, figures, tags)


def batch(number: int = 0, *, consent: Consent = BASIC, entries: int = 3, revision: int = 0) -> Batch:
    """One sealed batch of the hour `number` hours after START."""
    records = [record(f"metric.{index:04d}", hour(number).start, node=f"n{index}") for index in range(entries)]
    (sealed,) = seal(records, IDENTITY, hour(number), revision, consent, "1.0.0", SEALED_AT)
    return sealed


def noisy(number: int, entries: int = 1500) -> Batch:
    """A batch that does not compress well: about 50 bytes an entry."""
    records = [
        record(f"metric.{index}", attributes={"noise": hashlib.sha256(f"{number}.{index}".encode()).hexdigest()})
        for index in range(entries)
    ]
    return seal(records, IDENTITY, hour(number), 0, BASIC, "1.0.0", SEALED_AT)[0]
