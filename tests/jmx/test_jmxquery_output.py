"""The parser of what the jmxquery jar prints: nearly JSON."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.jmx import JmxError
from agent.jmx.jmxquery_output import parse_error, parse_records


def line(value: str, type_name: str = "String", bean: str = "d:a=b") -> str:
    return f'{{"mBeanName" : "{bean}", "attribute" : "X", "attributeType" : "{type_name}", "value" : {value}}}'


def test_no_records() -> None:
    """An empty answer is no error."""
    assert list(parse_records("[\n]")) == []


@settings(deadline=None)  # a loaded machine is no fault
@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=60).filter(lambda t: "mBeanName" not in t))
def test_any_text_value_arrives(text: str) -> None:
    """Text is printed unescaped; whatever it holds, it arrives, and so does the record after it."""
    first, second = parse_records("[\n" + line(f'"{text}"') + ", \n" + line("7", "Long") + "]")
    assert first.value == text
    assert second.value == 7


@pytest.mark.parametrize(
    ("type_name", "raw", "value"),
    [
        ("Integer", "1", 1),
        ("Byte", '"3"', 3),
        ("Double", "1.5E-3", 0.0015),
        ("Float", '"1.5"', 1.5),
        ("Boolean", "false", False),
        ("BigInteger", '"123456789012345678901"', 123456789012345678901),
    ],
)
def test_types(type_name: str, raw: str, value: object) -> None:
    """The type the jar names decides, not the quotes."""
    (record,) = parse_records("[" + line(raw, type_name) + "]")
    assert record.value == value
    assert type(record.value) is type(value)


@pytest.mark.parametrize(
    ("type_name", "raw", "failure"),
    [("Date", '"x"', "not-supported"), ("String[]", '"[Lx"', "not-supported"), ("Long", "many", "protocol-error")],
)
def test_what_is_no_value_is_a_failure(type_name: str, raw: str, failure: str) -> None:
    """An object's address is never taken for its value."""
    (record,) = parse_records("[" + line(raw, type_name) + "]")
    assert record.failure == failure
    assert record.value is None


@pytest.mark.parametrize("text", ["", "Error occurred", "[", "]", "{}"])
def test_other_output_is_a_protocol_error(text: str) -> None:
    """What is no list is refused, not guessed."""
    with pytest.raises(JmxError) as caught:
        list(parse_records(text))
    assert caught.value.code == "protocol-error"


@settings(deadline=None)  # a loaded machine is no fault
@given(st.text(max_size=200))
def test_hostile_output_ends_orderly(text: str) -> None:
    """Any output gives records or a JmxError, nothing else."""
    with contextlib.suppress(JmxError):
        list(parse_records("[" + text + "]"))


def test_cause_is_told_without_the_jars_text() -> None:
    """The sentence for the admin is ours; host names in the jar's text stay there."""
    error = parse_error('{ "message":"UnknownHostException: planted.internal"}', "127.0.0.1:1")
    assert error.code == "unknown-host"
    assert "planted" not in str(error)


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_jar_that_ended_without_a_word_is_explained(text: str) -> None:
    """It does so at a value it cannot print: what that is, and the transport that can read it."""
    error = parse_error(text, "127.0.0.1:1")
    assert "CompositeData" in error.why
    assert "transport = 'rmi'" in error.do
