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

LICENCE = "licence"
PRODUCT_LOGIN = "product"  # the word of `DatabaseLogin`; settings are not imported with every catalog


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
    """The licence's text only where it may be read anyway: an account of the agent's own is not granted it."""
    if not settings.database.enabled or entries[0].source != LICENCE:
        return settings.database.enabled
    return settings.instance.licence and settings.database.login == PRODUCT_LOGIN


DECLARATION = SourceDeclaration(
    names={
        LICENCE: "the licence in the product's database, decoded in memory",
        "flags": "the product's database, one row a flag",
        "links": "the product's database, one row a link",
        "nodes": "the product's database, one row a node",
    },
    order=70,
    bindings=(SqlBinding,),
    check=check_rows,
    is_on=_is_on,
    switch='[database] enabled = true; for the licence also login = "product", and [instance] licence = true',
    once_per_cluster=True,
)
