"""The audit table: who did what, kept in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.store.audit import AuditEntry, current_actor, entries, record
from agent.store.database import open_store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    """What was recorded is read back oldest first, also by a reader that may not write."""
    store = open_store(tmp_path / "state")
    assert entries(store) == ()
    record(store, NOW, "root (sudo: alex)", "link.made", {"organisation": "Example", "known": None, "count": 2})
    record(store, NOW + timedelta(hours=1), "root", "link.removed", {})
    store.close()
    reader = open_store(tmp_path / "state", read_only=True)
    assert entries(reader) == (
        AuditEntry(1, NOW, "root (sudo: alex)", "link.made", {"organisation": "Example", "known": None, "count": 2}),
        AuditEntry(2, NOW + timedelta(hours=1), "root", "link.removed", {}),
    )
    reader.close()


def test_actor_names_the_person_behind_sudo() -> None:
    """The actor is the account, with the person behind sudo; a malformed SUDO_USER is left out."""
    plain = current_actor({})
    assert plain
    assert current_actor({"SUDO_USER": "x\nroot"}) == plain
    assert current_actor({"SUDO_USER": "\x1b[31m"}) == plain
    if plain == "root":
        assert current_actor({"SUDO_USER": "alex"}) == "root (sudo: alex)"
