"""What would leave, before anything does: the exact documents of the newest closed hour, or of the open one so far.

In:   the store, opened read-only. Out: `PreviewView`, or `DifferenceView` for what Extended adds.
A sealed hour is shown from its stored bytes; an hour that is not sealed is filtered and sealed in memory only.
Nothing is stored, nothing is sent, no connection is made.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from agent.batching import document_bytes
from agent.errors import Degraded
from agent.model import Batch, ConsentLevel, HourlyAggregate, Withheld
from agent.runtime.hourly.close import measure
from agent.runtime.pipeline import Pipeline, open_pipeline
from agent.settings import Settings
from agent.store import outbox
from agent.store.database import FILE_NAME
from agent.store.hours import ClosedHour, aggregates_of, closed_hours, uncounted
from agent.store.ticks import newest_tick
from agent.views.render_json import JsonText

STARTED = "Start it: systemctl start portfolio-agent   or see what one tick would send: portfolio-agent sample"
WOULD_BE = "would be sent"
STAYS = "not sent: measured before consent"
SO_FAR = "would be sent if its hour ended now"


@dataclass(frozen=True, slots=True)
class PreviewWindow:
    """The hour that is shown: [start, end), and how often it was corrected."""

    start: datetime
    end: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class PreviewBatch:
    """One batch and what is or would be done with it: a state of the outbox, `would be sent`, or why not.

    `sha256` and `size_bytes` are of the packed body; `document` is what the receiver unpacks from it, byte for byte.
    """

    batch_id: str
    state: str
    sha256: str
    size_bytes: int
    entries: int
    document: JsonText


@dataclass(frozen=True, slots=True)
class PreviewView:
    """The batches of one hour under one consent level, and the fields that consent keeps here, with the rule."""

    window: PreviewWindow
    level: ConsentLevel
    withheld: tuple[Withheld, ...]
    batches: tuple[PreviewBatch, ...]


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """What Extended adds to Basic: lines of a unified diff, one entry a line."""

    diff: tuple[str, ...]


def read_preview(
    settings: Settings, now: datetime, level: ConsentLevel | None = None, *, so_far: bool = False
) -> PreviewView:
    """The newest closed hour as it leaves under the consent in force (Basic without a link), or under `level`.

    `so_far`: the hour that is not closed yet, from the ticks it has. Raises Degraded when there is no such hour.
    """
    with _opened(settings) as pipeline:
        return _so_far(pipeline, now, level) if so_far else _preview(pipeline, _newest(pipeline), now, level)


def read_difference(settings: Settings, now: datetime) -> DifferenceView:
    """What Extended adds to Basic in the newest closed hour. Raises Degraded when no hour is closed yet."""
    with _opened(settings) as pipeline:
        closed = _newest(pipeline)
        basic, extended = (
            _entry_lines(_build(pipeline, closed, now, level)) for level in (ConsentLevel.BASIC, ConsentLevel.EXTENDED)
        )
    return DifferenceView(tuple(difflib.unified_diff(basic, extended, "basic", "extended", n=0, lineterm="")))


@contextmanager
def _opened(settings: Settings) -> Iterator[Pipeline]:
    if not (settings.agent.state_dir / FILE_NAME).exists():
        raise _nothing_yet("Nothing has been measured: there is no store yet.", STARTED)
    with open_pipeline(settings, read_only=True) as pipeline:
        yield pipeline


def _nothing_yet(why: str, do: str) -> Degraded:
    return Degraded("There is no hour to preview yet.", why=why, do=do)


def _newest(pipeline: Pipeline) -> ClosedHour:
    hours = closed_hours(pipeline.store)
    if hours:
        return hours[-1]
    if newest_tick(pipeline.store) is None:
        raise _nothing_yet("Nothing has been measured: no tick is stored.", STARTED)
    raise _nothing_yet(
        "No hour has been closed; the first one closes a minute after its end.",
        "See the hour as it is so far: portfolio-agent preview --now",
    )


def _so_far(pipeline: Pipeline, now: datetime, level: ConsentLevel | None) -> PreviewView:
    """The newest hour with ticks that no closed hour has counted, as if it ended now; nothing is sealed or stored."""
    hours = uncounted(pipeline.store, pipeline.settings.hour.length_s).hours
    if not hours:
        if closed_hours(pipeline.store):
            raise _nothing_yet(
                "Every tick is in a closed hour; the next tick opens another.",
                "See the newest closed hour: portfolio-agent preview",
            )
        raise _nothing_yet("Nothing has been measured: no tick is stored.", STARTED)
    item = hours[-1]
    content = measure(pipeline, item, now)
    in_force = pipeline.consent_or_basic().level
    under = content.consent if level in (None, in_force) else None
    stays = pipeline.consent is not None and level in (None, in_force) and under is None
    built = pipeline.batches(item.hour, item.revision, content.aggregates, now, level, under=under)
    shown = tuple(_batch(batch, STAYS if stays else SO_FAR) for batch in built)
    window = PreviewWindow(item.hour.start, item.hour.end, item.revision)
    return PreviewView(window, level or in_force, _withheld(pipeline, content.aggregates, level), shown)


def _withheld(
    pipeline: Pipeline, aggregates: list[HourlyAggregate], level: ConsentLevel | None
) -> tuple[Withheld, ...]:
    door = pipeline.door(level)
    for _ in door.records(row.row for row in aggregates):
        pass  # only what stays is wanted here
    return tuple(door.withheld)


def _preview(pipeline: Pipeline, closed: ClosedHour, now: datetime, level: ConsentLevel | None) -> PreviewView:
    in_force = pipeline.consent_or_basic().level
    # The stored bytes where there are some: a preview that was made again could differ from what is really sent.
    shown = _stored(pipeline, closed) if level in (None, in_force) else ()
    if not shown:
        linked = pipeline.consent is not None and level in (None, in_force)
        stays = linked and pipeline.consent_throughout(closed) is None
        built = _build(pipeline, closed, now, level)
        shown = tuple(_batch(batch, STAYS if stays else WOULD_BE) for batch in built)
    aggregates = aggregates_of(pipeline.store, closed.hour, closed.revision)
    window = PreviewWindow(closed.hour.start, closed.hour.end, closed.revision)
    return PreviewView(window, level or in_force, _withheld(pipeline, aggregates, level), shown)


def _stored(pipeline: Pipeline, closed: ClosedHour) -> tuple[PreviewBatch, ...]:
    found = []
    for row in outbox.rows(pipeline.store, since=closed.hour.start):
        batch = outbox.load(pipeline.store, row.id)
        if (row.hour, row.revision) == (closed.hour, closed.revision) and batch is not None:
            found.append(_batch(batch, row.state.value))
    return tuple(found)


def _batch(batch: Batch, state: str) -> PreviewBatch:
    document = JsonText(document_bytes(batch.body))
    return PreviewBatch(str(batch.id), state, batch.sha256, len(batch.body), batch.entries, document)


def _build(pipeline: Pipeline, closed: ClosedHour, now: datetime, level: ConsentLevel | None) -> list[Batch]:
    aggregates = aggregates_of(pipeline.store, closed.hour, closed.revision)
    return pipeline.batches(closed.hour, closed.revision, aggregates, now, level)


def _entry_lines(batches: list[Batch]) -> list[str]:
    lines = [line for batch in batches for line in document_bytes(batch.body).decode("utf-8").split("\n")[1:-2]]
    return [line.removesuffix(",") for line in lines]


def summary(view: PreviewView) -> Iterator[str]:
    """What stands beside the documents for a person, one line a batch."""
    for batch in view.batches:
        yield (
            f"batch {batch.batch_id}: {batch.state}; consent {view.level}; "
            f"hour {view.window.start:%Y-%m-%d %H:%M} UTC, revision {view.window.revision}; {batch.entries} entries, "
            f"{len(batch.document):,} bytes of JSON, {batch.size_bytes:,} sent; sha256 {batch.sha256}"
        )
    yield f"{len(view.withheld)} fields stay here under consent {view.level}:"
    for kept in view.withheld:
        yield f"  {kept.metric}, {kept.field}: {kept.rule}"


def render_difference(view: DifferenceView) -> str:
    """The text of `preview --diff`."""
    return "\n".join(view.diff) or "Extended adds nothing to this hour."
