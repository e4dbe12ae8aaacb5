"""A listing is a statement that gives many rows, each a series of its own, or the number of those rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.catalog.binding import SqlBinding
from agent.catalog.declaration import SourceDeclaration
from agent.catalog.model import Metric
from agent.catalog.reader import Reader
from agent.model import Kind

if TYPE_CHECKING:
    from agent.settings import Settings


def check_rows(metric: Metric, entry: Reader) -> None:
    """An entry reads rows or their number, and is of a kind that fits."""
    sql = metric.sql
    if sql is None:
        return
    if not (sql.rows or sql.count):
        entry.fault("sql", "rows or count belongs to entries of a listing, and to each of them")
    if sql.rows and metric.kind is Kind.COUNTER:
        entry.fault("kind", "rows are gauges or info")
    if sql.count and metric.kind is not Kind.GAUGE:
        entry.fault("kind", "a number of rows is a gauge")


def _is_on(settings: Settings, entries: tuple[Metric, ...]) -> bool:
    return settings.database.enabled


DECLARATION = SourceDeclaration(
    names={
        "flags": "the product's database, one row a flag",
        "links": "the product's database, one row a link",
        "nodes": "the product's database, one row a node",
    },
    order=70,
    bindings=(SqlBinding,),
    check=check_rows,
    is_on=_is_on,
    once_per_cluster=True,
)
