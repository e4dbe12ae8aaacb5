"""What goes wrong with a catalog: its files, or what was compiled from them."""

from __future__ import annotations

from agent.errors import ConfigError


class CatalogError(ConfigError):
    """All faults of the catalog files together; `mistakes` names file and field of each."""
