"""Planted texts go the whole way, from a tick to a sealed batch, through every text field of every product."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.aggregation import aggregate
from agent.batching import document_bytes, seal
from agent.catalog import Catalog, DataType, Metric, TagRule, load_catalog
from agent.consent import Concealer, Door, Pseudonyms, Rules
from agent.model import (
    Consent,
    ConsentLevel,
    Hour,
    Identity,
    InstanceId,
    Kind,
    NodeId,
    Outcome,
    Sample,
    Series,
    SourceReport,
    Tick,
    Value,
)
from agent.store import open_store
from agent.store.ticks import TickWriter, ticks_of
from tests.support.coverage import PRODUCTS
from tests.support.planted_secrets import HARMLESS, SECRETS, Secret
from tests.support.planting import stored_bytes

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
KEY = Pseudonyms(b"k" * 32)
IDENTITY = Identity(InstanceId("instance"), NodeId("node"), "jira", "")
PSEUDONYM = re.compile(rb"[hn]-[0-9a-f]{16}")
NUMBERS = (DataType.COUNT, DataType.MEASUREMENT)
LEVELS = (ConsentLevel.BASIC, ConsentLevel.EXTENDED)
OWN, PUBLIC = "com.quibble.payroll", "com.atlassian.jira.some"


def planted(metric: Metric, text: str) -> Iterator[Sample]:
    """One sample for each text field of `metric`, with `text` in it: value, each tag, each attribute; of both apps."""
    number: Value = 1
    plain: Value = "1.0" if metric.kind is Kind.INFO else number
    for app in (OWN, PUBLIC):
        tags = {name: app if name == "pluginKey" else f"{name}-{app}" for name in metric.tags}
        of = Series(metric.source, metric.name, tuple(sorted(tags.items())))
        if metric.data_type not in NUMBERS:
            yield Sample(of, text)
        attributes = tuple((name, text) for name in metric.attributes)
        if attributes:
            other = Series(metric.source, metric.name, tuple((name, f"{tag}.b") for name, tag in of.tags))
            yield Sample(other, plain, attributes)
    for tag in metric.tags:
        yield Sample(Series(metric.source, metric.name, ((tag, text),)), plain)


def same_rules(metric: Metric) -> tuple[object, ...]:
    """What decides about the texts of an entry: entries that agree in it need not all be tried with every text."""

    def of(rules: Mapping[str, TagRule]) -> tuple[object, ...]:
        return tuple(
            sorted((name, *map(str, (r.basic, r.extended, r.data_type, r.shape))) for name, r in rules.items())
        )

    return (
        metric.source,
        metric.kind,
        metric.consent,
        metric.data_type,
        metric.shape,
        of(metric.tags),
        of(metric.attributes),
    )


def has_text(metric: Metric) -> bool:
    return metric.data_type not in NUMBERS or bool(metric.tags or metric.attributes)


def travel(
    folder: Path, catalog: Catalog, metrics: list[Metric], texts: tuple[str, ...], level: ConsentLevel
) -> Iterator[bytes]:
    """The entries that leave of one hour for each text, as the receiver unpacks them, without the pseudonyms."""
    store = open_store(folder)
    writer, concealer = TickWriter(store, 3600), Concealer(catalog)
    kinds = {name: metric.kind for name, metric in catalog.metrics.items()}
    consent = Consent(level, catalog.field_list_version)
    rules = Rules(catalog, level, KEY)
    for number, text in enumerate(texts):
        hour = Hour(FIRST + timedelta(hours=number))
        read = tuple(sample for metric in metrics for sample in planted(metric, text))
        reports = tuple(SourceReport(name, Outcome.OK, 1) for name in sorted({one.series.source for one in read}))
        writer.append(concealer.conceal(Tick(hour.start, read, reports), level, KEY))
        rows = aggregate(ticks_of(store, hour), hour, expected=1, kinds=kinds, before=None, known=[])
        records = list(Door(rules).records(row.row for row in rows))
        (batch,) = seal(records, IDENTITY, hour, 0, consent, "1.0.0", hour.end, max_entries=100_000)
        assert batch.entries > len(metrics) / 2
        yield PSEUDONYM.sub(b"", document_bytes(batch.body).split(b'"entries"', 1)[1])
    store.close()


def escaped_as_json(part: str) -> bytes:
    return part.replace("\\", "\\\\").replace('"', '\\"').encode()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("product", PRODUCTS)
def test_nothing_planted_leaves(tmp_path: Path, product: str, level: ConsentLevel) -> None:
    """Of no planted text a secret part is in a batch or in the store, whichever text field it was put into."""
    catalog = load_catalog(product)
    one_each = list({same_rules(metric): metric for metric in catalog.metrics.values() if has_text(metric)}.values())
    found = leaks(tmp_path / "a", catalog, one_each, SECRETS, level)
    # Every entry with a few of them, so that none is left out because another one has the same rules.
    every = [metric for metric in catalog.metrics.values() if has_text(metric)]
    assert found + leaks(tmp_path / "b", catalog, every, SECRETS[:: len(SECRETS) // 6], level) == []


def leaks(
    folder: Path, catalog: Catalog, metrics: list[Metric], secrets: tuple[Secret, ...], level: ConsentLevel
) -> list[tuple[str, str]]:
    folder.mkdir()
    texts = tuple(text for text, _ in secrets)
    found = [
        (text, part)
        for (text, parts), entries in zip(secrets, travel(folder, catalog, metrics, texts, level), strict=True)
        for part in parts
        if escaped_as_json(part) in entries
    ]
    stored = PSEUDONYM.sub(b"", b"".join(stored_bytes(folder)))
    whole = [(text, "in the store") for text in texts if len(text) > 8 and escaped_as_json(text) in stored]
    return found + whole


@pytest.mark.parametrize("product", PRODUCTS)
def test_harmless_names_survive_whole(tmp_path: Path, product: str) -> None:
    """Under Extended the name of an app leaves as it is; under Basic that of a public app does, and no other."""
    catalog = load_catalog(product)
    app = catalog.metrics["app.installed"]
    for level, times in ((ConsentLevel.EXTENDED, 2), (ConsentLevel.BASIC, 1)):
        folder = tmp_path / level
        folder.mkdir()
        for name, entries in zip(HARMLESS, travel(folder, catalog, [app], HARMLESS, level), strict=True):
            assert entries.count(b'"name":"' + escaped_as_json(name) + b'"') == times, (level, name)
