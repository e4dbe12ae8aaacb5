"""Jira's Apdex log: satisfaction with "ready for user", an hour and a kind of page a line.

In:   `atlassian-jira-apdex.log` in the local home's `log` folder, one line an hour for each page and node.
Out:  views by satisfaction for each page, and their Apdex from 0 to 100, computed from these counts. Each count grows
      by `smallest` views or more at once; the score waits until each satisfaction it is over has none or as many.
      A page whose key is not made of Jira's own words is counted as "other". Of "overall", the sum of all pages, only
      the score is told: its views less those of the pages would tell of a page that is kept back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from agent.sources.clientside.figures import Found, Group, large_enough

FILE_NAME = "atlassian-jira-apdex.log"
FOLDER = "log"
LINE = re.compile(
    rb"^[^\n]{1,64}?category: ([^,\n]{1,200}), apdex: \{([^}\n]{1,200})\}[^\n]*+\n",
    re.MULTILINE,
)
FIELD = re.compile(rb"(satisfied|tolerating|frustrated)Count=(\d{1,12})(?!\d)")
# What Jira's own keys are made of. An app or a script in a page may report any key, with a person's or a project's name
# in it, so the look of a key decides nothing: every word has to be one of these.
_WORD = (
    "activity|add|admin|age|agent|agents|agile|all|application|applications|archive|archived|article|articles|"
    "asset|assets|assign|assigned|attachment|attachments|audit|automation|average|backlog|base|board|boards|"
    "browse|bubble|bulk|burndown|burnup|calendar|capacity|chart|clone|close|comment|comments|component|"
    "components|configure|content|control|convert|create|created|cumulative|customer|customers|cycle|dashboard|"
    "dashboards|days|delete|detail|detailed|details|diagram|dialog|dimensional|directory|dropdown|edit|epic|"
    "epics|error|export|favorite|favourite|favourites|field|fields|filter|filters|flow|full|gadget|gadgets|gantt|"
    "global|grid|group|groups|header|health|heat|heatmap|history|home|iframe|import|in|index|indexing|inline|"
    "insight|introduction|issue|issues|jira|kanban|knowledge|labels|landing|level|license|link|links|list|log|"
    "login|mail|manage|map|me|menu|modal|move|nav|navigation|navigator|new|notification|number|object|objects|"
    "onboarding|open|organization|over|page|panel|permission|pie|piechart|pivot|plan|plans|plugins|portal|"
    "portfolio|priorities|priority|profile|program|programs|progress|project|projects|queue|queues|quick|"
    "quicklinks|rank|rapid|recent|recently|release|releases|remaining|remove|report|reports|request|requests|"
    "resolution|resolutions|resolved|rest|restore|results|road|roadmap|role|roles|rule|rules|schema|schemas|"
    "scheme|screen|screens|scrum|search|security|service|servicedesk|services|settings|share|sidebar|since|"
    "single|sla|software|spacer|split|sprint|sprints|statistics|stats|status|statuses|stream|streams|subtask|"
    "summary|system|tab|table|tabs|team|teams|text|time|timeline|to|transition|two|type|types|upm|user|users|"
    "velocity|version|versions|view|vote|voted|vs|wallboard|watch|watched|watching|welcome|work|workflow|"
    "workflows|workload|worklog"
)
WORDS = tuple(_WORD.split("|"))
PAGE = re.compile(rf"overall|jira(?:\.(?:{_WORD})(?:-(?:{_WORD})){{0,3}}){{1,4}}".encode())
OTHER = "other"
ALL_PAGES = "overall"
MOST_PAGES = 64
KINDS = ("satisfied", "tolerating", "frustrated")


def accepts(name: str) -> bool:
    """Whether a file is the log or one that was rotated away."""
    return bool(re.fullmatch(re.escape(FILE_NAME) + r"(?:[.-]\d[-\d]{0,10})?(?:\.gz)?", name))


class Apdex:
    """Views by page, since the counters began: a counter of each kind and what the next score is over, as in KINDS."""

    def __init__(self, smallest: int) -> None:
        self._smallest = smallest
        self._pages: dict[str, tuple[list[Group], list[int]]] = {}

    def dump(self) -> dict[str, list[int]]:
        """The counters as plain numbers: released, waiting, for the score, of each kind."""
        return {
            page: [
                number
                for group, scored in zip(groups, unscored, strict=True)
                for number in (group.released, group.waiting, scored)
            ]
            for page, (groups, unscored) in self._pages.items()
        }

    def load(self, document: Mapping[str, Any]) -> None:
        """Go on from a `dump()`; raises TypeError or ValueError for anything else."""
        for page, numbers in document.items():
            if len(numbers) != 3 * len(KINDS) or not all(type(number) is int for number in numbers):
                raise ValueError("these are not the counters of this version")
            groups = [Group(released, waiting) for released, waiting in zip(numbers[::3], numbers[1::3], strict=True)]
            self._pages[page] = groups, numbers[2::3]

    def count(self, lines: bytes) -> int:
        """Add the views of some lines and say how many were read; what has not the log's form is passed over."""
        read = 0
        for key, body in LINE.findall(lines):
            found = {kind: int(number) for kind, number in FIELD.findall(body)}
            if len(found) != len(KINDS):
                continue
            read += 1
            groups, unscored = self._pages.setdefault(self._page(key), ([Group() for _ in KINDS], [0] * len(KINDS)))
            for position, kind in enumerate(KINDS):
                groups[position].waiting += found[kind.encode()]
                unscored[position] += found[kind.encode()]
        return read

    def _page(self, key: bytes) -> str:
        page = key.decode("ascii") if PAGE.fullmatch(key) else OTHER
        return page if page in self._pages or len(self._pages) < MOST_PAGES else OTHER

    def tell(self, known: set[str]) -> Iterator[Found]:
        """What may be told now. A page that is not in `known` is told as 0 first, so that its first views count as an
        increase; it is in `known` from then on."""
        for page, (groups, unscored) in sorted(self._pages.items()):
            tags = (("page", page),)
            if page in known:
                for group in groups:
                    group.ripen(self._smallest)
                if large_enough(unscored, self._smallest):
                    satisfied, tolerating, _ = unscored
                    yield "clientside.apdex.score", 100 * (satisfied + tolerating / 2) / sum(unscored), tags
                    unscored[:] = [0] * len(KINDS)
            known.add(page)
            for kind, group in zip(KINDS, groups, strict=True) if page != ALL_PAGES else ():
                yield "clientside.apdex.views", group.released, (*tags, ("satisfaction", kind))
