"""One contract for the three transports: the same queries to the same JVM give the same values and the same gaps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from agent.jmx import BeanQuery, JmxError, JmxSample, Target, TransportName
from agent.jmx.jolokia import JolokiaTransport
from agent.jmx.rmi_transport import RmiTransport
from agent.jmx.transport import open_transport
from tests.support.jmx_fixtures import Clock
from tests.support.jolokia import JolokiaFixture, missing_for_jolokia
from tests.support.jvm import canonical, free_port
from tests.support.needs import require_packages

PATIENT_S = 30.0
TIMER = "com.atlassian.jira:type=metrics,category00=fixture,name=timer001"
GAUGES = "com.atlassian.jira:type=metrics,category00=gauges,*"
COSTLY = "com.atlassian.jira:connectionpool=connections,connection=*,name=BasicDataSource"
POOL = "com.atlassian.jira:connectionpool=connections,connection=main,*"
RICH = [TransportName.RMI, TransportName.JOLOKIA]
Read = Callable[..., JmxSample]


@pytest.fixture(scope="module")
def fixture_jvm() -> Iterator[JolokiaFixture]:
    require_packages(missing_for_jolokia())
    with JolokiaFixture() as running:
        yield running


def target_for(jvm: JolokiaFixture, name: TransportName) -> Target:
    return jvm.jolokia_target if name is TransportName.JOLOKIA else replace(jvm.target, transport=name)


@pytest.fixture(params=list(TransportName))
def read(request: pytest.FixtureRequest, fixture_jvm: JolokiaFixture) -> Read:
    """One sample of some queries through one of the transports."""
    target = target_for(fixture_jvm, request.param)

    def take(*queries: BeanQuery, **changes: object) -> JmxSample:
        with closing(open_transport(replace(target, **changes), queries)) as transport:  # type: ignore[arg-type]  # fields
            return transport.sample(PATIENT_S)

    return take


rich_only = pytest.mark.parametrize("read", RICH, indirect=True)


def failures_of(sample: JmxSample, bean: str) -> dict[str, str]:
    return {item.attribute: item.reason for item in sample.failures if canonical(item.bean) == canonical(bean)}


def values_of(sample: JmxSample, bean: str) -> dict[str, object]:
    return dict(next((found for name, found in sample.beans.items() if canonical(name) == canonical(bean)), {}))


def test_numbers_texts_and_truth(read: Read) -> None:
    """Integers of every size, texts beyond the BMP, characters and booleans arrive as what they are."""
    names = ("MaxLong", "MinInt", "Byte", "True", "Text")
    sample = read(BeanQuery("fixture:type=Weird", names))
    assert values_of(sample, "fixture:type=Weird") == {
        "MaxLong": 2**63 - 1,
        "MinInt": -(2**31),
        "Byte": -3,
        "True": True,
        "Text": "café € 😀",
    }
    assert type(values_of(sample, "fixture:type=Weird")["True"]) is bool


def test_composite_is_a_mapping(read: Read) -> None:
    """CompositeData arrives as a mapping from item to value."""
    sample = read(
        BeanQuery("fixture:type=Weird", ("Composite",)), BeanQuery("java.lang:type=Memory", ("HeapMemoryUsage",))
    )
    assert values_of(sample, "fixture:type=Weird")["Composite"] == {"label": "x", "used": 11}
    heap = values_of(sample, "java.lang:type=Memory")["HeapMemoryUsage"]
    assert isinstance(heap, dict)
    assert heap.keys() == {"init", "used", "committed", "max"}


@rich_only
def test_values_that_json_has_no_word_for(read: Read) -> None:
    """Decimals, big integers, dates, lists, tables and gauges declared as Object are the same over both."""
    names = ("BigInteger", "BigDecimal", "Date", "Ints", "Strings", "Tabular", "NumberAsObject", "NumberDeclared")
    values = values_of(
        read(BeanQuery("fixture:type=Weird", (*names, "Char", "Null", "Colour", "Map"))), "fixture:type=Weird"
    )
    table = values.pop("Tabular")
    assert isinstance(table, list)
    assert sorted(table, key=str) == [{"label": "x", "used": 11}, {"label": "y", "used": 12}]
    assert values == {
        "BigInteger": 2**80,
        "BigDecimal": Decimal("12345.6789"),
        "Date": datetime.fromtimestamp(1_700_000_000, UTC),
        "Ints": [1, -2, 3],
        "Strings": ["a", None, "b"],
        "NumberAsObject": 42,
        "NumberDeclared": 2.5,
        "Char": "é",
        "Null": None,
        "Colour": "RED",
        "Map": {"k": 1},
    }


@rich_only
def test_not_a_number_is_never_a_number(read: Read) -> None:
    """NaN and the infinities stay not finite (JSON has one word for all of them)."""
    values = values_of(read(BeanQuery("fixture:type=Weird", ("NaN", "Infinite"))), "fixture:type=Weird")
    assert all(isinstance(value, float) and not math.isfinite(value) for value in values.values())
    assert values.keys() == {"NaN", "Infinite"}


def test_what_throws_costs_itself_alone(read: Read) -> None:
    """J14: 90 attributes of which 2 throw are 88 values and 2 named failures."""
    names = tuple(f"A{index:02d}" for index in range(90))
    sample = read(BeanQuery("fixture:type=Wide", names))
    assert len(values_of(sample, "fixture:type=Wide")) == 88
    assert failures_of(sample, "fixture:type=Wide").keys() == {"A17", "A63"}


@rich_only
def test_object_without_a_value_is_a_named_failure(read: Read) -> None:
    """A class of the application's own has no value: never its text, always a failure."""
    sample = read(BeanQuery("fixture:type=Weird", ("Unserialisable", "Byte")))
    assert values_of(sample, "fixture:type=Weird") == {"Byte": -3}
    assert failures_of(sample, "fixture:type=Weird").keys() == {"Unserialisable"}


