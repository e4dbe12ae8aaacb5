"""What would leave, before anything does: the exact documents of the newest closed hour, linked or not.

A sealed hour is shown from its stored bytes; an hour that is not sealed is filtered and sealed in memory only.
Nothing is stored, nothing is sent, no connection is made.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.batching import document_bytes, open_document
from agent.consent.periods import consent_throughout
from agent.errors import Degraded
from agent.model import Batch, ConsentLevel, Hour, Withheld
from agent.runtime.pipeline import Pipeline, open_pipeline
from agent.settings import Settings
from agent.store import outbox
from agent.store.hours import ClosedHour, aggregates_of, closed_hours

WOULD_BE = "would be sent"
STAYS = "not sent: measured before consent"


@dataclass(frozen=True, slots=True)
class Shown:
    """One batch and what is or would be done with it: a state of the outbox, `would be sent`, or why not."""

    batch: Batch
    state: str

    @property
    def document(self) -> bytes:
        """The bytes the receiver unpacks."""
        return document_bytes(self.batch.body)


@dataclass(frozen=True, slots=True)
class Preview:
    """The batches of one hour under one consent level, and the fields that consent keeps here, with the rule."""

    hour: Hour
    revision: int
    level: ConsentLevel
    shown: tuple[Shown, ...]
    withheld: tuple[Withheld, ...]

    def to_json(self) -> dict[str, Any]:
        """The same for scripts."""
        return {
            "window": {"start": self.hour.start, "end": self.hour.end, "revision": self.revision},
            "level": self.level.value,
            "withheld": [{"metric": item.metric, "field": item.field, "rule": item.rule} for item in self.withheld],
            "batches": [
                {
                    "batchId": item.batch.id,
                    "state": item.state,
                    "sha256": item.batch.sha256,
                    "sizeBytes": len(item.batch.body),
                    "document": open_document(item.batch.body),
                }
                for item in self.shown
            ],
        }

    def summary(self) -> Iterator[str]:
        """For a person, one line a batch."""
        for item in self.shown:
            yield (
                f"batch {item.batch.id}: {item.state}; consent {self.level}; "
                f"hour {self.hour.start:%Y-%m-%d %H:%M} UTC, revision {self.revision}; {item.batch.entries} entries, "
                f"{len(item.document):,} bytes of JSON, {len(item.batch.body):,} sent; sha256 {item.batch.sha256}"
            )
        yield f"{len(self.withheld)} fields stay here under consent {self.level}:"
        for kept in self.withheld:
            yield f"  {kept.metric}, {kept.field}: {kept.rule}"


def read_preview(settings: Settings, now: datetime, level: ConsentLevel | None = None) -> Preview:
    """The newest closed hour as it leaves under the consent in force (Basic without a link), or under `level`.

    Raises Degraded when no hour is closed yet.
    """
    with open_pipeline(settings, read_only=True) as pipeline:
        return _preview(pipeline, _newest(pipeline), now, level)


def read_difference(settings: Settings, now: datetime) -> tuple[str, ...]:
    """What Extended adds to Basic in the newest closed hour: lines of a unified diff, one entry a line."""
    with open_pipeline(settings, read_only=True) as pipeline:
        closed = _newest(pipeline)
        basic, extended = (
            _entry_lines(_build(pipeline, closed, now, level)) for level in (ConsentLevel.BASIC, ConsentLevel.EXTENDED)
        )
    return tuple(difflib.unified_diff(basic, extended, "basic", "extended", n=0, lineterm=""))


def _newest(pipeline: Pipeline) -> ClosedHour:
    hours = closed_hours(pipeline.store)
    if not hours:
        raise Degraded(
            "There is no hour to preview yet.",
            why="No hour has been closed; the first one closes a minute after its end.",
            do="See what one tick would send: portfolio-agent sample",
        )
    return hours[-1]


def _preview(pipeline: Pipeline, closed: ClosedHour, now: datetime, level: ConsentLevel | None) -> Preview:
    in_force = pipeline.consent_or_basic().level
    shown = _stored(pipeline, closed) if level in (None, in_force) else ()
    if not shown:
        linked = pipeline.consent is not None and level in (None, in_force)
        stays = linked and consent_throughout(pipeline.consents, closed.hour) is None
        shown = tuple(Shown(batch, STAYS if stays else WOULD_BE) for batch in _build(pipeline, closed, now, level))
    aggregates = aggregates_of(pipeline.store, closed.hour, closed.revision)
    door = pipeline.door(level)
    for _ in door.records(row.row for row in aggregates):
        pass  # only what stays is wanted here
    return Preview(closed.hour, closed.revision, level or in_force, shown, door.withheld)


def _stored(pipeline: Pipeline, closed: ClosedHour) -> tuple[Shown, ...]:
    found = []
    for row in outbox.rows(pipeline.store, since=closed.hour.start):
        batch = outbox.load(pipeline.store, row.id)
        if (row.hour, row.revision) == (closed.hour, closed.revision) and batch is not None:
            found.append(Shown(batch, row.state.value))
    return tuple(found)


def _build(pipeline: Pipeline, closed: ClosedHour, now: datetime, level: ConsentLevel | None) -> list[Batch]:
    aggregates = aggregates_of(pipeline.store, closed.hour, closed.revision)
    return pipeline.batches(closed.hour, closed.revision, aggregates, now, level)


def _entry_lines(batches: list[Batch]) -> list[str]:
    lines = [line for batch in batches for line in document_bytes(batch.body).decode("utf-8").split("\n")[1:-2]]
    return [line.removesuffix(",") for line in lines]
