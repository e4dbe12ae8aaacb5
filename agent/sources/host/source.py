"""Host metrics: load and make of the machine, sizes of folders, never a name of host, user, interface or path.

In:   psutil, /proc, /sys. Shares of processor time are over the time since the last accepted read (the first: since
      open), so that none goes uncounted when a reading comes too late.
Out:  Samples in the catalog's units; a folder that is not there or a figure the kernel lacks is "not-present", a file
      system that does not answer is "hung" and costs its own figures only.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from agent.catalog import Catalog
from agent.model import Failure, Reading, Sample, Series
from agent.reasons import NOT_PRESENT
from agent.sources.base import no_time, once_each
from agent.sources.host.container import limits
from agent.sources.host.disks import WAIT_S, Disks, Found
from agent.sources.host.hardware import cores, read_hardware
from agent.sources.host.network import connections, traffic
from agent.sources.opening import Opening
from agent.system.clock import boot_id, steady_s

NAME = "host"
FILE_COUNTS = Path("/proc/sys/fs/file-nr")


class Host:
    """The machine the agent runs on; `folders` are looked at by role ("local-home"), the path stays here."""

    name = NAME

    def __init__(
        self,
        catalog: Catalog,
        folders: Mapping[str, Path],
        file_counts: Path = FILE_COUNTS,
        *,
        writable: Mapping[str, Path] | None = None,
        disk_wait_s: float = WAIT_S,
    ) -> None:
        """`writable` are folders of the agent's own whose write latency is wanted, by role."""
        self._disks = Disks(folders, writable or {}, wait_s=disk_wait_s)
        self._hardware: Found = [(name, text, ()) for name, text in read_hardware().items() if text]
        self._wanted = frozenset(metric.name for metric in catalog.of_source(NAME))
        self._file_counts = file_counts
        self._before = self._latest = psutil.cpu_times()
        self._boot_id = boot_id()

    def read(self, deadline_s: float) -> Reading:
        """All host metrics of the catalog; each group that fails costs only its own metrics."""
        if deadline_s <= 0:
            raise no_time("The machine was not read.")
        samples: list[Sample] = []
        failures: list[Failure] = []
        self._latest = self._before
        for prefix, read in self._groups():
            try:
                found = read()
            except (OSError, AttributeError, ValueError, KeyError, StopIteration, psutil.Error) as error:
                detail = getattr(error, "strerror", None) or type(error).__name__
                failures += [Failure(name, NOT_PRESENT, detail) for name in self._below(prefix)]
                continue
            samples += self._samples(found)
        found, missing = self._disks.read(deadline_s)
        samples += self._samples(found)
        failures += [failure for failure in missing if failure.metric in self._wanted]
        known = {sample.series.metric for sample in samples} | {failure.metric for failure in failures}
        failures += [Failure(name, NOT_PRESENT) for name in sorted(self._wanted - known)]

        def commit() -> None:
            self._before = self._latest
            self._disks.accept()

        # The boot's id and not its time: the kernel computes that from the wall clock, so with a step of a second every
        # counter "restarted", and all since the boot was added again.
        return Reading(tuple(samples), once_each(failures), epoch=self._boot_id, commit=commit)

    def _samples(self, found: Found) -> list[Sample]:
        return [
            Sample(Series(NAME, metric, tags), value)
            for metric, value, tags in found
            if metric in self._wanted and (isinstance(value, str) or math.isfinite(value))
        ]

    def _below(self, prefix: str) -> list[str]:
        return sorted(name for name in self._wanted if name.startswith(prefix))

    def close(self) -> None:
        """Nothing is held open."""

    def _groups(self) -> tuple[tuple[str, Callable[[], Found]], ...]:
        return (
            ("host.cpu.", self._cpu),
            ("host.load.", _load),
            ("host.memory.", _memory),
            ("host.swap.", _swap),
            ("host.network.", lambda: _untagged(traffic())),
            ("host.tcp.", lambda: _untagged(connections())),
            ("host.os.", lambda: self._hardware),
            ("host.files.", self._files),
            ("host.uptime", _uptime),
            ("host.container.", lambda: _untagged(limits())),
        )

    def _cpu(self) -> Found:
        before, now = self._before, psutil.cpu_times()
        spent = {field: max(0.0, getattr(now, field) - getattr(before, field)) for field in now._fields}
        # The kernel counts guests' time in user and nice as well.
        total = sum(seconds for field, seconds in spent.items() if not field.startswith("guest"))
        count: Found = [("host.cpu.count", psutil.cpu_count() or 1, ())]
        if (own := cores()) is not None:
            count.append(("host.cpu.cores", own, ()))
        if total <= 0:
            return count
        self._latest = now
        waiting = spent.get("iowait", 0.0)
        shares = {
            "used": total - spent["idle"] - waiting,
            "iowait": waiting,
            "steal": spent.get("steal", 0.0),
        }
        return count + [(f"host.cpu.{name}_percent", 100 * share / total, ()) for name, share in shares.items()]

    def _files(self) -> Found:
        opened, _, limit = self._file_counts.read_text(encoding="ascii").split()
        return [("host.files.open", int(opened), ()), ("host.files.max", int(limit), ())]


def open_source(opening: Opening) -> Host:
    """The host source for the folders of this configuration."""
    settings, place = opening.settings, opening.settings.instance
    folders = {"local-home": place.home, "shared-home": place.shared_home, "state": settings.agent.state_dir}
    writable = {"shared-home": settings.link_dir, "state": settings.agent.state_dir}
    return Host(opening.catalog, folders, writable=writable if settings.host.write_latency else None)


def _untagged(numbers: Mapping[str, int | float]) -> Found:
    return [(name, number, ()) for name, number in numbers.items()]


def _load() -> Found:
    return [(f"host.load.{minutes}m", value, ()) for minutes, value in zip((1, 5, 15), os.getloadavg(), strict=True)]


def _memory() -> Found:
    memory = psutil.virtual_memory()
    return [("host.memory.total", memory.total, ()), ("host.memory.available", memory.available, ())]


def _swap() -> Found:
    swap = psutil.swap_memory()
    return [("host.swap.total", swap.total, ()), ("host.swap.used", swap.used, ())]


def _uptime() -> Found:
    return [("host.uptime", steady_s(), ())]