def test_pattern_finds_all_beans(read: Read) -> None:
    """A pattern reads each bean that matches, under the name that the JVM gave it."""
    sample = read(BeanQuery(GAUGES, ("Value",)))
    values = {canonical(name): found["Value"] for name, found in sample.beans.items() if "gauges" in name}
    assert sorted(values.values(), key=str) == [0.5, 1.5, 2.5, 3.5]


@rich_only
def test_costly_beans_are_never_read(read: Read, fixture_jvm: JolokiaFixture) -> None:
    """J18: a bean that a pattern excludes is neither read nor listed as found."""
    sample = read(BeanQuery(POOL, ("NumActive", "NumIdle"), (COSTLY,)))
    assert [found["NumIdle"] for name, found in sample.beans.items() if "Counts" in name] == [3]
    assert not [name for name in sample.beans if "BasicDataSource" in name]
    assert fixture_jvm.command("costly") == "0"


@rich_only
def test_bean_that_is_not_there_is_a_failure(read: Read) -> None:
    """An absent bean and a pattern without beans are `no-bean`; the others arrive."""
    sample = read(BeanQuery("gone:type=Gone", ("A",)), BeanQuery("gone:*", ("A",)), BeanQuery(TIMER, ("Count",)))
    assert failures_of(sample, "gone:type=Gone") == {"": "no-bean"}
    assert [item.reason for item in sample.failures if item.bean == "gone:*"] == ["no-bean"]
    assert values_of(sample, TIMER).keys() == {"Count"}


def test_start_of_the_jvm(read: Read, fixture_jvm: JolokiaFixture) -> None:
    """Every sample carries the JVM's start time, from which resets are known."""
    assert str(read(BeanQuery(TIMER, ("Count",))).started_ms) == fixture_jvm.command("started")


def test_cap_names_what_it_cut(read: Read) -> None:
    """J16: more beans than allowed are cut, counted and named."""
    count, names = read(BeanQuery(GAUGES, ("Value",)), max_beans=1).cut
    assert count >= 2
    assert names


@pytest.mark.parametrize("name", RICH)
def test_malformed_name_is_refused_at_once(name: TransportName, fixture_jvm: JolokiaFixture) -> None:
    """J15: a name that is no ObjectName never reaches the wire."""
    with pytest.raises(ValueError, match="no colon"):
        open_transport(target_for(fixture_jvm, name), [BeanQuery("no colon", ("A",))])


@pytest.mark.parametrize("name", list(TransportName))
def test_nothing_listens(name: TransportName) -> None:
    """J12: a closed port is `refused`, over each transport, and the next samples say the same."""
    port = free_port()
    target = Target("127.0.0.1", port, name, url=f"http://127.0.0.1:{port}/jolokia")
    with closing(open_transport(target, [BeanQuery(TIMER, ("Count",))])) as transport:
        for _ in range(2):
            with pytest.raises(JmxError) as caught:
                transport.sample(PATIENT_S)
            assert caught.value.code == "refused"
            assert caught.value.do


@pytest.mark.parametrize("name", RICH)
def test_restart_gives_fresh_values_without_a_new_transport(name: TransportName, clock: Clock) -> None:
    """J9, J10: after a restart the values and the start time are the new JVM's; while it is down there are none."""
    require_packages(missing_for_jolokia())
    kind = JolokiaTransport if name is TransportName.JOLOKIA else RmiTransport
    with JolokiaFixture() as jvm:
        with closing(kind(target_for(jvm, name), [BeanQuery(TIMER, ("Count",))], clock=clock)) as transport:
            before = transport.sample(PATIENT_S)
            jvm.kill()
            with pytest.raises(JmxError):
                transport.sample(PATIENT_S)
            jvm.start()
            clock.forward(120)
            after = transport.sample(PATIENT_S)
        assert str(after.started_ms) == jvm.command("started")
        assert before.started_ms != after.started_ms
        assert values_of(after, TIMER).keys() == {"Count"}
