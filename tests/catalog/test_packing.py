"""Dataclasses as plain JSON and back: equal, each value once, and nothing but what a catalog is made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from agent.catalog import DataType, Metric, TagRule, TagTreatment, Threshold, load_catalog, products
from agent.catalog.packing import Foreign, pack, unpack
from agent.model import Category, ConsentLevel, EntryType, Kind

RULE = TagRule(TagTreatment.KEEP, TagTreatment.HASH, DataType.COUNT)


def metric(**changes: Any) -> Metric:
    facts: dict[str, Any] = {
        "name": "a.b",
        "source": "jmx",
        "type": EntryType.JMX_METRIC,
        "category": Category.INSTANCE,
        "consent": ConsentLevel.BASIC,
        "data_type": DataType.COUNT,
        "unit": "1",
        "kind": Kind.GAUGE,
        "reference": "x",
    }
    return Metric(**(facts | changes))


@pytest.mark.parametrize(
    "value",
    [
        RULE,
        metric(),
        metric(tags={"a": RULE, "b": RULE}, threshold=Threshold(2.5, "https://example.com", 1)),
        metric(description="ü \u2028 \" \\ 'x'", shape="[a-z]+"),
        (metric(), metric(name="c.d"), ()),
        {"a": RULE, "b": (1, 2.0, None, True, "x"), "c": {"d": {}}},
        (1, True, 1.0, "1", None),
        (RULE, 1, "x"),
        {},
    ],
)
def test_there_and_back(value: object) -> None:
    """What comes back is equal, through JSON, with every value of the very type it had."""
    again = unpack(json.loads(json.dumps(pack(value))))
    assert again == value
    assert repr(again) == repr(value)


@pytest.mark.parametrize("product", products())
def test_a_whole_catalog_there_and_back(product: str) -> None:
    """The catalogs as they are, order of entries included, and the same bytes each time."""
    catalog = load_catalog(product)
    again = unpack(json.loads(json.dumps(pack(catalog))))
    assert again == catalog
    assert list(again.metrics) == list(catalog.metrics)
    assert json.dumps(pack(again)) == json.dumps(pack(catalog))


def test_each_value_stands_once() -> None:
    """A rule that many entries have is written once and is one object afterwards."""
    packed = pack(tuple(metric(name=f"a.m{number}", tags={"t": RULE}) for number in range(50)))
    number = next(place for place, row in enumerate(packed["classes"]) if row[1] == "TagRule")
    assert len([row for row in packed["values"] if row[0] == number]) == 1
    found = unpack(packed)
    assert found[0].tags["t"] is found[49].tags["t"]


def test_a_plain_value_is_not_written_beside_what_it_stands_in() -> None:
    """A name, a description or a text of SQL is there once: what nobody names by its place has none."""
    written = json.dumps(pack((metric(description="only here"), metric(name="c.d", tags={"t": RULE}))))
    assert [written.count(f'"{text}"') for text in ("only here", "a.b", "c.d")] == [1, 1, 1]


@dataclass(frozen=True)
class Strange:
    """A class that is none of a catalog's."""

    text: str = "x"


@pytest.mark.parametrize("value", [Strange(), [1], {1: "x"}, object(), {"x": {2}}])
def test_what_is_no_catalog_is_not_packed(value: object) -> None:
    """Lists, sets, other keys than texts and classes of other modules are refused when packing."""
    with pytest.raises(TypeError):
        pack(value)


def changed(**changes: Any) -> dict[str, Any]:
    return pack(RULE) | changes


@pytest.mark.parametrize(
    "packed",
    [
        {},
        {"classes": [], "values": []},
        changed(values=[[7, 1]]),
        changed(values=[[-9, 1]]),
        changed(values=[[-3, 5]]),
        changed(values=[["x"]]),
        changed(values=None),
        changed(classes=[["os", "system", [], []]]),
        changed(classes=[["agent.catalog.compile", "compile_all", [], []]]),
        changed(classes=[["agent.catalog.model", "re", [], []]]),
        changed(classes=[["agent.catalog.model", "field", [], []]]),
        changed(classes=[["agent.catalog.model", "Gone", [], []]]),
        changed(classes=[["agent.sources.none.binding", "Gone", [], []]]),
        changed(classes=[["agent.catalog.model", "TagRule", ["basic", "extended"], []]]),
        changed(classes=[["agent.catalog.model", "TagRule", [], []]]),
    ],
)
def test_what_does_not_fit_is_foreign(packed: dict[str, Any]) -> None:
    """Tables that do not fit, other fields, and any class or function that is no data are refused."""
    with pytest.raises(Foreign):
        unpack(packed)
