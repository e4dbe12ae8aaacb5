"""Sealing: stable ids, stable bytes, strict JSON, splitting."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import random
import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.batching import document_bytes, open_document, render_entry, render_instant, seal, split
from agent.errors import BatchRefused
from agent.model import Batch, ConsentedRecord, NodeId
from tests.support.batches import BASIC, EXTENDED, IDENTITY, SEALED_AT, START, batch, hour, record

GOLDEN = (
    '{"schemaVersion":1,"batchId":"5d240188-634d-5825-a7f3-6aaf27aceba8","instanceId":"i-0a1b2c3d4e5f",'
    '"nodeId":"n-4f1c9a","product":{"type":"jira","version":"10.3.1"},"agentVersion":"1.0.0",'
    '"consent":{"level":"basic","fieldListVersion":"2026-11","grantedAt":"2026-11-19T19:00:00Z"},'
    '"window":{"start":"2026-11-22T19:00:00Z","end":"2026-11-22T20:00:00Z","revision":0},"entries":[\n'
    '{"metricName":"metric.a","type":"JMX_METRIC","timestamp":"2026-11-22T19:00:00Z",'
    '"attributes":{"failed":{"timeout":1},"max":3.5,"min":1,"samples":30},"tags":{"node":"n-4f1c9a"}},\n'
    '{"metricName":"metric.b","type":"JMX_METRIC","timestamp":"2026-11-22T19:00:00Z",'
    '"attributes":{"last":null,"unit":"By"},"tags":{}}\n'
    "]}\n"
)


def sealed(records: list[ConsentedRecord], **changes: object) -> list[Batch]:
    """Seal `records` as the tests' hour."""
    return seal(records, IDENTITY, hour(), 0, BASIC, "1.0.0", SEALED_AT, **changes)  # type: ignore[arg-type]  # max_entries


def test_golden_bytes() -> None:
    """Fixed records give exactly these bytes under exactly this id."""
    (one,) = sealed([record("metric.b", attributes={"unit": "By", "last": None}), record("metric.a", node="n-4f1c9a")])
    assert document_bytes(one.body).decode() == GOLDEN
    assert one.id == json.loads(GOLDEN)["batchId"]
    assert one.sha256 == hashlib.sha256(one.body).hexdigest()
    assert one.body[:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "no time stamp in the gzip header"
    assert gzip.decompress(one.body).decode() == GOLDEN


def test_order_of_records_does_not_matter() -> None:
    """The same records in any order give the same id and the same bytes."""
    records = [record(f"metric.{number % 7}", tag=str(number)) for number in range(50)]
    shuffled = random.Random(7).sample(records, len(records))
    assert sealed(records) == sealed(shuffled)


@pytest.mark.parametrize(
    "changes",
    [
        {"identity": replace(IDENTITY, node_id=NodeId("n-other"))},
        {"identity": replace(IDENTITY, product_version="10.3.2")},
        {"hour": hour(1)},
        {"revision": 1},
        {"consent": EXTENDED},
        {"agent_version": "1.0.1"},
        {"records": [record("metric.other")]},
    ],
)
def test_whatever_differs_in_the_bytes_differs_in_the_id(changes: dict[str, object]) -> None:
    """Two batches with different documents never share an id, even when their entries are the same."""
    arguments: dict[str, object] = {
        "records": [record()],
        "identity": IDENTITY,
        "hour": hour(),
        "revision": 0,
        "consent": BASIC,
        "agent_version": "1.0.0",
        "sealed_at": SEALED_AT,
    }
    (one,) = seal(**arguments)  # type: ignore[arg-type]  # arguments by name
    (other,) = seal(**{**arguments, **changes})  # type: ignore[arg-type]  # arguments by name
    assert one.id != other.id


def test_sealing_later_changes_nothing() -> None:
    """The instant of sealing is not part of id or bytes: a crash before the commit gives the same batch again."""
    (one,) = seal([record()], IDENTITY, hour(), 0, BASIC, "1.0.0", SEALED_AT)
    (other,) = seal([record()], IDENTITY, hour(), 0, BASIC, "1.0.0", START)
    assert (one.id, one.body) == (other.id, other.body)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.fault(65)
def test_non_finite_is_refused(value: float) -> None:
    """A number JSON cannot carry never becomes bytes (Q12)."""
    with pytest.raises(ValueError, match="JSON"):
        sealed([record(attributes={"last": value})])


def test_no_records_no_batch() -> None:
    """An hour without anything to say is not sent."""
    assert sealed([]) == []


@given(count=st.integers(1, 40), largest=st.integers(1, 15))
def test_parts_hold_every_entry_once(count: int, largest: int) -> None:
    """Cut at max_entries, the parts together hold each entry exactly once, in order, under different ids."""
    parts = sealed([record(f"metric.{number:03d}") for number in range(count)], max_entries=largest)
    names = [entry["metricName"] for part in parts for entry in open_document(part.body)["entries"]]
    assert names == [f"metric.{number:03d}" for number in range(count)]
    assert len({part.id for part in parts}) == len(parts) == math.ceil(count / largest)
    assert [part.part for part in parts] == [str(number) for number in range(len(parts))]
    assert all(part.entries <= largest for part in parts)


def test_split_halves_keep_every_entry() -> None:
    """Parts P.0 and P.1 have new ids and byte-identical entries; splitting again gives the same."""
    whole = batch(entries=5)
    halves = split(whole, SEALED_AT)
    assert [half.part for half in halves] == ["0.0", "0.1"]
    assert [half.entries for half in halves] == [2, 3]
    assert halves == split(whole, SEALED_AT)
    lines = [
        line.rstrip(b",") for half in halves for line in document_bytes(half.body).splitlines() if b"metricName" in line
    ]
    assert lines == [
        line.rstrip(b",") for line in document_bytes(whole.body).splitlines() if line.startswith(b'{"metricName')
    ]
    assert {uuid.UUID(half.id).version for half in halves} == {5}


def test_one_entry_cannot_be_split() -> None:
    """A single entry that is too large is refused for good rather than split for ever."""
    with pytest.raises(BatchRefused, match="single entry"):
        split(batch(entries=1), SEALED_AT)


@pytest.mark.parametrize("body", [b"", b"not gzip", batch().body[:-9]])
def test_damaged_body_is_noticed(body: bytes) -> None:
    """A body that was cut or overwritten is never taken for a document."""
    with pytest.raises(ValueError, match="not a sealed batch"):
        document_bytes(body)


def test_entry_keys_are_in_the_order_of_the_contract() -> None:
    """An entry has exactly the five keys of the contract, in its order."""
    assert list(render_entry(record())) == ["metricName", "type", "timestamp", "attributes", "tags"]


def test_instants_are_utc_with_z() -> None:
    """Instants carry milliseconds only when they have some, and always end in Z."""
    assert render_instant(START) == "2026-11-22T19:00:00Z"
    assert render_instant(START.replace(microsecond=123_456)) == "2026-11-22T19:00:00.123Z"
