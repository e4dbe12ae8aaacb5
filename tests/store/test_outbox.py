"""The outbox: order, states, the cap in bytes, what is forgotten and what is never lost silently."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.batching import split
from agent.model import Batch
from agent.store import Store, open_store, outbox
from agent.store.hours import ClosedHour, put_hour
from agent.store.losses import losses
from agent.store.outbox import BatchState
from tests.support.batches import SEALED_AT, START, batch, hour


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "state")
    yield opened
    opened.close()


def put(store: Store, *batches: Batch) -> None:
    with store.transaction() as connection:
        for one in batches:
            outbox.put(connection, one)


def test_stored_batch_comes_back_byte_for_byte(store: Store) -> None:
    """What was sealed is what is read: id, bytes, hour, consent."""
    put(store, batch(3))
    assert list(outbox.waiting(store)) == [batch(3)]


def test_oldest_hour_first(store: Store) -> None:
    """Waiting batches come in the order of their hours, then revisions, whatever order they were put in."""
    put(store, batch(2), batch(0, revision=1), batch(1), batch(0))
    assert [(one.hour, one.revision) for one in outbox.waiting(store)] == [
        (hour(0), 0), (hour(0), 1), (hour(1), 0), (hour(2), 0),
    ]  # fmt: skip


def test_putting_again_changes_nothing(store: Store) -> None:
    """A batch that was acknowledged does not wait again because it is sealed again."""
    put(store, batch())
    with store.transaction() as connection:
        outbox.acknowledge(connection, batch().id, "202 acknowledged", SEALED_AT)
    put(store, batch())
    assert list(outbox.waiting(store)) == []
    assert outbox.is_sealed(store, hour(), 0)
    assert not outbox.is_sealed(store, hour(), 1)


def test_acknowledged_body_stays_for_a_bundle(store: Store) -> None:
    """After the acknowledgement the body stays until it is forgotten by age, and then only the row is left."""
    put(store, batch())
    with store.transaction() as connection:
        outbox.acknowledge(connection, batch().id, "202 acknowledged", SEALED_AT)
    assert outbox.load(store, batch().id) == batch()
    with store.transaction() as connection:
        put_hour(connection, ClosedHour(hour(), 0, SEALED_AT, 30, 30), [])
        assert outbox.forget_settled(connection, 29) == 0
        assert outbox.forget_settled(connection, 30) == 1
    assert outbox.load(store, batch().id) is None
    assert [row.state for row in outbox.rows(store)] == [BatchState.ACKNOWLEDGED]


def test_what_waits_is_never_forgotten_by_age(store: Store) -> None:
    """However many hours are closed while the cloud is away, none removes what waits or was set aside (Q1)."""
    put(store, batch(0), batch(1))
    with store.transaction() as connection:
        for number in range(2):
            put_hour(connection, ClosedHour(hour(number), 0, SEALED_AT, 30 * (number + 1), 30), [])
    with store.transaction() as connection:
        outbox.set_aside(connection, batch(1).id, "400", SEALED_AT)
        assert outbox.forget_settled(connection, 10**9) == 0
        assert outbox.remove_settled(connection, 10**9) == 0
    assert outbox.load(store, batch(1).id) == batch(1)


@pytest.mark.fault(28)
def test_cap_drops_the_oldest_and_counts(store: Store) -> None:
    """Over the cap the oldest undelivered batch goes first, is named as dropped, and counted as a loss (Q9)."""
    all_of_them = [batch(number) for number in range(6)]
    put(store, *all_of_them)
    limit = sum(len(one.body) for one in all_of_them[2:])
    with store.transaction() as connection:
        assert outbox.enforce_limit(connection, limit, SEALED_AT) == 2
    assert [one.hour for one in outbox.waiting(store)] == [hour(number) for number in range(2, 6)]
    (loss,) = losses(store)
    assert (loss.reason, loss.count) == ("outbox-full", 2)
    assert [row.state for row in outbox.rows(store)][:2] == [BatchState.DROPPED] * 2
    assert outbox.size(store).held_bytes <= limit


def test_delivered_bodies_make_room_first(store: Store) -> None:
    """A body that was delivered goes before any that was not, and is no loss."""
    put(store, batch(0), batch(1), batch(2))
    with store.transaction() as connection:
        outbox.acknowledge(connection, batch(2).id, "202", SEALED_AT)
        assert outbox.enforce_limit(connection, len(batch(0).body) + len(batch(1).body), SEALED_AT) == 0
    assert [one.hour for one in outbox.waiting(store)] == [hour(0), hour(1)]
    assert losses(store) == []


def test_size_matches_the_store_to_the_byte(store: Store) -> None:
    """The outbox's numbers are the store's own (Q5)."""
    put(store, batch(0), batch(1), batch(2))
    with store.transaction() as connection:
        outbox.set_aside(connection, batch(0).id, "400", SEALED_AT)
    size = outbox.size(store)
    stored = store.execute("SELECT sum(length(body)) FROM batch")[0][0]
    assert (size.waiting, size.set_aside, size.oldest) == (2, 1, hour(1).start)
    assert size.held_bytes == stored
    assert size.waiting_bytes == len(batch(1).body) + len(batch(2).body)


def test_split_parts_wait_instead_of_their_parent(store: Store) -> None:
    """After a split the two parts wait in their parent's place, and the parent names them."""
    put(store, batch(0), batch(1))
    parts = split(batch(0), SEALED_AT)
    with store.transaction() as connection:
        outbox.put_split(connection, batch(0).id, parts, "413", SEALED_AT)
    assert [one.id for one in outbox.waiting(store)] == [*[part.id for part in parts], batch(1).id]
    parent = outbox.rows(store, states=(BatchState.SPLIT,))[0]
    assert all(part.id in parent.last_answer for part in parts)
    assert outbox.load(store, parent.id) is None


