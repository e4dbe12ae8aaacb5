"""What the product's database lacks of what the statements read, in a sentence: for `status`, across restarts.

In:   the sentence as the source found it, "" when nothing is lacking. Out: the same.
"""

from __future__ import annotations

import sqlite3

from agent.store.database import Store
from agent.store.meta import meta, set_meta

KEY = "schema.lacks"


def load_lacks(store: Store) -> str:
    """The sentence of the last look, "" for nothing."""
    return meta(store, KEY) or ""


def save_lacks(connection: sqlite3.Connection, sentence: str) -> None:
    """Replace what is stored; part of the caller's transaction."""
    set_meta(connection, KEY, sentence or None)
