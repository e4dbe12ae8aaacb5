"""Size of a product's search index on this node, and of Jira's index snapshots, by looking at file sizes.

Only the index folder is walked, never attachments; at most once an hour, with a bound on files and time. A folder that
is not there, or that the bound cut short, gives no number: part of an index is not its size.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.catalog.reasons import DEADLINE, NOT_DUE, NOT_PRESENT
from agent.settings import ProductType

EVERY_S = 3600.0
MOST_FILES = 20_000
LONGEST_S = 5.0
DEEPEST = 4
SNAPSHOT = "IndexSnapshot"


class Missing(Exception):
    """There is no figure now; `reason` is a code."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Folders:
    """Where one product keeps its index (the first that is there) and its snapshots (any of them)."""

    prefix: str
    size_metric: str
    index: tuple[Path, ...]
    snapshots: tuple[Path, ...] = ()


def folders_of(product: ProductType, home: Path, shared_home: Path) -> Folders | None:
    """The folders of `product`, None for one without an index of its own that is known."""
    if product is ProductType.JIRA:
        caches = home / "caches"
        places = (shared_home / "caches", shared_home / "export" / "indexsnapshots", caches / "indexesV2" / "snapshots")
        return Folders("jira.index.", "jira.index.size", (caches / "indexesV2", caches / "indexesV1"), places)
    if product is ProductType.CONFLUENCE:
        return Folders("conf.index.", "conf.index.bytes", (home / "index",))
    return None


class IndexSizes:
    """Looks once an hour; `clock` is monotonic, `now` the time of day that snapshots' ages are reckoned from."""

    def __init__(
        self, folders: Folders, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time
    ) -> None:
        self.prefix = folders.prefix
        self._folders = folders
        self._clock, self._now = clock, now
        self._next_s = float("-inf")

    def read(self) -> dict[str, int | float]:
        """Metric name to number; raises Missing when it is not due, not there, or too large to be looked at."""
        if self._clock() < self._next_s:
            raise Missing(NOT_DUE, "looked at once an hour")
        self._next_s = self._clock() + EVERY_S
        found: dict[str, int | float] = {}
        folder = next((folder for folder in self._folders.index if folder.is_dir()), None)
        if folder is not None:
            found[self._folders.size_metric] = self._size_of(folder)
        snapshots = [item for place in self._folders.snapshots for item in _snapshots(place)]
        if snapshots:
            changed_s, size = max(snapshots)
            found["jira.index.snapshot.size"] = size
            found["jira.index.snapshot.age"] = max(0.0, self._now() - changed_s)
            found["jira.index.snapshot.count"] = len(snapshots)
        if not found:
            raise Missing(NOT_PRESENT)
        return found

    def _size_of(self, folder: Path) -> int:
        ends_s = self._clock() + LONGEST_S
        total = files = 0
        waiting = [(folder, 0)]
        while waiting:
            place, depth = waiting.pop()
            with os.scandir(place) as entries:
                for entry in entries:
                    files += 1
                    if files > MOST_FILES or self._clock() > ends_s:
                        raise Missing(DEADLINE, f"more than {MOST_FILES} files or {LONGEST_S:g} s")
                    if entry.is_dir(follow_symlinks=False):
                        if depth >= DEEPEST:
                            raise Missing(DEADLINE, f"folders lie deeper than {DEEPEST}: this is no index")
                        if entry.name != "snapshots":
                            waiting.append((Path(entry.path), depth + 1))
                    elif entry.is_file(follow_symlinks=False):
                        total += _size(entry)
        return total


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0  # Lucene merged it away between two looks


def _snapshots(place: Path) -> list[tuple[float, int]]:
    """(changed, size) of each snapshot directly in a folder; no more than the first thousand names are looked at."""
    found = []
    try:
        with os.scandir(place) as entries:
            for entry, _ in zip(entries, range(1000), strict=False):
                if entry.name.startswith(SNAPSHOT) and entry.is_file(follow_symlinks=False):
                    facts = entry.stat(follow_symlinks=False)
                    found.append((facts.st_mtime, facts.st_size))
    except OSError:
        return []
    return found
