"""The cheap way to read a reply is exact: what it reads is what the full parser reads, or it does not read at all."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.jmx.calls import Method
from agent.jmx.errors import ConnectionLost, JmxError, ProtocolError, RemoteFailure
from agent.jmx.nodes import PRIMITIVES
from agent.jmx.replies import Return, read_return
from agent.jmx.serial import StreamReader
from agent.jmx.templates import Template, TemplateSet
from agent.jmx.values import value_of
from tests.jmx.vectors import EXPECTED, decode, plain, reply


class Wire:
    """Stands for a channel: bytes come in pieces."""

    def __init__(self, pieces: Iterator[bytes] | list[bytes]) -> None:
        self.inbox = bytearray()
        self._pieces = iter(pieces)
        self.parsed = 0

    def fill(self) -> None:
        piece = next(self._pieces, b"")
        if not piece:
            raise ConnectionLost("end")
        self.inbox += piece

    def receive(self, method: Method, *, record: bool = False) -> tuple[Return, StreamReader]:
        self.parsed += 1
        reader = StreamReader(self.inbox, fill=self.fill, record=record)
        return read_return(reader, method.result), reader

    def consume(self, size: int) -> None:
        del self.inbox[:size]


def read_all(raws: list[bytes], pieces: list[bytes] | None = None) -> tuple[list[object], Wire]:
    wire = Wire(pieces or [b"".join(raws)])
    templates = TemplateSet()
    return [templates.receive(wire, Method.GET_ATTRIBUTES) for _ in raws], wire  # type: ignore[arg-type]  # a stand-in


def with_numbers(raw: bytes, numbers: bytes) -> bytes:
    """The same reply with other numbers in its boxes, taken from `numbers`."""
    reader = StreamReader(raw, record=True)
    read_return(reader, Method.GET_ATTRIBUTES.result)
    changed = bytearray(raw)
    for position, (offset, code) in enumerate(reader.slots):
        size = PRIMITIVES[code].size
        changed[offset : offset + size] = (numbers * 8)[position : position + size]
    return bytes(changed)


def test_the_second_reply_is_read_without_the_parser() -> None:
    """Two captured replies differ in UID and numbers only: the template of the first reads the second."""
    values, wire = read_all([reply("timer-attributes"), reply("timer-attributes-2")])
    assert values == [EXPECTED["timer-attributes"], EXPECTED["timer-attributes-2"]]
    assert wire.parsed == 1
    assert wire.inbox == b""


@pytest.mark.parametrize("name", ["memory", "some-missing", "timer-attributes", "weird"])
@given(numbers=st.binary(min_size=8, max_size=200))
def test_a_template_reads_what_the_parser_reads(name: str, numbers: bytes) -> None:
    """For any numbers in the boxes both ways give the same value, nested ones too."""
    first = reply(name)
    second = with_numbers(first, numbers)
    values, wire = read_all([first, second])
    assert repr(values[1]) == repr(decode(name, second))
    assert wire.parsed == 1


@pytest.mark.parametrize("size", [1, 7, 22, 100, 895])
def test_a_reply_that_comes_in_pieces_is_waited_for(size: int) -> None:
    """Fewer bytes that agree with the template are a message that is not whole yet."""
    raw = reply("timer-attributes") + reply("timer-attributes-2")
    pieces = [raw[begin : begin + size] for begin in range(0, len(raw), size)]
    values, wire = read_all([reply("timer-attributes"), reply("timer-attributes-2")], pieces)
    assert values[1] == EXPECTED["timer-attributes-2"]
    assert wire.parsed == 1


def test_a_shorter_reply_is_not_waited_for() -> None:
    """A reply of another layout goes to the parser, though a longer template began alike."""
    values, wire = read_all([reply("timer-attributes"), reply("some-missing")])
    assert values[1] == EXPECTED["some-missing"]
    assert wire.parsed == 2


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_changed_bit_is_never_overlooked(position: int, bit: int) -> None:
    """Whatever bit changes, the template gives what the parser gives: a value, or the same kind of refusal."""
    first = reply("timer-attributes")
    changed = bytearray(first)
    changed[position % len(first)] ^= 1 << bit
    try:
        expected: object = repr(decode("timer-attributes", bytes(changed)))
    except (JmxError, AssertionError) as error:
        expected = type(error)
    except Exception:
        expected = ConnectionLost  # the parser wants more bytes than there are
    try:
        found: object = repr(read_all([first, bytes(changed)])[0][1])
    except JmxError as error:
        found = type(error)
    assert found == expected or expected is AssertionError


def test_values_of_a_template_are_not_shared() -> None:
    """Lists and mappings of one sample are not those of the next."""
    values, _ = read_all([reply("memory")] * 3)
    first, second = values[1:]
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    first["HeapMemoryUsage"]["used"] = "changed"
    assert plain(second) == EXPECTED["memory"]


def test_an_exception_is_no_template() -> None:
    """What the server refuses comes back as its failure, and the next reply is read as before."""
    values, _ = read_all([reply("timer-attributes"), reply("no-bean"), reply("timer-attributes-2")])
    assert isinstance(values[1], RemoteFailure)
    assert values[2] == EXPECTED["timer-attributes-2"]


def test_lists_that_never_repeat_stop_being_learnt() -> None:
    """Values with other texts each time cost the parser alone, not the parser and a template."""
    raws = [reply("timer-attributes").replace(b"milliseconds", b"%012d" % number) for number in range(40)]
    values, wire = read_all(raws)
    assert wire.parsed == 40
    assert [value["DurationUnit"] for value in values] == [f"{number:012d}" for number in range(40)]  # type: ignore[index]


def test_a_map_with_boxed_keys_is_read_by_the_parser() -> None:
    """Where a number decides on the shape there is no template."""
    integer = b"\x73\x72\x00\x11java.lang.Integer" + bytes.fromhex("12e2a0a4f7818738020001490005") + b"value\x78\x70"
    body = b"\x73\x72\x00\x11java.util.HashMap" + bytes(8) + b"\x03\0\0\x78\x70"
    raw = reply("timer-attributes")[:22] + body + integer + struct.pack(">i", 5) + b"\x74\0\1v\x78"
    values, wire = read_all([raw, raw])
    assert values == [{5: "v"}, {5: "v"}]
    assert wire.parsed == 4


def test_the_head_of_a_reply_is_compared_too() -> None:
    """A template never takes an exception for a value, though all else agreed."""
    raw = reply("timer-attributes")
    reader = StreamReader(raw, record=True)
    template = Template(raw, reader.slots, value_of(read_return(reader, Method.GET_ATTRIBUTES.result).value))
    assert template.read(bytearray(raw)) is not None
    assert template.read(bytearray(raw[:7] + b"\x02" + raw[8:])) is None
    assert not template.agrees(bytearray(raw[:7] + b"\x02" + raw[8:50]))
    with pytest.raises(ProtocolError):
        read_all([raw, raw[:7] + b"\x03" + raw[8:]])
