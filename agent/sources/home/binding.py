"""Which fact of the product's own files an entry tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from agent.catalog.binding import Binding, Fact
from agent.catalog.declaration import SourceDeclaration
from agent.catalog.reader import Reader


class HomeFact(StrEnum):
    """What the product's own files may tell of the instance."""

    VERSION = "version"
    BUILD = "build"
    BASE_URL = "base-url"
    SERVER_ID = "server-id"
    CLUSTERED = "clustered"
    # What is kept of the licence text; all else in it is dropped while it is decoded.
    LICENCE_SEN = "licence-sen"
    LICENCE_KIND = "licence-kind"
    LICENCE_USERS = "licence-users"
    LICENCE_EXPIRES = "licence-expires"
    LICENCE_MAINTENANCE_ENDS = "licence-maintenance-ends"


LICENCE = "licence-"
LICENCE_ATTRIBUTES = frozenset({"user_limit", "evaluation", "data_center"})


@dataclass(frozen=True, slots=True)
class HomeBinding(Binding):
    """`home = "version"`: the fact itself; which file tells it is each product's own matter (product/homes/)."""

    KEY: ClassVar[str] = "home"

    fact: HomeFact

    def attribute_names(self) -> frozenset[str]:
        """The kind of a licence says more of it."""
        return LICENCE_ATTRIBUTES if self.fact is HomeFact.LICENCE_KIND else frozenset()

    @classmethod
    def parse(cls, entry: Reader) -> HomeBinding:
        """The fact, one of those there are."""
        return cls(HomeFact(entry.choice(cls.KEY, HomeFact)))

    def read_from(self) -> tuple[str, ...]:
        """The fact by its name."""
        return (f"the product's own files: {self.fact}",)

    def read_from_on_page(self, counts: Mapping[str, str]) -> Iterator[str]:
        """The fact by its name."""
        yield from self.read_from()

    def facts(self) -> Mapping[str, Fact]:
        """The fact by its name."""
        return {"fact": str(self.fact)}


DECLARATION = SourceDeclaration(names={"home": "the product's own files"}, order=30, bindings=(HomeBinding,))
