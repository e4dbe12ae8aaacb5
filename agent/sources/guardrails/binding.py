"""A guardrail is a column of a statement that gives one row (`SqlBinding`, which listings have too)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.catalog.binding import SqlBinding
from agent.catalog.declaration import SourceDeclaration
from agent.catalog.model import Metric
from agent.catalog.reader import Reader
from agent.model import Category

if TYPE_CHECKING:
    from agent.settings import Settings


def _check(metric: Metric, entry: Reader) -> None:
    if metric.sql is not None and (metric.sql.rows or metric.sql.count):
        entry.fault("sql", "rows or count belongs to entries of a listing, and to each of them")


def _is_on(settings: Settings, entries: tuple[Metric, ...]) -> bool:
    return settings.database.enabled


def _tells_what_stands_here(metric: Metric) -> bool:
    """The version a node's own connection sees may differ from another node's for an hour of an upgrade."""
    return metric.category is Category.INSTANCE


DECLARATION = SourceDeclaration(
    names={"guardrails": "the product's database, one row each"},
    order=50,
    bindings=(SqlBinding,),
    check=_check,
    is_on=_is_on,
    switch="[database] enabled = true",
    once_per_cluster=True,
    of_each_node=_tells_what_stands_here,
)
