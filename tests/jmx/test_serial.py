"""The reader of serialization streams: every vector, every rule for a safe reader (wire note, sections 9 and 10)."""

from __future__ import annotations

import struct
import time
import tracemalloc
from datetime import UTC, datetime

import pytest

from agent.jmx.errors import PeerAborted, ProtocolError, UnskippableValue, clean
from agent.jmx.nodes import Slot
from agent.jmx.serial import MAGIC, Limits, NeedMore, StreamReader, decode_utf
from agent.jmx.values import Opaque, value_of
from tests.jmx.vectors import CALLS, EXPECTED, decode, plain, reply

BROKEN = {"not-serializable": PeerAborted, "externalizable": UnskippableValue}


def desc(name: str, flags: int = 2, fields: bytes = b"\0\0", parent: bytes = b"\x70", suid: bytes = bytes(8)) -> bytes:
    raw = name.encode()
    return b"\x72" + struct.pack(">H", len(raw)) + raw + suid + bytes([flags]) + fields + b"\x78" + parent


def read(body: bytes, limits: Limits | None = None) -> object:
    reader = StreamReader(MAGIC + body, limits=limits or Limits())
    reader.magic()
    return value_of(reader.value())


@pytest.mark.parametrize("name", [name for name in CALLS if name not in BROKEN])
def test_every_vector_decodes_to_its_expected_value(name: str) -> None:
    """Each captured reply gives the value, or the server's exception with its causes, that a Java client saw."""
    expected = EXPECTED[name]
    if name == "timer-info":
        expected = [list(eval(row["$tuple"])) for row in expected]  # noqa: S307 - our own data file
    assert plain(decode(name, reply(name))) == expected


def test_a_value_the_server_cannot_serialize_is_told_by_class() -> None:
    """TC_EXCEPTION inside a normal return is a breach of its own kind that names what could not be serialized."""
    with pytest.raises(PeerAborted) as caught:
        decode("not-serializable", reply("not-serializable"))
    assert caught.value.reason == EXPECTED["not-serializable"]["$PeerAborted"]


def test_bare_externalizable_data_has_no_end() -> None:
    """In protocol version 1 externalizable content cannot be skipped; the class is named."""
    with pytest.raises(UnskippableValue) as caught:
        decode("externalizable", reply("externalizable"))
    assert caught.value.class_name == "Fixture$Ext"


