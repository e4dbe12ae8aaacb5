"""The ledger: a row before each request, completed once."""

from __future__ import annotations

from pathlib import Path

from agent.store import ledger, open_store
from agent.store.ledger import Carried
from tests.support.batches import SEALED_AT, batch

CARRIED = Carried.of(batch())


def test_row_without_answer_says_so_and_is_completed_once(tmp_path: Path) -> None:
    """A row stands before its request; the answer is added once and never changes afterwards."""
    store = open_store(tmp_path)
    with store.transaction() as connection:
        number = ledger.record(connection, CARRIED, way="push", destination="cloud.example.com", at=SEALED_AT)
    (row,) = ledger.rows(store)
    assert (row.answer, row.size_bytes, row.sha256) == ("sent, no answer seen", len(batch().body), batch().sha256)
    with store.transaction() as connection:
        ledger.complete(connection, number, "202 acknowledged")
        ledger.complete(connection, number, "something else")
        ledger.withdraw(connection, number)
    assert [row.answer for row in ledger.rows(store)] == ["202 acknowledged"]
    store.close()


def test_withdrawn_row_is_gone(tmp_path: Path) -> None:
    """A request that failed before its first byte left nothing behind."""
    store = open_store(tmp_path)
    with store.transaction() as connection:
        number = ledger.record(connection, CARRIED, way="push", destination="cloud.example.com", at=SEALED_AT)
        ledger.withdraw(connection, number)
    assert ledger.rows(store) == []
    store.close()
