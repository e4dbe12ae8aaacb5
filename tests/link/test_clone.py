"""A cloned machine stops before its first send."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import StoreError
from agent.link.clone import adopt_machine, check_clone, read_machine_id
from agent.store.database import FILE_NAME, open_store

FIRST, SECOND = "0123456789abcdef" * 2, "fedcba9876543210" * 2


def test_state_folder_on_another_machine_is_refused(tmp_path: Path) -> None:
    """The first machine is remembered; the same state folder under another machine id is refused until adopted."""
    store = open_store(tmp_path / "state")
    check_clone(store, FIRST)
    check_clone(store, FIRST)
    with pytest.raises(StoreError) as caught:
        check_clone(store, SECOND)
    assert "another machine" in caught.value.what
    assert "portfolio-agent link" in caught.value.do
    adopt_machine(store, SECOND)
    check_clone(store, SECOND)
    with pytest.raises(StoreError):
        check_clone(store, FIRST)
    store.close()


def test_machine_id_itself_is_not_stored(tmp_path: Path) -> None:
    """Only a keyed hash of the machine id is in the store."""
    store = open_store(tmp_path / "state")
    check_clone(store, FIRST)
    store.close()
    assert FIRST.encode() not in (tmp_path / "state" / FILE_NAME).read_bytes()


def test_machine_without_id_is_let_through(tmp_path: Path) -> None:
    """A container without machine id cannot be told apart and is not stopped."""
    store = open_store(tmp_path / "state")
    check_clone(store, "")
    check_clone(store, FIRST)
    check_clone(store, "")
    store.close()


@pytest.mark.parametrize(("text", "known"), [(f"{FIRST}\n", FIRST), ("", ""), ("uninitialized\n", ""), ("x" * 31, "")])
def test_machine_id_file(tmp_path: Path, text: str, known: str) -> None:
    """Only a well-formed machine id counts; a missing or unfinished one is none."""
    (tmp_path / "machine-id").write_text(text)
    assert read_machine_id(tmp_path / "machine-id") == known
    assert read_machine_id(tmp_path / "missing") == ""
