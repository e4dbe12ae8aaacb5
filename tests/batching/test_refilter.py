"""Lowered consent: nothing above it stays on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.batching import reseal, seal
from agent.model import Batch, Consent, ConsentLevel, Hour
from agent.store import Store, open_store, outbox
from agent.store.database import FILE_NAME
from agent.store.outbox import BatchState
from tests.support.batches import BASIC, EXTENDED, IDENTITY, SEALED_AT, batch, hour, record


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def put(store: Store, *batches: Batch) -> None:
    with store.transaction() as connection:
        for one in batches:
            outbox.put(connection, one)


def rebuild(at: Hour, revision: int) -> list[Batch]:
    return seal([record("fewer.fields", at.start)], IDENTITY, at, revision, BASIC, "1.0.0", SEALED_AT)


def never(at: Hour, revision: int) -> list[Batch]:
    raise AssertionError("nothing had to be rebuilt")


def on_disk(store: Store, content: bytes) -> bool:
    """Whether `content` stands anywhere in the store's files, freed pages and log included."""
    piece = content[40:120]
    files = [path for path in store.folder.iterdir() if path.name.startswith(FILE_NAME)]
    return any(piece in path.read_bytes() for path in files)


def test_lowered_consent_replaces_what_waits(store: Store) -> None:
    """Extended batches are sealed again under Basic with new ids; their bytes are gone from every file of the store."""
    secret = batch(0, consent=EXTENDED, entries=60)
    put(store, secret, batch(1))
    assert on_disk(store, secret.body)
    done = reseal(store, rebuild, BASIC, SEALED_AT)
    assert (done.replaced, done.sealed, done.purged) == (1, 1, 0)
    assert [(one.hour, one.consent.level) for one in outbox.waiting(store)] == [
        (hour(0), ConsentLevel.BASIC), (hour(1), ConsentLevel.BASIC),
    ]  # fmt: skip
    assert secret.id not in [one.id for one in outbox.waiting(store)]
    assert not on_disk(store, secret.body)


def test_figures_no_longer_stored_are_purged(store: Store) -> None:
    """What cannot be filtered again is purged rather than sent."""
    secret = batch(0, consent=EXTENDED, entries=60)
    put(store, secret)
    done = reseal(store, lambda at, revision: [], BASIC, SEALED_AT)
    assert (done.sealed, done.purged) == (0, 1)
    assert list(outbox.waiting(store)) == []
    assert not on_disk(store, secret.body)


def test_consent_none_purges_everything(store: Store) -> None:
    """Without consent nothing waits, and nothing is even rebuilt (T4)."""
    put(store, batch(0), batch(1, consent=EXTENDED))
    done = reseal(store, never, Consent(ConsentLevel.NONE, "2026-11"), SEALED_AT)
    assert done.purged == 2
    assert list(outbox.waiting(store)) == []


def test_delivered_bodies_above_the_level_are_purged_too(store: Store) -> None:
    """A delivered body that only waited for a bundle must not enter one under less consent."""
    put(store, batch(0, consent=EXTENDED))
    with store.transaction() as connection:
        outbox.acknowledge(connection, batch(0, consent=EXTENDED).id, "202", SEALED_AT)
    reseal(store, never, BASIC, SEALED_AT)
    assert outbox.load(store, batch(0, consent=EXTENDED).id) is None
    assert [row.state for row in outbox.rows(store)] == [BatchState.ACKNOWLEDGED], "that it was delivered stays true"


def test_widened_consent_changes_nothing(store: Store) -> None:
    """What was sealed under less may leave under more, under its own id."""
    put(store, batch(0))
    assert reseal(store, never, EXTENDED, SEALED_AT).replaced == 0
    assert [one.id for one in outbox.waiting(store)] == [batch(0).id]