@pytest.mark.parametrize("name", [name for name in CALLS if name not in BROKEN])
def test_every_proper_prefix_needs_more(name: str) -> None:
    """A message that is not whole is told apart from one that is wrong: only parsing finds its end."""
    raw = reply(name)
    for size in range(0, len(raw), max(1, len(raw) // 200)):
        with pytest.raises(NeedMore):
            decode(name, raw[:size])


def test_a_reader_that_fills_asks_for_what_the_grammar_needs_only() -> None:
    """With a `fill` the same reader waits for bytes one at a time and never asks for one behind the end."""
    raw, buffer = reply("memory"), bytearray()

    def fill() -> None:
        buffer.append(raw[len(buffer)])

    reader = StreamReader(buffer, fill=fill)
    assert reader.u1() == 0x51
    reader.magic()
    reader.block()
    assert plain(value_of(reader.value())) == EXPECTED["memory"]
    assert bytes(buffer) == raw


def test_recording_tells_where_each_boxed_number_lies() -> None:
    """A recording reader puts Slots for boxed numbers; offset and code lead to the number in the bytes."""
    raw = reply("timer-attributes")
    reader = StreamReader(raw, 1, record=True)
    reader.magic()
    reader.block()
    shape = value_of(reader.value())
    assert isinstance(shape, dict)
    slot = shape["Count"]
    assert isinstance(slot, Slot)
    offset, code = reader.slots[slot.index]
    assert code == "J"
    assert struct.unpack_from(">q", raw, offset)[0] == EXPECTED["timer-attributes"]["Count"]


def test_modified_utf8() -> None:
    """NUL is c0 80, astral characters two surrogates; half a pair becomes U+FFFD, all else is a breach."""
    assert decode_utf(b"a\xc0\x80\xed\xa0\xbd\xed\xb8\x80") == "a\0\U0001f600"
    assert decode_utf(b"\xed\xa0\xbd") == "\ufffd"
    with pytest.raises(ProtocolError):
        decode_utf(b"\xff\xfe")


def many_levels() -> bytes:
    """Six bytes an object, and a class chain of sixty to walk for each."""
    chain = b"".join(desc(f"A{number}")[:-1] for number in range(60)) + b"\x70"
    one = b"\x73\x71\x00\x7e\x00\x02"
    return b"\x75" + desc("[L") + struct.pack(">i", 300_000) + b"\x73" + chain + one * 299_999


BOMBS = {
    "array of two thousand million": b"\x75" + desc("[I") + struct.pack(">i", 2**31 - 1),
    "array of negative length": b"\x75" + desc("[I") + struct.pack(">i", -1),
    "long string beyond memory": b"\x7c" + struct.pack(">q", 2**62),
    "long string of negative length": b"\x7c" + struct.pack(">q", -5),
    "block of negative length": b"\x73" + desc("A", 3) + b"\x7a" + struct.pack(">i", -1),
    "proxy with too many interfaces": b"\x73\x7d" + struct.pack(">i", 2**31 - 1),
    "class with too many fields": b"\x73" + desc("A", fields=b"\xff\xff"),
    "field of unknown type": b"\x73" + desc("A", fields=b"\0\1Q\0\1a"),
    "arrays nested too deep": (b"\x75" + desc("[L") + b"\0\0\0\1") * 100 + b"\x70",
    "too many ancestors": b"\x73" + b"".join(desc(f"A{number}")[:-1] for number in range(100)) + b"\x70",
    "class that is its own ancestor": b"\x73" + desc("A", parent=b"\x71\x00\x7e\x00\x00"),
    "handle outside the table": b"\x71\x00\x7e\x00\x07",
    "handle below the table": b"\x71\x00\x00\x00\x00",
    "class description that is a string": b"\x75" + desc("[L") + b"\0\0\0\2\x74\0\1x\x73\x71\x00\x7e\x00\x02",
    "unknown tag": b"\x42",
    "end of block without a block": b"\x78",
    "reset inside an object": b"\x75" + desc("[L") + b"\0\0\0\1\x79\x70",
    "nulls beyond the budget": b"\x75" + desc("[L") + struct.pack(">i", 1_100_000) + b"\x70" * 1_100_000,
    "exception whose value is null": b"\x7b\x70",
    "exception inside exceptions": b"\x7b" * 200 + b"\x70",
    "annotations nested too deep": (b"\x73" + desc("A", 3)) * 100 + b"\x78" * 100,
    "objects of many levels": many_levels(),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_quickly_and_in_little_memory(name: str) -> None:
    """Lengths are checked before memory is taken, depth and number of values are bounded (section 10, rules 2 to 5)."""
    tracemalloc.start()
    begin = time.process_time()
    with pytest.raises(ProtocolError):
        StreamReader(BOMBS[name]).value()
    took_s = time.process_time() - begin
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took_s < 5  # tracing slows it down several times
    assert peak < 120 * 2**20


def test_a_reply_longer_than_the_limit_is_refused_while_it_comes() -> None:
    """A server that never stops sending is cut off at the limit of bytes, with a code of its own."""
    buffer = bytearray(MAGIC + b"\x7c" + struct.pack(">q", 60))

    def fill() -> None:
        buffer.extend(bytes(8))

    reader = StreamReader(buffer, fill=fill, limits=Limits(size_bytes=50))
    reader.magic()
    with pytest.raises(ProtocolError) as caught:
        reader.value()
    assert caught.value.code == "reply-too-large"
    assert len(buffer) <= 60


HASH_MAP = desc("java.util.HashMap", 3)


def test_a_map_with_itself_as_key_is_refused() -> None:
    """Text of a key that holds itself would grow without end (section 10, rule 6)."""
    with pytest.raises(ProtocolError):
        read(b"\x73" + HASH_MAP + b"\x71\x00\x7e\x00\x01\x70" + b"\x78")


def test_a_map_whose_keys_are_no_scalars_is_opaque() -> None:
    """Keys are scalars only; the class name stands for a map with others."""
    array = b"\x75" + desc("[Ljava.lang.Object;") + b"\0\0\0\0"
    assert read(b"\x73" + HASH_MAP + array + b"\x70" + b"\x78") == Opaque("java.util.HashMap")


def test_a_list_that_holds_itself_is_refused() -> None:
    """Conversion has a depth of its own, as the graph may be a circle."""
    with pytest.raises(ProtocolError):
        read(b"\x75" + desc("[Ljava.lang.Object;") + b"\0\0\0\1\x71\x00\x7e\x00\x01")


def test_a_small_reply_that_unfolds_without_end_is_refused() -> None:
    """Conversion has a node budget of its own: 50 arrays that each hold the next one twice are 2**50 values."""
    first = b"\x75" + desc("[Ljava.lang.Object;") + b"\0\0\0\2"
    again = b"\x75\x71\x00\x7e\x00\x00\0\0\0\2"
    # each array's second element is a handle to its first
    body = first + again * 49 + b"\x70\x70"
    body += b"".join(b"\x71" + struct.pack(">i", 0x7E0000 + number) for number in range(50, 1, -1))
    with pytest.raises(ProtocolError) as caught:
        read(body)
    assert caught.value.code == "reply-too-large"


def test_huge_numbers_stay_opaque() -> None:
    """An integer of a mebibyte, or a decimal of a huge exponent, would take long to turn into text (rule 7)."""
    fields = b"\0\2I\0\6signum[\0\x09magnitude\x74\0\2[B"
    integer = b"\x73" + desc("java.math.BigInteger", fields=fields) + struct.pack(">i", 1)
    integer += b"\x75" + desc("[B") + struct.pack(">i", 2**20) + bytes([255]) * 2**20
    assert isinstance(read(integer), Opaque)
    fields = b"\0\2I\0\5scaleL\0\6intVal\x74\0\1x"
    decimal = b"\x73" + desc("java.math.BigDecimal", fields=fields) + struct.pack(">i", -(2**31) + 1)
    small = b"\x73" + desc("java.math.BigInteger", fields=b"\0\2I\0\6signum[\0\x09magnitude\x74\0\2[B")
    decimal += small + struct.pack(">i", 1) + b"\x75" + desc("[B") + b"\0\0\0\1\7"
    assert isinstance(read(decimal), Opaque)


def test_a_date_that_python_does_not_know_is_opaque() -> None:
    """Years beyond 9999 do not raise."""
    body = b"\x73" + desc("java.util.Date", 3) + b"\x77\x08" + struct.pack(">q", 2**62) + b"\x78"
    assert isinstance(read(body), Opaque)
    body = b"\x73" + desc("java.util.Date", 3) + b"\x77\x08" + struct.pack(">q", 0) + b"\x78"
    assert read(body) == datetime(1970, 1, 1, tzinfo=UTC)


SER = b"\x73" + desc("java.time.Ser", 12 - 8)
MOMENTS = {
    b"\x01" + struct.pack(">qi", 90, 500_000_000): 90.5,
    b"\x02" + struct.pack(">qi", 7, 0): 7.0,
    b"\x03" + struct.pack(">ibb", 2024, 2, 29): "2024-02-29",
    b"\x04" + bytes([10, 256 - 31]): "10:30:00",
    b"\x05" + struct.pack(">ibb", 2024, 2, 29) + bytes([256 - 6]): "2024-02-29T05:00:00",
    b"\x06"
    + struct.pack(">ibb", 2024, 2, 29)
    + bytes([256 - 6, 4, 7, 0, 3])
    + b"UTC": "2024-02-29T05:00:00+01:00[UTC]",
    b"\x07\x00\x03UTC": "UTC",
    b"\x08\x7f" + struct.pack(">i", -5400): "-01:30",
    b"\x0a" + struct.pack(">ibb", 2024, 2, 29) + bytes([1, 2, 3, 0, 0, 0, 9, 0]): "2024-02-29T01:02:03.000000009+00:00",
}


@pytest.mark.parametrize("body", MOMENTS)
def test_java_time_values(body: bytes) -> None:
    """java.time.Ser is the one externalizable class whose end is known: seconds, else ISO text."""
    assert read(SER + body) == MOMENTS[body]


def test_texts_of_the_server_are_cleaned_and_cut() -> None:
    """No control, escape or bidi character and no long text of a server reaches a log or a terminal."""
    assert clean("a\x1b[31m\u202eb\r\n\x07\ud800") == "a\ufffd[31m\ufffdb  \ufffd\ufffd"
    assert len(clean("x" * 10_000)) == 200
