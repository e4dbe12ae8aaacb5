"""Jira's Apdex log: satisfaction with "ready for user", an hour and a kind of page a line.

In:   `atlassian-jira-apdex.log` in the local home's `log` folder, one line an hour for each page and node.
Out:  views by satisfaction for each page, and their Apdex from 0 to 100, computed from these counts. Pages with fewer
      than `smallest` views wait for more. A page whose key is not one of Jira's own words is counted as "other".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from agent.sources.clientside.figures import Found

FILE_NAME = "atlassian-jira-apdex.log"
FOLDER = "log"
LINE = re.compile(
    rb"^[^\n]{1,64}?category: ([^,\n]{1,200}), apdex: \{([^}\n]{1,200})\}[^\n]*+\n",
    re.MULTILINE,
)
FIELD = re.compile(rb"(satisfied|tolerating|frustrated)Count=(\d{1,12})(?!\d)")
# Jira's own keys: no digit and no capital, which a project key, an issue key or a user's word may have.
PAGE = re.compile(rb"overall|jira(?:\.[a-z]{2,20}(?:-[a-z]{1,20}){0,3}){1,4}")
OTHER = "other"
MOST_PAGES = 64
KINDS = ("satisfied", "tolerating", "frustrated")


def accepts(name: str) -> bool:
    """Whether a file is the log or one that was rotated away."""
    return bool(re.fullmatch(re.escape(FILE_NAME) + r"(?:[.-]\d[-\d]{0,10})?(?:\.gz)?", name))


class Apdex:
    """Counts by page, since the counters began: told and waiting of each kind, in the order of KINDS."""

    def __init__(self, smallest: int) -> None:
        self._smallest = smallest
        self._pages: dict[str, list[int]] = {}

    def dump(self) -> dict[str, list[int]]:
        """The counters as plain numbers."""
        return self._pages

    def load(self, document: Mapping[str, Any]) -> None:
        """Go on from a `dump()`; raises TypeError or ValueError for anything else."""
        for page, numbers in document.items():
            if len(numbers) != 2 * len(KINDS) or not all(type(number) is int for number in numbers):
                raise ValueError("these are not the counters of this version")
            self._pages[page] = numbers

    def count(self, lines: bytes) -> None:
        """Add the views of some lines; what is no line of the log's form is passed over."""
        for key, body in LINE.findall(lines):
            found = {kind: int(number) for kind, number in FIELD.findall(body)}
            if len(found) != len(KINDS):
                continue
            numbers = self._pages.setdefault(self._page(key), [0] * 2 * len(KINDS))
            for position, kind in enumerate(KINDS):
                numbers[2 * position + 1] += found[kind.encode()]

    def _page(self, key: bytes) -> str:
        page = key.decode("ascii") if PAGE.fullmatch(key) else OTHER
        return page if page in self._pages or len(self._pages) < MOST_PAGES else OTHER

    def tell(self, known: set[str]) -> Iterator[Found]:
        """What may be told now. A page that is not in `known` is told as 0 first, so that its first views count as an
        increase; it is in `known` from then on."""
        for page, numbers in sorted(self._pages.items()):
            tags = (("page", page),)
            views = sum(numbers[1::2])
            if page in known and views >= self._smallest:
                satisfied, tolerating, _ = numbers[1::2]
                yield "clientside.apdex.score", 100 * (satisfied + tolerating / 2) / views, tags
                numbers[:] = [
                    number
                    for told, waiting in zip(numbers[::2], numbers[1::2], strict=True)
                    for number in (told + waiting, 0)
                ]
            known.add(page)
            for position, kind in enumerate(KINDS):
                yield "clientside.apdex.views", numbers[2 * position], (*tags, ("satisfaction", kind))
