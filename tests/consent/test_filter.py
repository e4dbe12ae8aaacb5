"""The one door: whatever has no rule stays here."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.catalog import Catalog, DataType, Metric, TagRule, TagTreatment, load_catalog
from agent.consent import Door, Pseudonyms, Rules
from agent.consent.filter import MOST_WITHHELD
from agent.consent.rules import REMEMBERED_SERIES
from agent.model import (
    Category,
    Consent,
    ConsentLevel,
    EntryType,
    Hour,
    HourlyAggregate,
    Kind,
    Row,
    Series,
    Value,
    Withheld,
)
from tests.support.door import Passed, consented

HOUR = Hour(datetime(2026, 1, 5, 19, tzinfo=UTC))
KEY = Pseudonyms(b"k" * 32)
SHIPPED = load_catalog("jira")
GAUGE: dict[str, Value | None] = {"min": 1, "max": 3, "mean": 2.0, "last": 2, "p50": 2, "p95": 3}
KEPT_STATE = TagRule(TagTreatment.KEEP, TagTreatment.KEEP, DataType.STATE)
RULES = {
    "role": TagRule(TagTreatment.KEEP, TagTreatment.KEEP, DataType.STATE),
    "server": TagRule(TagTreatment.HASH, TagTreatment.KEEP, DataType.NAME),
    "query": TagRule(TagTreatment.DROP, TagTreatment.DROP, DataType.NAME),
    "pluginKey": TagRule(TagTreatment.KEEP_PUBLIC, TagTreatment.KEEP, DataType.TECHNICAL_ID),
}


def metric(
    name: str = "test.metric",
    consent: ConsentLevel = ConsentLevel.BASIC,
    kind: Kind = Kind.GAUGE,
    data_type: DataType = DataType.MEASUREMENT,
    attributes: Mapping[str, TagRule] | None = None,
) -> Metric:
    return Metric(
        name=name,
        source="jmx",
        type=EntryType.JMX_METRIC,
        category=Category.OPERATIONAL,
        consent=consent,
        data_type=data_type,
        unit="ms",
        kind=kind,
        reference="https://example.com",
        tags=RULES,
        attributes=attributes or {},
    )


def aggregate(
    figures: Mapping[str, Value | None] | None = None,
    tags: Mapping[str, str] | None = None,
    name: str = "test.metric",
    failed: Mapping[str, int] | None = None,
) -> HourlyAggregate:
    series = Series("jmx", name, tuple(sorted((tags or {}).items())))
    return HourlyAggregate(series, HOUR, GAUGE if figures is None else figures, 28, 30, failed or {})


def pass_through(
    *aggregates: HourlyAggregate, of: Metric | None = None, level: ConsentLevel = ConsentLevel.BASIC
) -> Passed:
    own = of or metric()
    catalog = Catalog(
        "jira", {own.name: own}, "f-1", public_apps=("com.atlassian.",), private_apps=("com.atlassian.tutorial.",)
    )
    return consented(aggregates, catalog, Consent(level, "f-1"), KEY)


def test_entry_as_the_design_shows_it() -> None:
    """A gauge leaves with its figures, unit, samples and expected; the time is the hour's start."""
    (record,) = pass_through(aggregate(tags={"role": "state"})).records
    assert record.attributes == {**GAUGE, "unit": "ms", "samples": 28, "expected": 30}
    assert record.tags == {"role": "state"}
    assert record.timestamp == HOUR.start
    assert record.type is EntryType.JMX_METRIC


@pytest.mark.parametrize(
    ("needs", "level", "leaves"),
    [
        (ConsentLevel.NONE, ConsentLevel.EXTENDED, False),
        (ConsentLevel.BASIC, ConsentLevel.NONE, False),
        (ConsentLevel.BASIC, ConsentLevel.BASIC, True),
        (ConsentLevel.BASIC, ConsentLevel.EXTENDED, True),
        (ConsentLevel.EXTENDED, ConsentLevel.BASIC, False),
        (ConsentLevel.EXTENDED, ConsentLevel.EXTENDED, True),
    ],
)
def test_levels(needs: ConsentLevel, level: ConsentLevel, leaves: bool) -> None:
    """A metric leaves only under the level it needs; what stays is listed with its rule."""
    filtered = pass_through(aggregate(), of=metric(consent=needs), level=level)
    assert bool(filtered.records) is leaves
    assert bool(filtered.withheld) is not leaves


