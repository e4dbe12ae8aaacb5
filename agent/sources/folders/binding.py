"""Which folder of the product's homes an entry measures, and what is told of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from agent.catalog.binding import Binding, Fact
from agent.catalog.declaration import SourceDeclaration
from agent.catalog.reader import Reader

PLACE = r"(local|shared):([\w-]+(?:/[\w-]+)*)"  # no dot: nothing leads out of the home


class FolderFigure(StrEnum):
    """What is told of a folder: all bytes below it, or number, size and age in seconds of the newest of its files."""

    BYTES = "bytes"
    COUNT = "count"
    NEWEST_BYTES = "newest-bytes"
    NEWEST_AGE = "newest-age"


@dataclass(frozen=True, slots=True)
class HomeFolder:
    """A folder below one of the product's homes: `home` is "local" or "shared"."""

    home: str
    path: str

    def __str__(self) -> str:
        return f"{self.home}:{self.path}"


@dataclass(frozen=True, slots=True)
class FolderBinding(Binding):
    """Where a figure of a folder is read. Versions differ in the place: of BYTES the first that exists counts.

    `files` are the names that count for the other figures, as patterns, over all places; `without` names subfolders
    that do not belong to the size.
    """

    KEY: ClassVar[str] = "folder"

    places: tuple[HomeFolder, ...]
    figure: FolderFigure
    files: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @classmethod
    def parse(cls, entry: Reader) -> FolderBinding:
        """Places, figure, and for all figures but bytes the names of files."""
        folder = entry.inside(cls.KEY)
        folder.only(("places", "figure", "files", "without"))
        places = []
        for text in folder.texts("places"):
            found = re.fullmatch(PLACE, text)
            if found is None:
                folder.fault("places", "must be local: or shared: and a relative path")
            else:
                places.append(HomeFolder(found[1], found[2]))
        figure, files = FolderFigure(folder.choice("figure", FolderFigure)), folder.texts("files")
        if not folder.table.get("places"):
            folder.fault("places", "is missing")
        if (figure is FolderFigure.BYTES) == bool(files):
            folder.fault("files", f"belongs to each figure but {FolderFigure.BYTES}")
        return cls(tuple(places), figure, files, folder.texts("without"))

    def read_from(self) -> tuple[str, ...]:
        """Each folder with what is told of it."""
        only = f" of {', '.join(self.files)}" if self.files else ""
        without = f", without {', '.join(self.without)}" if self.without else ""
        return tuple(f"{place} of the product's homes: {self.figure}{only}{without}" for place in self.places)

    def read_from_on_page(self, counts: Mapping[str, str]) -> Iterator[str]:
        """The folders of the product's homes, without their names."""
        yield "folders"

    def facts(self) -> Mapping[str, Fact]:
        """The folders, the figure and its files."""
        return {
            "places": tuple(str(place) for place in self.places),
            "figure": str(self.figure),
            "files": self.files,
            "without": self.without,
        }


DECLARATION = SourceDeclaration(
    names={"folders": "folders of the product's homes"}, order=20, bindings=(FolderBinding,)
)
