"""Folders of the product: how large an index is, how old its newest snapshot.

In:   the product's homes, entries of the catalog that name places below them. Names of files stay here.
Out:  Samples, each at most once an hour and within 1 % of the time: walking a large folder costs the disk. In between
      "not-due". A place that is not there is "not-present", never 0. Links are not followed, and a walk ends with the
      tick's time or after a million files, then without a figure: half a size would be a wrong one.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from agent.catalog import Catalog, Metric
from agent.model import Failure, Reading, Sample, Series
from agent.reasons import DEADLINE, NOT_DUE, NOT_PRESENT, PERMISSION_DENIED
from agent.sources.base import no_time, once_each
from agent.sources.folders.binding import FolderBinding, FolderFigure
from agent.sources.governor import CostGovernor
from agent.sources.opening import Opening
from agent.system.clock import monotonic_s, unix_s

NAME = "folders"
EVERY_S = 3600.0
MOST_FILES = 1_000_000


class Folders:
    """The folders that the catalog names, below `homes` ("local", "shared")."""

    name = NAME

    def __init__(
        self,
        catalog: Catalog,
        homes: Mapping[str, Path],
        *,
        tick_s: float = 0.0,
        clock: Callable[[], float] = monotonic_s,
        now_s: Callable[[], float] = unix_s,
    ) -> None:
        self._bound = [
            (metric, binding)
            for metric in catalog.of_source(NAME)
            if (binding := metric.bound(FolderBinding)) is not None
        ]
        self._homes = dict(homes)
        self._clock = clock
        self._now_s = now_s
        self._governor = CostGovernor(
            tick_s=tick_s, costs={metric.name: "hourly" for metric, _ in self._bound}, least_s=_LEAST_S
        )

    def read(self, deadline_s: float) -> Reading:
        """What is due of the catalog's folders; what is not there or was not due as a failure."""
        if deadline_s <= 0:
            raise no_time("No folder was read.")
        ends_s = self._clock() + deadline_s
        samples: list[Sample] = []
        failures: list[Failure] = []
        measured: list[str] = []
        for metric, binding in self._bound:
            began_s = self._clock()
            wait_s = self._governor.wait_s(metric.name, began_s)
            last = self._governor.last(metric.name)
            if wait_s > 0:
                reason = last.absent if last is not None and last.absent and not last.lost else NOT_DUE
                failures.append(Failure(metric.name, reason, f"due in {wait_s:.0f} s"))
                continue
            measured.append(metric.name)
            try:
                value = self._measure(binding, ends_s)
            except PermissionError:
                value, reason = None, PERMISSION_DENIED
            except _TooLong:
                value, reason = None, DEADLINE
            except OSError:
                value, reason = None, NOT_PRESENT
            else:
                reason = NOT_PRESENT
            if value is None:
                absent = "" if reason == DEADLINE else reason
                self._governor.note(metric.name, began_s, self._clock() - began_s, absent, accepted=False)
                failures.append(Failure(metric.name, reason))
                continue
            self._governor.note(metric.name, began_s, self._clock() - began_s, accepted=False)
            samples.append(Sample(Series(NAME, metric.name), value, self._attributes(metric)))
        return Reading(tuple(samples), once_each(failures), commit=lambda: self._governor.accept(measured))

    def close(self) -> None:
        """Nothing is held open."""

    def _attributes(self, metric: Metric) -> tuple[tuple[str, int], ...]:
        return (("every_s", round(self._governor.every_s(metric.name))),) if "every_s" in metric.attributes else ()

    def _measure(self, binding: FolderBinding, ends_s: float) -> int | None:
        places = [self._homes[place.home] / place.path for place in binding.places if place.home in self._homes]
        existing = [place for place in places if place.is_dir()]
        if not existing:
            return None
        if binding.figure is FolderFigure.BYTES:
            return sum(self._in_time(_sizes_below(existing[0], binding.without), ends_s))
        files = [found for place in existing for found in _files_in(place, binding.files)]
        if binding.figure is FolderFigure.COUNT:
            return len(files)
        if not files:
            return None
        newest = max(files, key=lambda found: found.st_mtime)
        if binding.figure is FolderFigure.NEWEST_BYTES:
            return newest.st_size
        return max(round(self._now_s() - newest.st_mtime), 0)

    def _in_time(self, sizes: Iterator[int], ends_s: float) -> Iterator[int]:
        for number, size in enumerate(sizes):
            if number >= MOST_FILES or (number % 256 == 0 and self._clock() >= ends_s):
                raise _TooLong
            yield size


_LEAST_S = {"hourly": EVERY_S}


class _TooLong(Exception):
    """A walk that would outlast the tick, or the number of files that is bearable."""


def open_source(opening: Opening) -> Folders:
    """The folders of this instance."""
    place = opening.settings.instance
    homes = {"local": place.home, "shared": place.shared_home}
    return Folders(opening.catalog, homes, tick_s=opening.settings.sampling.interval_s)


def _sizes_below(folder: Path, without: tuple[str, ...]) -> Iterator[int]:
    """The size of every plain file below `folder`; one that goes away meanwhile counts nothing, as indexes merge."""
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in without:
                            waiting.append(Path(entry.path))
                    elif entry.is_file(follow_symlinks=False):
                        yield entry.stat(follow_symlinks=False).st_size
                except FileNotFoundError:
                    continue


def _files_in(folder: Path, patterns: tuple[str, ...]) -> Iterator[os.stat_result]:
    """Size and time of the plain files directly in `folder` that fit one of `patterns`."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if any(fnmatch.fnmatchcase(entry.name, pattern) for pattern in patterns):
                try:
                    if entry.is_file(follow_symlinks=False):
                        yield entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