def test_metric_that_is_not_in_the_catalog() -> None:
    """Default-deny: an unknown metric stays, under every level."""
    filtered = pass_through(aggregate(name="planted.metric"), level=ConsentLevel.EXTENDED)
    assert filtered.records == ()
    assert filtered.withheld == (Withheld("planted.metric", "*", "it is not in the catalog"),)


def test_metric_from_another_source() -> None:
    """A series that claims a metric of another source stays."""
    strange = replace(aggregate(), series=Series("logs", "test.metric"))
    assert pass_through(strange).records == ()


def test_tag_without_a_rule() -> None:
    """Default-deny: an unknown tag stays, the entry leaves without it."""
    filtered = pass_through(aggregate(tags={"owner": "planted", "role": "state"}), level=ConsentLevel.EXTENDED)
    assert filtered.records[0].tags == {"role": "state"}
    assert filtered.withheld == (Withheld("test.metric", "tags.owner", "the tag has no rule in the catalog"),)


@pytest.mark.parametrize("name", ["planted", "value", "delta", "hostName"])
def test_figure_that_is_not_on_the_list(name: str) -> None:
    """Default-deny: a figure that a gauge does not have stays."""
    filtered = pass_through(aggregate({**GAUGE, name: 7}))
    assert name not in filtered.records[0].attributes
    assert [withheld.field for withheld in filtered.withheld] == [name]


@pytest.mark.parametrize("name", ["unit", "samples", "expected", "failed"])
def test_figure_cannot_speak_for_the_door(name: str) -> None:
    """A figure named like one of the door's own attributes is not believed."""
    own = metric(attributes={name: KEPT_STATE})
    (record,) = pass_through(aggregate({**GAUGE, name: "planted"}), of=own).records
    assert "planted" not in repr(record)


def test_declared_attribute_leaves() -> None:
    """An attribute that the catalog declares leaves with its own data type."""
    own = metric(attributes={"method": KEPT_STATE})
    (record,) = pass_through(aggregate({**GAUGE, "method": "estimate"}), of=own).records
    assert record.attributes["method"] == "estimate"


@pytest.mark.parametrize(
    ("kind", "figures"),
    [(Kind.COUNTER, {"delta": 5, "resets": 0, "last": 9}), (Kind.INFO, {"value": "17.0.1"})],
)
def test_figures_by_kind(kind: Kind, figures: dict[str, Value]) -> None:
    """Each kind has its own list of figures."""
    data_type = DataType.VERSION if kind is Kind.INFO else DataType.COUNT
    (record,) = pass_through(aggregate(figures), of=metric(kind=kind, data_type=data_type)).records
    assert {key: record.attributes[key] for key in figures} == figures
    wrong = pass_through(aggregate(GAUGE), of=metric(kind=kind, data_type=data_type))
    assert set(wrong.records[0].attributes) <= {"unit", "samples", "expected", "last"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "planted text"])
def test_what_is_no_number_in_a_numbers_place(value: Value) -> None:
    """NaN, infinity and text stay where a measurement belongs; the other figures leave."""
    filtered = pass_through(aggregate({**GAUGE, "max": value}))
    assert "max" not in filtered.records[0].attributes
    assert filtered.records[0].attributes["min"] == 1
    assert [withheld.field for withheld in filtered.withheld] == ["max"]


