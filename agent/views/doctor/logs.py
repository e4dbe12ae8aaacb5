"""The access log: which one is read, which are not and why, and whether its lines are of the form that was said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from agent.errors import SourceError
from agent.settings import ProductType, Settings
from agent.views.doctor.checks import Area, Check, State, failed_by

MOST_NAMED = 8


def examine_logs(settings: Settings, _now: datetime, _limit_s: float) -> Iterator[Check]:
    """What the configuration of the log says, then the last lines that were written."""
    from agent.sources.clientside.access import explained, look_at
    from agent.sources.clientside.source import log_of

    own = settings.clientside
    if not own.enabled:
        yield Check(Area.LOGS, "access log", State.SKIPPED, "Switched off: [clientside] enabled = false.")
        return
    if own.install is None and settings.instance.product is not ProductType.BITBUCKET:
        text = "Not read: [clientside] install does not say where the product is installed."
        yield Check(Area.LOGS, "access log", State.SKIPPED, text)
        return
    folder = own.access_log_dir or own.install or settings.instance.home
    try:
        log = log_of(settings)
        folder = log.folder
        reader = log.reader()
        yield Check(Area.LOGS, "access log", State.OK, f"{log.files} in {folder}, as {log.place} says.")
        for other in log.passed_over[:MOST_NAMED]:
            yield Check(Area.LOGS, "not read", State.SKIPPED, other)
        verdict = look_at(log, reader)
    except (SourceError, OSError) as error:
        yield failed_by(Area.LOGS, "access log", explained(error, folder))
        return
    if not verdict.lines:
        yield Check(Area.LOGS, "lines", State.OK, "None was written yet.")
    elif 2 * verdict.unread > verdict.lines:
        text = f"{verdict.unread} of the last {verdict.lines} lines have another form."
        why = f"They are not as {log.place} says."
        do = "Restart the product if that was changed since its start; else compare a line with the pattern there."
        yield Check(Area.LOGS, "lines", State.FAILED, text, why, do, "mostly-unread")
    else:
        text = f"{verdict.lines - verdict.unread} of the last {verdict.lines} lines are understood."
        yield Check(Area.LOGS, "lines", State.OK, text)
    if verdict.lines and reader.unit_us is None:
        yield Check(Area.LOGS, "durations", State.SKIPPED, f"None: {reader.why_no_duration}.")
