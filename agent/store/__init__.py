"""The agent's own SQLite file: ticks, closed hours, sealed batches, ledger and audit; durable before acknowledged."""

from agent.store.database import InstanceLock, Store, open_store

__all__ = ["InstanceLock", "Store", "open_store"]