@pytest.mark.parametrize("text", ["x" * 201, "a\x1b[31m", "a\nb", "a\u202eb", "a\x00"])
def test_text_that_is_long_or_not_clean(text: str) -> None:
    """Long text and control or invisible characters stay, and as a tag leave only as a keyed hash."""
    own = metric(kind=Kind.INFO, data_type=DataType.VERSION)
    filtered = pass_through(aggregate({"value": text}, {"role": text}), of=own)
    assert "value" not in filtered.records[0].attributes
    assert filtered.records[0].tags == {"role": KEY.tag("role", text)}
    assert {withheld.field for withheld in filtered.withheld} == {"value", "tags.role"}


def test_hash_data_type_never_leaves_as_it_is() -> None:
    """A value classified as hash leaves as a keyed hash under both levels."""
    own = metric(kind=Kind.INFO, data_type=DataType.HASH)
    for level in (ConsentLevel.BASIC, ConsentLevel.EXTENDED):
        (record,) = pass_through(aggregate({"value": "SERVER-ID"}), of=own, level=level).records
        assert str(record.attributes["value"]).startswith("h-")


def test_tag_treatments() -> None:
    """Basic hashes and drops as the catalog says; extended keeps the name, never what is always dropped."""
    tags = {"server": "mail.example.com", "query": "select 1", "role": "x"}
    (basic,) = pass_through(aggregate(tags=tags)).records
    assert basic.tags == {"role": "x", "server": KEY.tag("server", "mail.example.com")}
    (extended,) = pass_through(aggregate(tags=tags), level=ConsentLevel.EXTENDED).records
    assert extended.tags == {"role": "x", "server": "mail.example.com"}


@pytest.mark.parametrize(
    ("key", "public"),
    [
        ("com.atlassian.jira.gadgets", True),
        ("com.example.private-app", False),
        ("com.atlassianx.fake", False),
        ("com.atlassian.tutorial.myapp", False),
        ("", False),
    ],
)
def test_plugin_key(key: str, public: bool) -> None:
    """Public apps keep their key under Basic, all others are hashed; Extended gives the key."""
    (basic,) = pass_through(aggregate(tags={"pluginKey": key})).records
    assert basic.tags["pluginKey"] == (key if public else KEY.app(key))
    (extended,) = pass_through(aggregate(tags={"pluginKey": key}), level=ConsentLevel.EXTENDED).records
    assert extended.tags["pluginKey"] == key


def test_failure_reasons_are_a_closed_set() -> None:
    """Known codes leave with their counts; anything else is counted as other, its text stays."""
    failed = {"timeout": 2, "db7.internal refused": 3, "other": 1}
    (record,) = pass_through(aggregate(failed=failed)).records
    assert record.attributes["failed"] == {"timeout": 2, "other": 4}


def test_hour_without_samples_leaves_as_missing() -> None:
    """Figures that are None are left out; samples 0 and the reasons say that nothing was read."""
    empty = replace(aggregate(dict.fromkeys(GAUGE, None), failed={"refused": 30}), samples=0)
    (record,) = pass_through(empty).records
    assert record.attributes == {"unit": "ms", "samples": 0, "expected": 30, "failed": {"refused": 30}}


def test_withheld_is_listed_once() -> None:
    """The same field of many series is one line."""
    many = [aggregate(tags={"query": f"q{number}"}) for number in range(50)]
    filtered = pass_through(*many)
    assert len(filtered.records) == 50
    assert filtered.withheld == (Withheld("test.metric", "tags.query", "the tag is dropped under basic"),)


def test_rows_pass_one_at_a_time() -> None:
    """The door reads no further than it is asked: what it lets through is never collected."""
    read: list[int] = []

    def rows() -> Iterator[Row]:
        for number in range(3):
            read.append(number)
            yield aggregate().row

    records = Door(Rules(SHIPPED, ConsentLevel.BASIC, KEY)).records(rows())
    assert read == []
    next(records, None)
    assert read == [0, 1, 2], "what stays here is passed over, one after the other"
    own = metric()
    catalog = Catalog("jira", {own.name: own}, "f-1")
    records = Door(Rules(catalog, ConsentLevel.BASIC, KEY)).records(rows())
    read.clear()
    next(records)
    assert read == [0]


