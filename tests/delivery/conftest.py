"""One receiver for a folder of tests; emptied before each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.store import Store, open_store
from tests.support.cloud import Receiver, receiver


@pytest.fixture(scope="session")
def running_receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """The process; use `cloud`."""
    with receiver(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture
def cloud(running_receiver: Receiver) -> Receiver:
    """A receiver that remembers nothing and behaves."""
    folder = running_receiver.folder
    for name in ("control.json", "log.jsonl", "links.json"):
        (folder / name).unlink(missing_ok=True)
    for path in (folder / "batches").iterdir():
        path.unlink()
    shutil.rmtree(folder / "assessments")
    (folder / "assessments").mkdir()
    return running_receiver


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    opened = open_store(tmp_path / "state")
    yield opened
    opened.close()
