"""The machine's figures are found by their names, so an entry needs no words of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.catalog.declaration import SourceDeclaration
from agent.catalog.model import Metric

if TYPE_CHECKING:
    from agent.settings import Settings


def _is_on(settings: Settings, entries: tuple[Metric, ...]) -> bool:
    return settings.host.enabled


DECLARATION = SourceDeclaration(
    names={"host": "this machine"}, order=10, page="machine", is_on=_is_on, switch="[host] enabled = true"
)
