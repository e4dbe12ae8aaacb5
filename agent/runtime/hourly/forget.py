"""Takes names out of what is stored already, once, when the level that holds no longer allows them there.

In:   the store, after consent was lowered or an agent that stored names as read was upgraded.
Out:  ticks, closed hours and snapshots as they would have been stored under Basic; the freed pages are overwritten and
      the write-ahead log emptied. What leaves is the same before and after: the door hashes what is plain.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from agent.aggregation import list_of
from agent.consent import Concealer, snapshot_renamed
from agent.errors import StoreError
from agent.log import log, logger
from agent.model import ConsentLevel, Series
from agent.runtime.pipeline import Pipeline
from agent.store.hours import all_hours, replace_hour
from agent.store.meta import meta, set_meta
from agent.store.snapshots import replace_snapshot, snapshots
from agent.store.ticks import all_ticks, remove_unused_layouts, replace_tick

LOG = logger("names")
WIDEST = "names.level"  # in the meta table: the widest level that anything stored may have been stored under
SETTLED_AFTER = timedelta(minutes=10)  # a tick that was being read while consent changed is stored by then


def forget_names(pipeline: Pipeline, now: datetime) -> None:
    """Bring the whole store to the level in force, if it was ever wider; an empty or settled store costs one look."""
    consent = pipeline.consent_or_basic()
    try:
        if consent.level is ConsentLevel.EXTENDED:
            if meta(pipeline.store, WIDEST) != ConsentLevel.EXTENDED.value:
                _note(pipeline, ConsentLevel.EXTENDED)
            return
        if meta(pipeline.store, WIDEST) == ConsentLevel.BASIC.value:
            return
        changed = _rewrite(pipeline)
        # Also when nothing had to be changed: a run before this one may have been killed after its last row.
        pipeline.store.scrub()
        if changed:
            log(LOG, logging.INFO, "names.forgotten", rows=changed)
        if consent.granted_at is None or now - consent.granted_at > SETTLED_AFTER:
            _note(pipeline, ConsentLevel.BASIC)
    except StoreError as error:
        log(LOG, logging.WARNING, "names.not_forgotten", why=error.why, do=error.do)


def _note(pipeline: Pipeline, level: ConsentLevel) -> None:
    with pipeline.store.transaction() as connection:
        set_meta(connection, WIDEST, level.value)


def _rewrite(pipeline: Pipeline) -> int:
    """How many rows held something that Basic does not store; each is replaced in a transaction of its own."""
    store, pseudonyms = pipeline.store, pipeline.pseudonyms
    concealer = Concealer(pipeline.catalog)
    changed = 0

    def name(series: Series) -> Series | None:
        return concealer.series(series, ConsentLevel.BASIC, pseudonyms)

    for tick in all_ticks(store):
        # A transaction a row: the daemon waits for one of them, and not for a week's rows.
        stored = concealer.conceal(tick, ConsentLevel.BASIC, pseudonyms)
        if stored != tick:
            changed += 1
            with store.transaction() as connection:
                replace_tick(connection, stored)
    for hour, revision, rows in all_hours(store):
        stored_rows = [row for old in rows if (row := concealer.row(old, ConsentLevel.BASIC, pseudonyms)) is not None]
        if stored_rows != rows:
            changed += 1
            with store.transaction() as connection:
                replace_hour(connection, hour, revision, stored_rows)
    for hour, snapshot in snapshots(store, pipeline.settings.hour.length_s):
        renamed = snapshot_renamed(snapshot, pipeline.catalog, name, list_of)
        if renamed != snapshot:
            changed += 1
            with store.transaction() as connection:
                replace_snapshot(connection, hour, renamed)
    with store.transaction() as connection:
        remove_unused_layouts(connection)
    return changed