def test_a_row_of_an_assessment_has_no_counts() -> None:
    """A row that sums up no ticks leaves with its figures and unit, at its own instant, whatever hour that is in."""
    own = metric(kind=Kind.INFO, data_type=DataType.VERSION)
    catalog = Catalog("jira", {own.name: own}, "f-1")
    row = Row(Series("jmx", own.name, (("role", "state"),)), HOUR.start + timedelta(minutes=7), {"value": "1.2"})
    (record,) = Door(Rules(catalog, ConsentLevel.BASIC, KEY)).records([row])
    assert record.attributes == {"value": "1.2", "unit": "ms"}
    assert record.timestamp == row.timestamp


def test_memory_does_not_grow_with_the_rows() -> None:
    """300,000 rows, each with a tag and a figure that nobody knows: at the end no more is held than after 30,000.

    What is measured are the blocks the interpreter holds, which no other process and no fragmentation changes.
    """
    own = metric(kind=Kind.INFO, data_type=DataType.VERSION)
    catalog = Catalog("jira", {own.name: own}, "f-1")
    door = Door(Rules(catalog, ConsentLevel.EXTENDED, KEY))
    held: list[int] = []

    def rows(number: int) -> Iterator[Row]:
        for at in range(number):
            if at in (30_000, number - 1):
                gc.collect()
                held.append(sys.getallocatedblocks())
            tags = (("role", f"r{at % 1000}"),)
            yield Row(Series("jmx", own.name, tags), HOUR.start, {"value": at, f"planted{at}": 1})

    assert sum(1 for _ in door.records(rows(300_000))) == 300_000
    assert held[1] - held[0] < 20_000, "a block is some 60 bytes; 270,000 rows would be millions of them"
    assert len(door.withheld) == MOST_WITHHELD
    assert door.more_withheld == 300_000 - MOST_WITHHELD


def test_what_is_remembered_is_bounded() -> None:
    """Names that come and go are forgotten: rules remember so many series and no more."""
    own = metric(kind=Kind.INFO, data_type=DataType.VERSION)
    rules = Rules(Catalog("jira", {own.name: own}, "f-1"), ConsentLevel.BASIC, KEY)
    rows = (Row(Series("jmx", own.name, (("role", f"r{at}"),)), HOUR.start, {}) for at in range(REMEMBERED_SERIES + 9))
    assert sum(1 for _ in Door(rules).records(rows)) == REMEMBERED_SERIES + 9
    assert rules.remembered <= REMEMBERED_SERIES


WORDS = st.text(max_size=30)
ANYTHING = st.one_of(st.integers(), st.floats(), WORDS, st.booleans())


@settings(deadline=None)  # a loaded machine is no fault
@given(
    figures=st.dictionaries(WORDS, ANYTHING, max_size=6),
    tags=st.dictionaries(WORDS, WORDS, max_size=5),
    failed=st.dictionaries(WORDS, st.integers(0, 30), max_size=4),
    name=st.sampled_from(["jvm.memory.heap.used", "jira.cluster.lock.held.count", "jvm.info.version", "planted"]),
    level=st.sampled_from(list(ConsentLevel)),
)
def test_nothing_unknown_ever_leaves(
    figures: dict[str, Value], tags: dict[str, str], failed: dict[str, int], name: str, level: ConsentLevel
) -> None:
    """Property: whatever comes in, keys that leave are known ones, and every entry is strict JSON."""
    known = {"unit", "samples", "expected", "failed", "min", "max", "mean", "last", "p50", "p95"}
    known |= {"delta", "resets", "value"}
    filtered = consented([aggregate(figures, tags, name, failed)], SHIPPED, Consent(level, "f"), KEY)
    for record in filtered.records:
        assert level is not ConsentLevel.NONE
        assert set(record.attributes) <= known
        assert set(record.tags) <= SHIPPED.metrics[name].tags.keys()
        json.dumps([dict(record.attributes), dict(record.tags)], allow_nan=False)
