"""Which versions of a product an entry or a statement is for, compared as numbers.

In:   the words of the catalog ("9 and later", "8.3 to 10.7", "up to 9.5", with more words behind ";" or ":"; any other
      words are for all), a version ("10.3.2") or a build number of four, five, six, seven or eight digits.
Out:  whether a version is among them. One that is not known is among all: what is not there is then "not-present".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

Version = tuple[int, ...]

_NUMBER = r"([0-9]{1,6}(?:\.[0-9]{1,6}){0,3})"
_FROM = re.compile(rf"{_NUMBER} and later\b")
_BETWEEN = re.compile(rf"{_NUMBER} to {_NUMBER}\b")
_TO = re.compile(rf"up to {_NUMBER}\b")
# Known pairs of build number and version, the smallest build of each that is known; between two it is not known.
_BUILDS = {"confluence": ((9111, 9200, (9, 2)), (9405, 9500, (10, 2)))}


@dataclass(frozen=True, slots=True)
class VersionRange:
    """From and to, both included, as far as their numbers go: up to 9.5 holds for 9.5.4. None is no bound."""

    first: Version | None = None
    last: Version | None = None

    @classmethod
    def parse(cls, words: str) -> Self:
        """The range in these words; all versions where they name none."""
        if found := _BETWEEN.match(words):
            return cls(version(found[1]), version(found[2]))
        if found := _FROM.match(words):
            return cls(version(found[1]), None)
        if found := _TO.match(words):
            return cls(None, version(found[1]))
        return cls()

    def holds(self, known: Version | None) -> bool:
        """Whether a version is among them; one that is not known is."""
        if known is None:
            return True
        if self.first is not None and known < self.first[: len(known)]:
            return False
        return self.last is None or known[: len(self.last)] <= self.last


def version(text: str) -> Version | None:
    """The leading numbers of a version; None when it does not begin with one."""
    found = re.match(_NUMBER, text.strip())
    return tuple(map(int, found[1].split("."))) if found else None


def version_of_build(product: str, build: str) -> Version | None:
    """Major and minor version of a build number; None where it does not tell.

    Jira writes them into it: 820010 is 8.20, 9120004 is 9.12, 10030002 is 10.3. Other products count on.
    """
    if not build.isascii() or not build.isdecimal() or len(build) > 9:
        return None
    number = int(build)
    if product == "jira":
        if len(build) == 6:
            return number // 100_000, number // 1_000 % 100
        return (number // 1_000_000, number // 10_000 % 100) if len(build) in (7, 8) else None
    return next((known for first, end, known in _BUILDS.get(product, ()) if first <= number < end), None)