def test_settling_while_iterating_is_safe(store: Store) -> None:
    """A batch that was settled after the iteration began is passed over."""
    put(store, batch(0), batch(1), batch(2))
    seen = []
    for one in outbox.waiting(store):
        seen.append(one.hour)
        with store.transaction() as connection:
            outbox.acknowledge(connection, batch(1).id, "202", SEALED_AT)
    assert seen == [hour(0), hour(2)]


@settings(max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
class OutboxModel(RuleBasedStateMachine):
    """Whatever is done in whatever order: nothing disappears, and only what was put waits."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(Path(self.folder.name) / "state")
        self.waits: dict[str, Batch] = {}
        self.settled: dict[str, BatchState] = {}
        self.lost = 0

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(number=st.integers(0, 8), entries=st.integers(1, 6))
    def put(self, number: int, entries: int) -> None:
        one = batch(number, entries=entries)
        put(self.store, one)
        if one.id not in self.settled:
            self.waits[one.id] = one

    @rule(pick=st.integers(0, 100), state=st.sampled_from([BatchState.ACKNOWLEDGED, BatchState.SET_ASIDE]))
    def settle(self, pick: int, state: BatchState) -> None:
        if not self.waits:
            return
        batch_id = sorted(self.waits)[pick % len(self.waits)]
        settle = outbox.acknowledge if state is BatchState.ACKNOWLEDGED else outbox.set_aside
        with self.store.transaction() as connection:
            settle(connection, self.waits.pop(batch_id).id, "answer", SEALED_AT)
        self.settled[batch_id] = state

    @rule(limit=st.integers(300, 3000))
    def shrink(self, limit: int) -> None:
        with self.store.transaction() as connection:
            self.lost += outbox.enforce_limit(connection, limit, SEALED_AT)
        assert outbox.size(self.store).held_bytes <= limit
        for row in outbox.rows(self.store, states=(BatchState.DROPPED,)):
            self.waits.pop(row.id, None)
            self.settled[row.id] = BatchState.DROPPED

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = open_store(Path(self.folder.name) / "state")

    @invariant()
    def what_waits_is_what_was_put(self) -> None:
        found = {one.id: one for one in outbox.waiting(self.store)}
        assert found == self.waits
        assert {row.id: row.state for row in outbox.rows(self.store) if row.id not in found} == self.settled
        assert sum(loss.count for loss in losses(self.store)) == self.lost


TestOutboxModel = OutboxModel.TestCase


def test_rows_since_gives_the_bundle_window(store: Store) -> None:
    """Rows can be asked for by the end of their hour."""
    put(store, batch(0), batch(5))
    assert [row.hour for row in outbox.rows(store, since=START + timedelta(hours=2))] == [hour(5)]
