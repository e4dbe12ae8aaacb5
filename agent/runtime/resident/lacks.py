"""Keeps what the product's database lacks where `status` finds it: written when it changed, never at each tick."""

from __future__ import annotations

from agent.sources.inventory import Inventory
from agent.store import Store
from agent.store.lacks import load_lacks, save_lacks


class LacksKeeper:
    """What one inventory found, beside the store of this node."""

    def __init__(self, store: Store, inventory: Inventory) -> None:
        self._store = store
        self._inventory = inventory
        self._saved: str | None = None

    def save_if_changed(self) -> None:
        """Save what the last look found, once. Raises StoreError."""
        sentence = self._inventory.sentence
        if sentence is None or sentence == self._saved:
            return
        if sentence != load_lacks(self._store):
            with self._store.transaction() as connection:
                save_lacks(connection, sentence)
        self._saved = sentence
