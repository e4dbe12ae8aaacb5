"""The source "clientside": two logs, read where the last stored tick left off.

In:   the access log (Tomcat's `server.xml` tells where and in which form; Bitbucket has one of its own) and, beside
      Jira, the Apdex log.
Out:  a Reading with counters and its own checkpoint. The counters live in the checkpoint, which is stored in one
      transaction with the tick: after a crash both go back together, so no request is counted twice or lost. After a
      reading that was not accepted they go back too, to where the last accepted one left them, and the same lines are
      read again.
      Each log that cannot be read costs only its own metrics; when none can be read, SourceError says why. A log whose
      file is not found, or whose lines mostly have another form, gives no counts: a zero would be false.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.catalog import Catalog
from agent.errors import SourceError, StoreError
from agent.model import Failure, Kind, Moment, Reading, Sample, Series
from agent.reasons import (
    MOSTLY_UNREAD,
    NOT_DUE,
    NOT_PRESENT,
    OTHER,
    TOO_FEW,
)
from agent.settings import ProductType, Settings
from agent.sources.base import once_each
from agent.sources.clientside import apdex
from agent.sources.clientside.access import AccessLog, Log, Mark, Verdict, denied, explained
from agent.sources.clientside.bitbucket import read_bitbucket
from agent.sources.clientside.figures import Found
from agent.sources.clientside.tail import Follower
from agent.sources.clientside.tomcat import read_valve, stamps_of
from agent.sources.opening import Opening
from agent.store import open_store
from agent.store.database import FILE_NAME as STORE_NAME
from agent.store.ticks import checkpoint_of
from agent.system.clock import Clock, SystemClock, monotonic_s

NAME = "clientside"
FORMAT = 2  # of the checkpoint
# The rest is for whoever is slower: a log that is behind catches up over some ticks.
SHARE_OF_DEADLINE = 0.5
STALE_S = 2 * 3600.0  # after a longer pause what was written meanwhile belongs to hours that are closed
APDEX_PREFIX = "clientside.apdex."


class ApdexLog:
    """Jira's Apdex log."""

    def __init__(self, home: Path, smallest: int) -> None:
        self.folder = home / apdex.FOLDER
        self._smallest = smallest
        self._apdex = apdex.Apdex(smallest)
        self._known: set[str] = set()
        self._verdict = Verdict()
        self._follower = Follower(self.folder, apdex.accepts)

    def load(self, document: dict[str, object]) -> None:
        """Go on from a `dump()`."""
        self._apdex.load(document["pages"])  # type: ignore[arg-type]  # checked there
        self._known = set(document["known"])  # type: ignore[call-overload]  # checked by set
        self._follower.load(document["follower"])  # type: ignore[arg-type]  # checked there

    def dump(self) -> dict[str, object]:
        """Counters and position as plain values."""
        return {"pages": self._apdex.dump(), "known": sorted(self._known), "follower": self._follower.dump()}

    def mark(self) -> Mark:
        """To go back to."""
        return Mark(self.dump())

    def go_back(self, mark: Mark) -> None:
        """As if nothing had been read since."""
        self._apdex = apdex.Apdex(self._smallest)  # a page that came meanwhile goes too
        self.load(mark.document)

    def read(self, ends_s: float, *, stale: bool) -> tuple[list[Found], list[Failure]]:
        """What may be told, and what is missing; raises OSError."""
        if stale:
            self._follower.skip_to_end()

        def consume(lines: bytes) -> None:
            written = lines.count(b"\n")
            self._verdict.hear(written, written - self._apdex.count(lines))

        try:
            progress = self._follower.read(consume, ends_s)
        except FileNotFoundError:
            # Nothing that a person must do: a Jira that has not started yet has no folder for logs.
            what, why = f"There is no folder {self.folder} for logs.", "The product has not made it yet."
            raise SourceError(
                NOT_PRESENT, what, why=why, do="Nothing: it is made at the product's first start."
            ) from None
        found = list(self._apdex.tell(self._known))
        failures = denied(progress, self.folder, f"{APDEX_PREFIX}views")
        if not progress.files and not found:
            text = f"There is no {apdex.FILE_NAME} in {self.folder}."
            return found, failures + _without_apdex(NOT_PRESENT, text)
        if self._verdict.is_bad:
            text = f"The lines of {apdex.FILE_NAME} in {self.folder} have another form than Jira's documentation says."
            return [], failures + _without_apdex(MOSTLY_UNREAD, text)
        if not any(metric == f"{APDEX_PREFIX}score" for metric, _, _ in found):
            failures.append(Failure(f"{APDEX_PREFIX}score", NOT_DUE, "the log has one line an hour"))
        if not found and not failures[:-1]:
            failures.append(Failure(f"{APDEX_PREFIX}views", NOT_DUE, "the log has one line an hour"))
        return found, failures


def _without_apdex(reason: str, text: str) -> list[Failure]:
    return [Failure(f"{APDEX_PREFIX}{name}", reason, text) for name in ("views", "score")]


