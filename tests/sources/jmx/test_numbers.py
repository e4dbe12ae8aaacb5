"""What becomes of every form a number can have in a JVM, over each transport: each costs itself, never the reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from agent.catalog import Merge
from agent.jmx import BeanQuery, JmxSample, JmxValue, Transport, TransportName
from agent.jmx.transport import open_transport
from agent.jmx.values import Opaque
from agent.model import Kind, Reading, Value
from agent.sources.jmx.source import Jmx, _merged
from tests.sources.jmx.test_source import Canned
from tests.support.jolokia import JolokiaFixture, missing_for_jolokia
from tests.support.needs import require_packages
from tests.support.sources import catalog_of, jmx_metric

BEAN = "fixture:type=Numbers"
NOT_A_NUMBER, NOT_FINITE, NOT_PRESENT = "not-a-number", "not-finite", "not-present"
NOT_SUPPORTED = "not-supported"
Outcomes = Mapping[str, Value | str]

# Attribute (and key of a CompositeData): the sample's value, or the reason why there is none.
FORMS: Outcomes = {
    "Byte": -3,
    "Short": 300,
    "Int": -(2**31),
    "Long": 2**63 - 1,
    "LeastLong": -(2**63),
    "BoxedLong": 7,
    "NullLong": NOT_PRESENT,
    "Float": 1.5,
    "Double": 1e308,
    "WholeDouble": 5.0,
    "NaN": NOT_FINITE,
    "Infinite": NOT_FINITE,
    "FloatNaN": NOT_FINITE,
    "BoxedNaN": NOT_FINITE,
    "Big63": 2**63 - 1,
    "Big64": float(2**63),
    "Big80": -float(2**80),
    "Big400Digits": NOT_FINITE,
    "Big3000Digits": "quarantined",
    "Big9000Digits": "quarantined",
    "Decimal": 12345.6789,
    "WholeDecimal": 42,
    "LargeDecimal": 1e30,
    "HugeDecimal": NOT_FINITE,
    "TinyDecimal": 0.0,
    "EndlessDecimal": "quarantined",
    "NumberBig": NOT_FINITE,
    "ObjectBig": float(2**80),
    "AtomicLong": 9,
    "True": 1,
    "Char": NOT_A_NUMBER,
    "Text": NOT_A_NUMBER,
    "Date": "quarantined",
    "Ints": NOT_A_NUMBER,
    "Doubles": NOT_A_NUMBER,
    "Strings": NOT_A_NUMBER,
    "Tabular": NOT_A_NUMBER,
    "Handle": "quarantined",
    "Composite": NOT_A_NUMBER,
    "Composite.big": float(2**80),
    "Composite.huge": NOT_FINITE,
    "Composite.nan": NOT_FINITE,
    "Composite.perhaps": 7,
    "Holed.perhaps": NOT_PRESENT,
    "Holed.used": 11,
    "Composite.text": NOT_A_NUMBER,
    "Composite.used": 11,
    "Composite.absent": NOT_PRESENT,
}
OTHERWISE: Mapping[TransportName, Outcomes] = {
    TransportName.RMI: {},
    # JSON has no types: a BigInteger within a CompositeData comes as a text, and nobody can tell it from one.
    TransportName.JOLOKIA: {
        "Composite.big": NOT_A_NUMBER,
        "Composite.huge": NOT_A_NUMBER,
        "Composite.nan": NOT_PRESENT,  # null, and so is what is not there
        "BoxedNaN": NOT_PRESENT,
        "AtomicLong": NOT_A_NUMBER,
        **dict.fromkeys(("Big3000Digits", "Big9000Digits", "EndlessDecimal", "Date"), "protocol-error"),
        "Handle": "not-plain",
    },
    TransportName.JMXQUERY: {
        "WholeDecimal": 42.0,
        "EndlessDecimal": NOT_FINITE,
        **dict.fromkeys(("Big3000Digits", "Big9000Digits", "Char", "Date"), NOT_SUPPORTED),
        **dict.fromkeys(("Ints", "Doubles", "Strings", "Tabular"), NOT_SUPPORTED),
        "Handle": NOT_PRESENT,
    },
}


@pytest.fixture(scope="module")
def fixture_jvm() -> Iterator[JolokiaFixture]:
    require_packages(missing_for_jolokia())
    with JolokiaFixture() as running:
        yield running


def metric_name(form: str) -> str:
    """A name of the catalog's shape for a form."""
    return "form." + "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in form.replace(".", "_"))


def forms_of(transport: TransportName) -> Outcomes:
    """What is expected of a transport. The jmxquery jar dies of a CompositeData without one of its items."""
    left_out = {"Holed.perhaps", "Holed.used"} if transport is TransportName.JMXQUERY else set()
    return {form: outcome for form, outcome in {**FORMS, **OTHERWISE[transport]}.items() if form not in left_out}


def read(jvm: JolokiaFixture, transport: TransportName, kind: Kind = Kind.GAUGE) -> Reading:
    """Every form as an entry of its own, read twice: the second time a transport leaves alone what broke a reply."""
    target = jvm.jolokia_target if transport is TransportName.JOLOKIA else replace(jvm.target, transport=transport)
    entries = []
    for form in forms_of(transport):
        attribute, _, key = form.partition(".")
        entries.append(jmx_metric(metric_name(form), BEAN, attribute, kind, key=key or None))

    def opened(queries: tuple[BeanQuery, ...]) -> Transport:
        return open_transport(target, queries)

    source = Jmx(catalog_of(*entries), opened)
    try:
        source.read(30).commit()
        return source.read(30)
    finally:
        source.close()


@pytest.mark.parametrize("transport", list(TransportName))
def test_each_form_costs_only_itself(fixture_jvm: JolokiaFixture, transport: TransportName) -> None:
    """Each has its value or its reason, and all the others are there beside it."""
    reading = read(fixture_jvm, transport)
    found: dict[str, Value | str] = {sample.series.metric: sample.value for sample in reading.samples}
    found |= {failure.metric: failure.reason for failure in reversed(reading.failures) if failure.metric not in found}
    expected = {metric_name(form): outcome for form, outcome in forms_of(transport).items()}
    assert {name: found.get(name) for name in expected} == expected
    assert {name: type(found[name]) for name in expected} == {name: type(value) for name, value in expected.items()}


def test_sums_of_merged_beans_stay_numbers() -> None:
    """Two beans of one series whose sum no double holds: the first speaks, and nothing is infinite."""
    assert _merged(Merge.SUM, 2**63 - 1, 1) == float(2**63)
    assert _merged(Merge.SUM, 1e308, 1e308) == 1e308
    assert _merged(Merge.MAX, 3, 4.5) == 4.5


@pytest.mark.parametrize("value", [Opaque("com.example.Secret"), 2**63, -(2**63) - 1, Decimal(1), 1.5, [1], b"x"])
def test_what_is_no_text_is_no_info(value: JmxValue) -> None:
    """An info metric takes texts, switches and whole numbers of 64 bits; the name of an unknown class is none."""
    metric = jmx_metric("a.fact", "d:type=X", "Fact", Kind.INFO)
    answer = JmxSample({"d:type=X": {"Fact": value}})
    source = Jmx(catalog_of(metric), lambda queries: Canned(answer))
    assert source.read(5).samples == ()
