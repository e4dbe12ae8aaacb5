"""Installed apps are read from the database, from the product's app manager, or from whichever there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from agent.catalog.binding import Binding, Fact, SqlBinding
from agent.catalog.declaration import SourceDeclaration
from agent.catalog.model import Metric
from agent.catalog.reader import Reader
from agent.sources.listings.binding import check_rows

if TYPE_CHECKING:
    from agent.settings import Settings

APP_COLUMNS = ("app", "name", "version", "state", "origin", "licence", "evaluation", "licence_ends")
INSTANCE_COLUMNS = ("sen",)


@dataclass(frozen=True, slots=True)
class RestBinding(Binding):
    """Where a metric is read in what the product's own app manager answers, when an admin gives a login for it.

    `column` is a word of `APP_COLUMNS`; with `rows` each app is a series of its own, as for a statement. `count` is the
    number of apps, without a column. Neither: a fact of the instance, a word of `INSTANCE_COLUMNS`.
    """

    KEY: ClassVar[str] = "rest"

    column: str = ""
    rows: bool = False
    count: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, entry: Reader) -> RestBinding:
        """The column, and for rows what each further column is; all of them are words that the app manager has."""
        rest = entry.inside(cls.KEY)
        rest.only(("column", "rows", "count", "tags", "attributes"))
        rows, count = rest.switch("rows"), rest.switch("count")
        column = rest.text("column", required=not count)
        binding = cls(column, rows, count, rest.columns("tags"), rest.columns("attributes"))
        known = APP_COLUMNS if rows else INSTANCE_COLUMNS
        named = [*([] if count else [binding.column]), *binding.tags, *binding.attributes]
        for column in sorted(set(named) - set(known)):
            rest.fault("column", f"'{column}' is not one of {', '.join(known)}", column, known)
        if count and (rows or binding.column):
            rest.fault("count", "is the number of apps: it has no column and no rows of its own")
        if rows != bool(binding.tags) or (binding.attributes and not rows):
            rest.fault("tags", "tags and attributes belong to entries with rows = true, and tags to each of them")
        return binding

    def tag_names(self) -> frozenset[str]:
        """The tags of an app."""
        return frozenset(self.tags.values())

    def attribute_names(self) -> frozenset[str]:
        """The attributes of an app."""
        return frozenset(self.attributes.values())

    def read_from(self) -> tuple[str, ...]:
        """The app manager and the column."""
        return (f"the app manager over REST ([apps] rest_url), {self._column}",)

    def read_from_on_page(self, counts: Mapping[str, str]) -> Iterator[str]:
        """The app manager and what switches it on."""
        yield "app manager over REST, with `[apps] rest_url`"

    def facts(self) -> Mapping[str, Fact]:
        """The column."""
        return {"column": self._column}

    @property
    def _column(self) -> str:
        return "number of apps" if self.count else self.column


def _is_on(settings: Settings, entries: tuple[Metric, ...]) -> bool:
    """With a login for the app manager; else where the product's database tells of its apps."""
    in_database = any(metric.sql is not None for metric in entries)
    return settings.apps.rest_url is not None or (settings.database.enabled and in_database)


DECLARATION = SourceDeclaration(
    names={"apps": "the product's database, one row an app"},
    order=60,
    bindings=(SqlBinding, RestBinding),
    check=check_rows,
    is_on=_is_on,
    switch="[database] enabled = true, or [apps] rest_url",
    once_per_cluster=True,
)
