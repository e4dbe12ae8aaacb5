"""The end of the hourly run: what nobody needs any more goes, by the store's order and never by a clock.

In:   the store after closing and pushing. Out: freed pages. Nothing goes that no hour counted or no loss names.
"""

from __future__ import annotations

import logging
import sqlite3
from datetime import datetime

from agent.errors import StoreError
from agent.log import log, logger
from agent.runtime.pipeline import Pipeline
from agent.settings import Settings
from agent.store import outbox
from agent.store.hours import RUN_KEPT, horizon, remove_hours
from agent.store.snapshots import remove_snapshots
from agent.store.ticks import numbers_beyond, remove_counted, remove_lost

LOG = logger("hourly")
NEVER_CLOSED = "tick-never-closed"


def tidy(pipeline: Pipeline, now: datetime) -> None:
    """Remove what nobody needs any more: counted ticks, old hours, the bodies of old batches; give pages back.

    What is old is told by how many hours were closed since, never by a clock: one that is ahead closes no more hours
    than were measured. `now` only labels losses.
    """
    settings = pipeline.settings
    hours_stored = max(settings.bundle.days * 86400 // settings.hour.length_s, RUN_KEPT)
    try:
        with pipeline.store.transaction() as connection:
            _give_up(connection, settings, now)
            # Snapshots before hours: the newest of those that go is what a late tick's hour is compared with.
            remove_counted(connection, horizon(connection, RUN_KEPT))
            remove_snapshots(connection, horizon(connection, RUN_KEPT))
            remove_hours(connection, horizon(connection, hours_stored))
            outbox.forget_settled(connection, horizon(connection, hours_stored))
            # Their rows stay twice as long as the hours: an hour whose batch is not known would be sealed again.
            outbox.remove_settled(connection, horizon(connection, 2 * hours_stored))
        # Outside the transaction, and 8 MiB a run: to give back a week's backlog at once would hold the lock for as
        # long.
        pipeline.store.connection.execute("PRAGMA incremental_vacuum(2000)").fetchall()
    except StoreError as error:
        log(LOG, logging.WARNING, "store.not_tidied", why=error.why, do=error.do)


def _give_up(connection: sqlite3.Connection, settings: Settings, now: datetime) -> None:
    """A bound for the disk while no hour can be closed: beyond as many ticks as hours are kept for, the oldest go."""
    most = round(settings.bundle.days * 86400 / settings.sampling.interval_s)
    remove_lost(connection, numbers_beyond(connection, most), NEVER_CLOSED, now)
