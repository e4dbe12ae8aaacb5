"""One name for one thing in the ticks of an hour that were stored under different levels.

In:   the stored ticks of an hour and what is known of the one before it. Out: the same with one name for one thing, so
      that they can be added up. Which metrics are lists is the next stage's knowledge and is handed in (`list_of`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from agent.catalog import Catalog, TagTreatment
from agent.consent.conceal import Concealer
from agent.model import ConsentLevel, HourlyAggregate, Series, Tick
from agent.pseudonym import Pseudonyms
from agent.store.snapshots import Key, ListState, Snapshot


class Listed(Protocol):
    """A list whose items are told apart by one tag."""

    @property
    def tag(self) -> str:
        """The name of that tag."""


ListOf = Callable[[str], Listed | None]  # the list that a metric tells of, None when it is no list
NewName = Callable[[Series], Series | None]


@dataclass(frozen=True, slots=True)
class Material:
    """What an hour is made from: its ticks, the last tick and the rows before it, and the lists as last seen."""

    ticks: list[Tick]
    before: Tick | None
    known: list[HourlyAggregate]
    snapshot: Snapshot


def align_names(
    material: Material, catalog: Catalog, level: ConsentLevel, pseudonyms: Pseudonyms, list_of: ListOf
) -> Material:
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
        snapshot = snapshot_renamed(material.snapshot, catalog, name, list_of)
        return Material(ticks, before, _renamed(material.known, name), snapshot)
    as_extended, as_basic = Concealer(catalog), Concealer(catalog)
    ticks = [as_extended.conceal(tick, ConsentLevel.EXTENDED, pseudonyms) for tick in material.ticks]
    # What was a pseudonym before is told by its name now, where this hour has a name for it.
    names = {
        hashed: series
        for series in {sample.series for tick in ticks for sample in tick.samples if sample.series.tags}
        if (hashed := as_basic.series(series, ConsentLevel.BASIC, pseudonyms)) is not None and hashed != series
    }

    def named(series: Series) -> Series | None:
        wider = as_extended.series(series, ConsentLevel.EXTENDED, pseudonyms)
        return None if wider is None else names.get(wider, wider)

    before = material.before
    if before is not None:
        before = _tick_renamed(as_extended.conceal(before, ConsentLevel.EXTENDED, pseudonyms), names)
    snapshot = snapshot_renamed(material.snapshot, catalog, named, list_of)
    return Material(ticks, before, _renamed(material.known, named), snapshot)


def _is_basic(tick: Tick, catalog: Catalog) -> bool:
    """Whether it was stored under Basic: of the names that only Extended keeps it has pseudonyms, and none plain.

    One pseudonym alone tells nothing: under Extended a name that does not look like one is hashed too.
    """
    # A tick says nothing of the level it was stored under, so it is told by its names; a level of its own would have to
    # be believed for stores of older agents too, which have none.
    hashed = False
    for series in {sample.series for sample in tick.samples if sample.series.tags}:
        metric = catalog.metrics.get(series.metric)
        for tag, text in series.tags if metric is not None else ():
            rule = metric.tags.get(tag) if metric is not None else None
            if rule is None or rule.extended is not TagTreatment.KEEP or rule.basic is rule.extended:
                continue
            if tag in series.hashed:
                hashed = True
            elif rule.basic is not TagTreatment.KEEP_PUBLIC or not catalog.is_public(text):
                return False
    return hashed


def _tick_renamed(tick: Tick, names: Mapping[Series, Series]) -> Tick:
    samples = (replace(sample, series=names.get(sample.series, sample.series)) for sample in tick.samples)
    return replace(tick, samples=tuple(samples))


def _renamed(rows: Iterable[HourlyAggregate], name: NewName) -> list[HourlyAggregate]:
    return [replace(row, series=series) for row in rows if (series := name(row.series)) is not None]


def snapshot_renamed(snapshot: Snapshot, catalog: Catalog, name: NewName, list_of: ListOf) -> Snapshot:
    """The snapshot with the keys of its lists by the same names as the hour's series."""
    lists = dict(snapshot.lists)
    for metric, before in snapshot.lists.items():
        watched, entry = list_of(metric), catalog.metrics.get(metric)
        if watched is None or entry is None:
            continue
        items: dict[Key, tuple[str, ...]] = {}
        for key, facts in before.items.items():
            hashed = (watched.tag,) if key.hashed else ()
            series = name(Series(entry.source, metric, ((watched.tag, key.text),), hashed))
            if series is not None and series.tags:
                items[Key(series.tags[0][1], bool(series.hashed))] = facts
        lists[metric] = ListState(before.at, items)
    return replace(snapshot, lists=lists)
