"""What a version of the product lacks is kept for `status`, and not written again at each tick."""

from __future__ import annotations

import contextlib
from pathlib import Path

from agent.catalog import load_catalog
from agent.runtime.resident.lacks import LacksKeeper
from agent.sources.inventory import Inventory
from agent.store import open_store
from agent.store.lacks import load_lacks
from tests.support.listings import change
from tests.support.product_databases import fill_sqlite
from tests.support.sources import sqlite_engine


def test_kept_until_it_changes(tmp_path: Path) -> None:
    """The sentence stands in the store after the first look, is not written twice, and goes when mended."""
    path = fill_sqlite("confluence", tmp_path / "db")
    change(path, "alter table confancestors rename to elsewhere")
    now = [0.0]
    inventory = Inventory(load_catalog("confluence"), clock=lambda: now[0])

    def look() -> None:
        with sqlite_engine(path).connect() as connection:
            inventory.look(connection)

    with contextlib.closing(open_store(tmp_path)) as store:
        keeper = LacksKeeper(store, inventory)
        keeper.save_if_changed()
        assert load_lacks(store) == ""
        look()
        keeper.save_if_changed()
        assert "no confancestors (build 9012)" in load_lacks(store)
        written = store.execute("PRAGMA data_version")[0][0], store.execute("SELECT total_changes()")[0][0]
        keeper.save_if_changed()
        assert written == (store.execute("PRAGMA data_version")[0][0], store.execute("SELECT total_changes()")[0][0])
        change(path, "alter table elsewhere rename to confancestors")
        now[0] += 3600
        look()
        keeper.save_if_changed()
        assert load_lacks(store) == ""
