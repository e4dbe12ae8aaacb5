"""Hands the consent rules to the sampling stage, and evens out hours that were stored under different levels.

In:   ticks as read, or the stored ticks of an hour. Out: ticks that may be stored, or that can be added up.
The key of the pseudonyms and the level lie in the shared home. They are looked up in a thread of their own: while the
home hangs or is gone, the rules of Basic hold under the key last read; without any key, names are left out.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from agent.aggregation import Key, Seen, Snapshot, list_of
from agent.catalog import Catalog, TagTreatment
from agent.consent import Concealer, NoPseudonyms, Pseudonyms
from agent.errors import AgentError
from agent.log import log, logger
from agent.model import ConsentLevel, HourlyAggregate, Series, Tick
from agent.product.instance import pseudonym_key_path, read_instance
from agent.settings import Settings

LOG = logger("names")
WAIT_S = 2.0  # for the shared home; then the tick goes on without it

Stamp = tuple[int, int, int]


class TickConcealer:
    """Call it with each tick before it is stored, from one thread."""

    def __init__(
        self, settings: Settings, catalog: Catalog, level: Callable[[], ConsentLevel], *, wait_s: float = WAIT_S
    ) -> None:
        self._wait_s = wait_s
        self._link_dir = settings.link_dir
        self._read_level = level
        self._concealer = Concealer(catalog)
        self._pseudonyms: Pseudonyms | None = None
        self._without = NoPseudonyms()
        self._level = ConsentLevel.BASIC
        self._stamp: Stamp | None = None
        self._looking: threading.Thread | None = None
        self._told = False

    def __call__(self, tick: Tick) -> Tick:
        """The tick as it may be stored."""
        level = self._level if self._look() else ConsentLevel.BASIC
        pseudonyms = self._pseudonyms
        if pseudonyms is None and not self._told:
            log(
                LOG,
                logging.WARNING,
                "names.not_stored",
                why="The key of the pseudonyms cannot be read, and names are not stored plain.",
                do=f"Mount the shared home; see: ls -l {pseudonym_key_path(self._link_dir)}",
            )
        elif pseudonyms is not None and self._told:
            log(LOG, logging.INFO, "names.stored_again")
        self._told = pseudonyms is None
        return self._concealer.conceal(tick, level, pseudonyms or self._without)

    def _look(self) -> bool:
        """Read level and key, if the shared home answers in time; one look at a time."""
        if self._looking is None or not self._looking.is_alive():
            self._looking = threading.Thread(target=self._read, name="shared-home", daemon=True)
            self._looking.start()
        self._looking.join(self._wait_s)
        return not self._looking.is_alive()

    def _read(self) -> None:
        self._level = self._read_level()
        try:
            facts = os.stat(pseudonym_key_path(self._link_dir), follow_symlinks=False)
            stamp = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
            if stamp != self._stamp or self._pseudonyms is None:
                self._pseudonyms = Pseudonyms(read_instance(self._link_dir).pseudonym_key.reveal())
                self._stamp = stamp
        except (AgentError, OSError):
            return  # the key last read stays good: it never changes while an instance lives


@dataclass(frozen=True, slots=True)
class Even:
    """One hour's material with one name for one thing."""

    ticks: list[Tick]
    before: Tick | None
    known: list[HourlyAggregate]
    snapshot: Snapshot


def even_out(material: Even, catalog: Catalog, level: ConsentLevel, pseudonyms: Pseudonyms) -> Even:
    """The same hour with every name as `level` stores it; under Extended, unless some of it was stored under Basic.

    What came before is brought to the same names, so that no counter starts anew and no app is taken for another one
    because the level changed or an older agent stored names as read.
    """
    extended = level is ConsentLevel.EXTENDED and not any(_is_basic(tick, catalog) for tick in material.ticks)
    if not extended:
        concealer = Concealer(catalog)

        def name(series: Series) -> Series | None:
            return concealer.series(series, ConsentLevel.BASIC, pseudonyms)

        ticks = [concealer.conceal(tick, ConsentLevel.BASIC, pseudonyms) for tick in material.ticks]
        before = material.before
        if before is not None:
            before = concealer.conceal(before, ConsentLevel.BASIC, pseudonyms)
        return Even(ticks, before, _renamed(material.known, name), snapshot_renamed(material.snapshot, catalog, name))
    wide, narrow = Concealer(catalog), Concealer(catalog)
    ticks = [wide.conceal(tick, ConsentLevel.EXTENDED, pseudonyms) for tick in material.ticks]
    # What was a pseudonym before is told by its name now, where this hour has a name for it.
    names = {
        hashed: series
        for series in {sample.series for tick in ticks for sample in tick.samples if sample.series.tags}
        if (hashed := narrow.series(series, ConsentLevel.BASIC, pseudonyms)) is not None and hashed != series
    }

    def named(series: Series) -> Series | None:
        wider = wide.series(series, ConsentLevel.EXTENDED, pseudonyms)
        return None if wider is None else names.get(wider, wider)

    before = material.before
    if before is not None:
        before = _tick_renamed(wide.conceal(before, ConsentLevel.EXTENDED, pseudonyms), names)
    return Even(ticks, before, _renamed(material.known, named), snapshot_renamed(material.snapshot, catalog, named))


def _is_basic(tick: Tick, catalog: Catalog) -> bool:
    """Whether something is hashed that Extended would have kept."""
    for sample in tick.samples:
        for tag in sample.series.hashed:
            metric = catalog.metrics.get(sample.series.metric)
            rule = metric.tags.get(tag) if metric is not None else None
            if rule is not None and rule.extended is TagTreatment.KEEP and rule.basic is not rule.extended:
                return True
    return False


def _tick_renamed(tick: Tick, names: Mapping[Series, Series]) -> Tick:
    samples = (replace(sample, series=names.get(sample.series, sample.series)) for sample in tick.samples)
    return replace(tick, samples=tuple(samples))


def _renamed(rows: Iterable[HourlyAggregate], name: Callable[[Series], Series | None]) -> list[HourlyAggregate]:
    return [replace(row, series=series) for row in rows if (series := name(row.series)) is not None]


def snapshot_renamed(snapshot: Snapshot, catalog: Catalog, name: Callable[[Series], Series | None]) -> Snapshot:
    """The snapshot with the keys of its lists by the same names as the hour's series."""
    seen = dict(snapshot.seen)
    for metric, before in snapshot.seen.items():
        watched, entry = list_of(metric), catalog.metrics.get(metric)
        if watched is None or entry is None:
            continue
        items: dict[Key, tuple[str, ...]] = {}
        for key, facts in before.items.items():
            hashed = (watched.tag,) if key.hashed else ()
            series = name(Series(entry.source, metric, ((watched.tag, key.text),), hashed))
            if series is not None and series.tags:
                items[Key(series.tags[0][1], bool(series.hashed))] = facts
        seen[metric] = Seen(before.at, items)
    return replace(snapshot, seen=seen)
