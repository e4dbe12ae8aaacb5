"""Counts requests by class without ever telling of a small group.

In:   (path beginning, status, duration) of each request, in any portions. Durations in the log's unit.
Out:  counters that only ever grow by `smallest` or more at once: what has come together is kept back until the group is
      large enough, and told then. So no difference of two values, over whatever time, is about fewer requests: the
      border holds for each tick, hence for each hour. A share is told only when the requests it is over, the errors
      among them and the others are each none or `smallest` at least; until then it goes on gathering. Percentiles are
      told for a class when it grows, over exactly the requests it grew by.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.model import Value
from agent.sources.clientside.classes import CLASS_OF, CLASSES, OTHER

STATUSES = ("2xx", "3xx", "4xx", "5xx")
BOUNDS_MS = (50, 100, 250, 500, 1000, 2500, 5000, 10_000)
BOUND_NAMES = (*(str(bound) for bound in BOUNDS_MS), "inf")
PERCENTS = (50, 95, 99)
LONGEST_US = 2**42 - 1  # 50 days; longer is a fault of the log
SUB_BITS = 3  # eight steps to a doubling: a percentile is right within 6 %
CELLS = (42 - SUB_BITS + 1) << SUB_BITS

Tags = tuple[tuple[str, str], ...]
Found = tuple[str, Value, Tags]
Row = tuple[bytes, bytes, bytes]


@dataclass(slots=True)
class Group:
    """One counter: what was released, and what waits until there is enough of it."""

    released: int = 0
    waiting: int = 0

    def ripen(self, smallest: int) -> bool:
        """Release what waits if that is at least `smallest`."""
        if self.waiting < smallest:
            return False
        self.released, self.waiting = self.released + self.waiting, 0
        return True


def large_enough(parts: Iterable[int], smallest: int) -> bool:
    """Whether something may be told that shows how a whole falls into these parts: each is empty or no small group."""
    sizes = list(parts)
    return any(sizes) and all(size == 0 or size >= smallest for size in sizes)


@dataclass(slots=True)
class ClassFigures:
    """One request class. `cells` holds the waiting requests' durations finely; it is not part of a checkpoint.

    `answered` and `errors` are the requests that the next share of errors is over.
    """

    requests: Group = field(default_factory=Group)
    statuses: list[Group] = field(default_factory=lambda: [Group() for _ in STATUSES])
    durations: list[Group] = field(default_factory=lambda: [Group() for _ in BOUND_NAMES])
    sum_us: Group = field(default_factory=Group)
    answered: int = 0
    errors: int = 0
    cells: list[int] = field(default_factory=lambda: [0] * CELLS)

    def groups(self) -> list[Group]:
        """All counters in a fixed order."""
        return [self.requests, *self.statuses, *self.durations, self.sum_us]


class Requests:
    """The figures of all classes, since the counters began."""

    def __init__(self, smallest: int) -> None:
        self._smallest = smallest
        self._classes = {name: ClassFigures() for name in CLASSES}
        # Newer Tomcats write - for a query that is not there, so "%U%q" gives "/status-".
        self._of_path = {path + end: self._classes[name] for path, name in CLASS_OF.items() for end in (b"", b"-")}

    def dump(self) -> dict[str, object]:
        """The counters as plain numbers."""
        return {
            name: [
                [number for group in figures.groups() for number in (group.released, group.waiting)],
                [figures.answered, figures.errors],
            ]
            for name, figures in self._classes.items()
        }

    def load(self, document: Mapping[str, Any]) -> None:
        """Go on from a `dump()`; raises KeyError, TypeError or ValueError for anything else."""
        for name, figures in self._classes.items():
            numbers, (answered, errors) = document[name]
            groups = figures.groups()
            if len(numbers) != 2 * len(groups) or not all(type(item) is int for item in (*numbers, answered, errors)):
                raise ValueError("these are not the counters of this version")
            for group, released, waiting in zip(groups, numbers[::2], numbers[1::2], strict=True):
                group.released, group.waiting = released, waiting
            figures.answered, figures.errors = answered, errors

    def cells(self) -> dict[str, list[int]]:
        """A copy of the durations that wait, which are in no `dump()`."""
        return {name: figures.cells[:] for name, figures in self._classes.items()}

    def put_back(self, cells: Mapping[str, list[int]]) -> None:
        """Go on from an earlier `cells()`."""
        for name, figures in self._classes.items():
            figures.cells = cells[name][:]

    def count(self, rows: Iterable[Row], order: tuple[int, int, int], unit_us: int | None) -> None:
        """Add the requests of some lines; `order` is where path, status and duration stand in a row."""
        at_path, at_status, at_duration = order
        of_path, other = self._of_path, self._classes[OTHER]
        bounds_us = [1000 * bound for bound in BOUNDS_MS]
        for row in rows:
            figures = of_path.get(row[at_path], other)
            figures.requests.waiting += 1
            kind = row[at_status][:1]
            if kind in b"2345" and kind:
                figures.statuses[kind[0] - 50].waiting += 1
                figures.answered += 1
                figures.errors += kind == b"5"
            if unit_us is not None and (text := row[at_duration]):
                taken_us = int(float(text) * unit_us) if b"." in text else int(text) * unit_us
                if taken_us > LONGEST_US:
                    taken_us = LONGEST_US
                figures.sum_us.waiting += taken_us
                figures.durations[bisect_left(bounds_us, taken_us)].waiting += 1
                figures.cells[cell_of(taken_us)] += 1

    def tell(self) -> Iterator[Found]:
        """What may be told now: every counter, and the shares and percentiles of the classes that grew."""
        for name, figures in self._classes.items():
            tags = (("class", name),)
            grew = figures.requests.waiting
            # Percentiles over what ripened and nothing else: over all, the difference of two of them could be about one
            # request.
            if figures.requests.ripen(self._smallest):
                yield from _percentiles(figures, grew, tags)
                figures.sum_us.ripen(0)
                figures.cells = [0] * CELLS
            if large_enough((figures.errors, figures.answered - figures.errors), self._smallest):
                yield "clientside.requests.error_percent", 100 * figures.errors / figures.answered, tags
                figures.answered = figures.errors = 0
            yield "clientside.requests", figures.requests.released, tags
            yield "clientside.requests.duration_sum", figures.sum_us.released / 1000, tags
            for status, group in zip(STATUSES, figures.statuses, strict=True):
                group.ripen(self._smallest)
                yield "clientside.requests.by_status", group.released, (*tags, ("status", status))
            for bound, group in zip(BOUND_NAMES, figures.durations, strict=True):
                group.ripen(self._smallest)
                yield "clientside.requests.by_duration", group.released, (*tags, ("upTo", bound))


def _percentiles(figures: ClassFigures, grew: int, tags: Tags) -> Iterator[Found]:
    timed = sum(figures.cells)
    if timed * 2 < grew:
        return  # most durations are not known: the log has none, or the agent began anew in between
    for percent in PERCENTS:
        yield f"clientside.response.p{percent}", percentile_us(figures.cells, timed, percent) / 1000, tags


def cell_of(value: int) -> int:
    """The cell of a number: exact below 16, then eight cells to a doubling."""
    shift = value.bit_length() - SUB_BITS - 1
    return value if shift <= 0 else (shift << SUB_BITS) + (value >> shift)


def middle_of(cell: int) -> float:
    """The number in the middle of a cell."""
    if cell < 2 << SUB_BITS:
        return cell
    shift = (cell >> SUB_BITS) - 1
    first = (cell - (shift << SUB_BITS)) << shift
    return first + ((1 << shift) - 1) / 2


def percentile_us(cells: list[int], count: int, percent: int) -> float:
    """The nearest-rank percentile over `count` numbers, within 6 %."""
    rank = max(1, -(-count * percent // 100))
    for cell, number in enumerate(cells):
        rank -= number
        if rank <= 0:
            return middle_of(cell)
    raise ValueError("the cells hold fewer numbers than counted")