class ClientSide:
    """Both logs behind one source; see the module's docstring."""

    name = NAME

    def __init__(
        self,
        catalog: Catalog,
        open_logs: Callable[[], Mapping[str, AccessLog | ApdexLog]],
        load_checkpoint: Callable[[], str],
        clock: Clock | None = None,
    ) -> None:
        self._metrics = {metric.name: metric for metric in catalog.of_source(NAME)}
        self._open_logs = open_logs
        self._logs = open_logs()
        self._load_checkpoint = load_checkpoint
        self._clock = clock or SystemClock()
        self._epoch = ""
        self._seen: Moment | None = None
        # Where the logs stood before the last reading, as long as that one is not accepted.
        self._before: dict[str, Mark] = {}

    def read(self, deadline_s: float) -> Reading:
        """What was written to the logs since the last read, as counters that go on; raises SourceError when neither
        log can be read."""
        ends_s = monotonic_s() + deadline_s * SHARE_OF_DEADLINE
        if not self._epoch:
            self._resume()
        # The last reading was thrown away, so its lines are read again, and counters and position go back together.
        for part, mark in self._before.items():
            self._logs[part].go_back(mark)
        self._before = {part: log.mark() for part, log in self._logs.items()}
        now = self._clock.now()
        stale = self._seen is not None and _seconds_between(self._seen, now) > STALE_S
        found: list[Found] = []
        failures: list[Failure] = []
        errors = []
        for part, log in self._logs.items():
            try:
                given, missing = log.read(ends_s, stale=stale)
            except (SourceError, OSError) as error:
                told = explained(error, log.folder)
                errors.append(told)
                text = " ".join(filter(None, (told.what, told.why, f"Do: {told.do}" if told.do else "")))
                failures += [Failure(name, told.reason, text) for name in self._names(part)]
                continue
            found += given
            failures += missing
        if errors and len(errors) == len(self._logs):
            raise errors[-1]
        samples = tuple(Sample(Series(NAME, metric, tags), value) for metric, value, tags in found)
        failures += self._missing(samples, failures)

        def commit() -> None:
            self._before, self._seen = {}, now

        return Reading(samples, once_each(failures), epoch=self._epoch, checkpoint=self._dump(now), commit=commit)

    def close(self) -> None:
        """Nothing is held open between two reads."""

    def _names(self, part: str) -> list[str]:
        return [name for name in self._metrics if name.startswith(APDEX_PREFIX) == (part == "apdex")]

    def _missing(self, samples: tuple[Sample, ...], failures: list[Failure]) -> Iterator[Failure]:
        """A failure for each metric that nothing was said of: its log is not read, or too few requests came."""
        said = {sample.series.metric for sample in samples} | {failure.metric for failure in failures}
        read = {name for part in self._logs for name in self._names(part)}
        for name, metric in self._metrics.items():
            if name in said:
                continue
            yield Failure(name, TOO_FEW if name in read and metric.kind is Kind.GAUGE else NOT_PRESENT)

    def _dump(self, seen: Moment) -> str:
        logs = {part: log.dump() for part, log in self._logs.items()}
        document = {"format": FORMAT, "epoch": self._epoch, "seen": _as_list(seen), "logs": logs}
        return json.dumps(document, separators=(",", ":"))

    def _resume(self) -> None:
        """Take up the stored checkpoint; without one, or with one of another version, the counters begin anew."""
        try:
            text = self._load_checkpoint()
        except StoreError as error:
            raise SourceError(
                OTHER, "The position in the logs cannot be read.", why=str(error.why), do=error.do
            ) from None
        if text:
            try:
                document = json.loads(text)
                if document["format"] == FORMAT:
                    for part, log in self._logs.items():
                        if part in document["logs"]:
                            log.load(document["logs"][part])
                    self._seen, self._epoch = _moment_of(document["seen"]), str(document["epoch"])
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
                self._seen, self._logs = None, self._open_logs()  # not ours: begin anew, and with nothing of it
        # New counters have a new epoch: an hour that holds old and new ones sees a restart and no fall.
        self._epoch = self._epoch or secrets.token_hex(8)


def _seconds_between(seen: Moment, now: Moment) -> float:
    """How long a pause was: by the seconds since the boot, which no clock that is set can make longer.

    Over a boot only the wall clock tells.
    """
    if seen.boot_id and seen.boot_id == now.boot_id:
        return now.steady_s - seen.steady_s
    return (now.wall - seen.wall).total_seconds()


def _as_list(moment: Moment) -> list[object]:
    return [moment.wall.timestamp(), moment.steady_s, moment.boot_id]


def _moment_of(seen: Any) -> Moment:
    """The moment of a checkpoint; an older agent wrote the wall clock's seconds alone."""
    wall_s, steady_s, boot = seen if isinstance(seen, list) else (seen, 0.0, "")
    return Moment(datetime.fromtimestamp(float(wall_s), UTC), float(steady_s), str(boot))


def log_of(settings: Settings) -> Log:
    """The access log of this configuration, as the product's own files say; raises SourceError."""
    own = settings.clientside
    if settings.instance.product is ProductType.BITBUCKET:
        return read_bitbucket(settings.instance.home, own.access_log_dir)
    return read_valve(own.install or settings.instance.home, own.access_log_dir)


def open_source(opening: Opening) -> ClientSide:
    """The source for the logs of this configuration; opening it reads nothing."""
    settings = opening.settings
    own, home = settings.clientside, settings.instance.home

    def open_logs() -> Mapping[str, AccessLog | ApdexLog]:
        logs: dict[str, AccessLog | ApdexLog] = {}
        if settings.instance.product is ProductType.JIRA:
            logs["apdex"] = ApdexLog(home, own.smallest_group)  # first: it is small
        if settings.instance.product is ProductType.BITBUCKET or own.install is not None:
            install = own.install or home
            folder = own.access_log_dir or install
            logs["access"] = AccessLog(lambda: log_of(settings), lambda: stamps_of(install), folder, own.smallest_group)
        return logs

    return ClientSide(opening.catalog, open_logs, lambda: _stored_checkpoint(settings.agent.state_dir))


def _stored_checkpoint(state_dir: Path) -> str:
    if not (state_dir / STORE_NAME).exists():
        return ""
    store = open_store(state_dir, read_only=True)
    try:
        return checkpoint_of(store, NAME)
    finally:
        store.close()
