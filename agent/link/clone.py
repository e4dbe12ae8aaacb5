"""Notices a cloned machine: the same state folder under another machine id must not send as if it were the first.

In:  the store and this machine's id. The id is kept as a keyed hash and never leaves.
A machine without an id (a container) cannot be told apart; it is let through.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from agent.errors import StoreError
from agent.store.database import Store
from agent.store.meta import meta, set_meta

MACHINE_ID_FILE = Path("/etc/machine-id")
META_KEY = "machine"


def read_machine_id(path: Path = MACHINE_ID_FILE) -> str:
    """The machine's id; empty when it has none."""
    try:
        text = path.read_text("ascii", "replace").strip()
    except OSError:
        return ""
    return text if len(text) == 32 and text.isalnum() else ""


def check_clone(store: Store, machine_id: str) -> None:
    """Remember this machine at first, compare ever after. Raises StoreError on another machine than the first."""
    if not machine_id:
        return
    known = meta(store, META_KEY)
    if known is None:
        adopt_machine(store, machine_id)
        return
    if not hmac.compare_digest(known, _hash_of(machine_id)):
        raise StoreError(
            "This state folder was begun on another machine; nothing is sent from here.",
            why="Two machines with one identity would be taken for one, and their figures mixed "
            f"({store.folder} was copied, or the machine was cloned or set up anew).",
            do=f"On a clone: stop the service, rm -r {store.folder}, then portfolio-agent init and link. "
            "If this is the one machine that shall go on: portfolio-agent link",
        )


def adopt_machine(store: Store, machine_id: str) -> None:
    """Take this machine as the one the state folder belongs to."""
    with store.transaction() as connection:
        set_meta(connection, META_KEY, _hash_of(machine_id))


def _hash_of(machine_id: str) -> str:
    return hmac.digest(b"portfolio-agent machine", machine_id.encode("ascii"), hashlib.sha256).hex()
