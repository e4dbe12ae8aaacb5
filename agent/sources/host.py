"""Host metrics by psutil: load of the machine, never a name of host, user, interface or path.

In:   psutil, /proc/sys/fs. Shares of processor time are over the time since the last read (the first: since open).
Out:  Samples in the catalog's units; a folder that is not there or a figure the kernel lacks is "not-present".
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from agent.catalog import Catalog
from agent.catalog.reasons import DEADLINE, NOT_PRESENT, PERMISSION_DENIED
from agent.errors import SourceError
from agent.model import Failure, Reading, Sample, Series
from agent.settings import Settings
from agent.sources.base import once_each

NAME = "host"
FILE_COUNTS = Path("/proc/sys/fs/file-nr")

Found = list[tuple[str, int | float, tuple[tuple[str, str], ...]]]


class Host:
    """The machine the agent runs on; `folders` are looked at by role ("local-home"), the path stays here."""

    name = NAME

    def __init__(self, catalog: Catalog, folders: Mapping[str, Path], file_counts: Path = FILE_COUNTS) -> None:
        self._wanted = frozenset(metric.name for metric in catalog.of_source(NAME))
        self._folders = dict(folders)
        self._file_counts = file_counts
        self._before = psutil.cpu_times()

    def read(self, deadline_s: float) -> Reading:
        """All host metrics of the catalog; each group that fails costs only its own metrics."""
        if deadline_s <= 0:
            raise SourceError(DEADLINE, "The machine was not read.", why="No time was left in this tick.")
        samples: list[Sample] = []
        failures: list[Failure] = []
        for prefix, read in self._groups():
            try:
                found = read()
            except (OSError, AttributeError, ValueError, psutil.Error) as error:
                reason = PERMISSION_DENIED if isinstance(error, PermissionError) else NOT_PRESENT
                failures += [Failure(name, reason, type(error).__name__) for name in self._below(prefix)]
                continue
            samples += [
                Sample(Series(NAME, metric, tags), value)
                for metric, value, tags in found
                if metric in self._wanted and math.isfinite(value)
            ]
        known = {sample.series.metric for sample in samples} | {failure.metric for failure in failures}
        failures += [Failure(name, NOT_PRESENT) for name in sorted(self._wanted - known)]
        return Reading(tuple(samples), once_each(failures), epoch=str(int(psutil.boot_time())))

    def _below(self, prefix: str) -> list[str]:
        return sorted(name for name in self._wanted if name.startswith(prefix))

    def close(self) -> None:
        """Nothing is held open."""

    def _groups(self) -> tuple[tuple[str, Callable[[], Found]], ...]:
        disks = tuple(("host.disk.", self._disk_reader(role, folder)) for role, folder in self._folders.items())
        return (
            ("host.cpu.", self._cpu),
            ("host.load.", _load),
            ("host.memory.", _memory),
            ("host.swap.", _swap),
            ("host.network.", _network),
            ("host.files.", self._files),
            ("host.uptime", _uptime),
            *disks,
        )

    def _cpu(self) -> Found:
        before, now = self._before, psutil.cpu_times()
        spent = {field: max(0.0, getattr(now, field) - getattr(before, field)) for field in now._fields}
        # The kernel counts guests' time in user and nice as well.
        total = sum(seconds for field, seconds in spent.items() if not field.startswith("guest"))
        count: Found = [("host.cpu.count", psutil.cpu_count() or 1, ())]
        if total <= 0:
            return count
        self._before = now
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

    @staticmethod
    def _disk_reader(role: str, folder: Path) -> Callable[[], Found]:
        tags = (("role", role),)

        def read() -> Found:
            facts = os.statvfs(folder)
            return [
                ("host.disk.total", facts.f_blocks * facts.f_frsize, tags),
                ("host.disk.free", facts.f_bavail * facts.f_frsize, tags),
                ("host.disk.inodes.free", facts.f_favail, tags),
            ]

        return read


def open_host(settings: Settings, catalog: Catalog) -> Host:
    """The host source for the folders of this configuration."""
    return Host(
        catalog,
        {
            "local-home": settings.instance.home,
            "shared-home": settings.instance.shared_home,
            "state": settings.agent.state_dir,
        },
    )


def _load() -> Found:
    return [(f"host.load.{minutes}m", value, ()) for minutes, value in zip((1, 5, 15), os.getloadavg(), strict=True)]


def _memory() -> Found:
    memory = psutil.virtual_memory()
    return [("host.memory.total", memory.total, ()), ("host.memory.available", memory.available, ())]


def _swap() -> Found:
    swap = psutil.swap_memory()
    return [("host.swap.total", swap.total, ()), ("host.swap.used", swap.used, ())]


def _network() -> Found:
    flags = {name: facts.flags.split(",") for name, facts in psutil.net_if_stats().items()}
    counters = [
        facts for name, facts in psutil.net_io_counters(pernic=True).items() if "loopback" not in flags.get(name, ())
    ]
    return [
        ("host.network.sent", sum(facts.bytes_sent for facts in counters), ()),
        ("host.network.received", sum(facts.bytes_recv for facts in counters), ()),
    ]


def _uptime() -> Found:
    return [("host.uptime", max(0.0, time.time() - psutil.boot_time()), ())]
