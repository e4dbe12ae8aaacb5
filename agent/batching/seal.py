"""Fifth stage: the consented records of one hour become batches whose id and bytes never change again.

In:   ConsentedRecords of one hour, any order; who they are about; under which consent.
Out:  Batch (gzip of one JSON document, one entry a line). The same input gives the same id and the same document.
Pure: no clock and no store. A non-finite number raises ValueError: it must have been dropped where it was read.

The document holds its own id, so the id is derived first: UUIDv5 over instance, node, window, revision, part and
the SHA-256 of the document without the id. Everything else in the document is covered, so one id cannot name two
contents: not after an upgrade, not after consent was lowered while the entries stayed the same.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import uuid
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agent.errors import BatchRefused
from agent.model import Batch, BatchId, Consent, ConsentedRecord, Hour, Identity

SCHEMA_VERSION = 1
COMPRESSION_LEVEL = 6  # level 9 costs twice the CPU for 3 % less
ID_NAMESPACE = uuid.UUID("6f1c5b0e-0d0b-5a4e-9a53-3f7c1f0f2b11")
MAX_ENTRIES = 5000
LARGEST_DOCUMENT = 64 * 1024 * 1024  # a stored body that unpacks to more is damaged or not ours


def render_instant(instant: datetime) -> str:
    """An aware instant as `2026-11-22T19:00:00Z`, with milliseconds only when it has some."""
    utc = instant.astimezone(UTC)
    spec = "milliseconds" if utc.microsecond else "seconds"
    return utc.replace(tzinfo=None).isoformat(timespec=spec) + "Z"


def render_entry(record: ConsentedRecord) -> dict[str, Any]:
    """The entry as it leaves: five keys in fixed order, attributes and tags sorted by name."""
    return {
        "metricName": record.metric_name,
        "type": record.type.value,
        "timestamp": render_instant(record.timestamp),
        "attributes": {
            name: dict(sorted(value.items())) if isinstance(value, Mapping) else value
            for name, value in sorted(record.attributes.items())
        },
        "tags": dict(sorted(record.tags.items())),
    }


def seal(
    records: Sequence[ConsentedRecord],
    identity: Identity,
    hour: Hour,
    revision: int,
    consent: Consent,
    agent_version: str,
    sealed_at: datetime,
    *,
    max_entries: int = MAX_ENTRIES,
) -> list[Batch]:
    """The batches of one hour, at most `max_entries` entries each; no records, no batch.

    Entries are sorted, so the order of `records` does not matter. Raises ValueError for NaN or infinity.
    """
    lines = [
        # Sorted to the last field: the same entries in another order are the same document, hence the same id.
        _line(render_entry(record))
        for record in sorted(records, key=lambda record: (record.type.value, record.metric_name, _tie(record)))
    ]
    head = _head(identity, hour, revision, consent, agent_version)
    chunks = [lines[start : start + max_entries] for start in range(0, len(lines), max_entries)]
    return [
        _seal_lines(head, chunk, hour, revision, str(part), consent, sealed_at) for part, chunk in enumerate(chunks)
    ]


def split(batch: Batch, sealed_at: datetime) -> list[Batch]:
    """Two batches with the two halves of one that is too large, as parts `P.0` and `P.1` under ids of their own.

    Raises BatchRefused when a single entry is left: it can never be sent.
    """
    document = open_document(batch.body)
    entries = document.pop("entries")
    del document["batchId"]
    if len(entries) < 2:
        raise BatchRefused(
            f"Batch {batch.id} holds a single entry and is still too large for the receiver.",
            why="It cannot be split further.",
            do="It is set aside; report it with the output of: portfolio-agent status",
        )
    lines = [_line(entry) for entry in entries]
    # Halves, since how much is too much only the receiver knows: a few rounds find it whatever it is.
    middle = len(lines) // 2
    return [
        _seal_lines(document, half, batch.hour, batch.revision, f"{batch.part}.{number}", batch.consent, sealed_at)
        for number, half in enumerate((lines[:middle], lines[middle:]))
    ]


def document_bytes(body: bytes) -> bytes:
    """The JSON document inside a sealed body, exactly as the receiver unpacks it; ValueError when it is damaged."""
    # With a bound: a few kilobytes can unpack to gigabytes, and a stored body may be damaged.
    unpacker = zlib.decompressobj(wbits=31)
    try:
        document = unpacker.decompress(body, LARGEST_DOCUMENT)
    except zlib.error as error:
        raise ValueError(f"not a sealed batch: {error}") from error
    if not unpacker.eof:
        raise ValueError("not a sealed batch: it is cut off or too large")
    return document


def open_document(body: bytes) -> dict[str, Any]:
    """The parsed document of a sealed body."""
    document: dict[str, Any] = json.loads(document_bytes(body))
    return document


def _tie(record: ConsentedRecord) -> str:
    return json.dumps([dict(record.tags), render_instant(record.timestamp)], sort_keys=True)


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _head(identity: Identity, hour: Hour, revision: int, consent: Consent, agent_version: str) -> dict[str, Any]:
    return {
        "schemaVersion": SCHEMA_VERSION,
        "instanceId": identity.instance_id,
        "nodeId": identity.node_id,
        "product": {"type": identity.product_type, "version": identity.product_version},
        "agentVersion": agent_version,
        "consent": {
            "level": consent.level.value,
            "fieldListVersion": consent.field_list_version,
            "grantedAt": None if consent.granted_at is None else render_instant(consent.granted_at),
        },
        "window": {"start": render_instant(hour.start), "end": render_instant(hour.end), "revision": revision},
    }


def _seal_lines(
    head: Mapping[str, Any],
    lines: Sequence[str],
    hour: Hour,
    revision: int,
    part: str,
    consent: Consent,
    sealed_at: datetime,
) -> Batch:
    fields = dict(head)
    # Of the document without its id, which does not exist yet.
    content = hashlib.sha256(_document(fields, lines)).hexdigest()
    window = fields["window"]
    name = "|".join(
        (fields["instanceId"], fields["nodeId"], window["start"], window["end"], str(revision), part, content)
    )
    batch_id = BatchId(str(uuid.uuid5(ID_NAMESPACE, name)))
    body = gzip.compress(
        _document({"schemaVersion": fields.pop("schemaVersion"), "batchId": batch_id, **fields}, lines),
        # gzip writes the time into its head unless told otherwise, and a second sealing would have other bytes under
        # one id.
        compresslevel=COMPRESSION_LEVEL,
        mtime=0,
    )
    digest = hashlib.sha256(body).hexdigest()
    return Batch(batch_id, hour, revision, part, consent, digest, body, len(lines), sealed_at)


def _document(fields: Mapping[str, Any], lines: Sequence[str]) -> bytes:
    """One JSON document in a stable layout: the head on the first line, then one entry a line."""
    head = _line(fields)[:-1]
    return (head + ',"entries":[\n' + ",\n".join(lines) + "\n]}\n").encode()
