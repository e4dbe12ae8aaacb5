"""What the logs give is found by its name, so an entry needs no words of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.catalog.declaration import SourceDeclaration
from agent.catalog.model import Metric
from agent.settings import ProductType

if TYPE_CHECKING:
    from agent.settings import Settings


def _is_on(settings: Settings, entries: tuple[Metric, ...]) -> bool:
    own = settings.clientside
    # Bitbucket writes its access log into its home; of the others the installation tells where it lies.
    return own.enabled and (own.install is not None or settings.instance.product is ProductType.BITBUCKET)


DECLARATION = SourceDeclaration(
    names={"clientside": "the product's access and apdex logs, line by line; no line is kept"},
    order=80,
    page="log",
    is_on=_is_on,
    switch="[clientside] install = the folder where the product is installed",
)
