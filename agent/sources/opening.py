"""What is handed to a source when it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.catalog import Catalog
from agent.model import ConsentLevel
from agent.product.database.gate import Gate
from agent.settings import Settings
from agent.sources.governor import CostGovernor
from agent.sources.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Opening:
    """What a source may be given when it is opened; each takes what it needs.

    `level` tells the consent level in force whenever it is called: names are read under Extended only. `governor` holds
    what the queries cost in earlier processes. `gate` and `inventory` are shared by all that read the product's
    database.
    """

    name: str
    settings: Settings
    catalog: Catalog
    level: Callable[[], ConsentLevel]
    governor: CostGovernor
    gate: Gate
    inventory: Inventory
