"""Hostile bytes: only our own kinds of error come out of the reader, in bounded time and memory.

Hypothesis prints a failing example with its seed (`@reproduce_failure`, print_blob).
"""

from __future__ import annotations

import time

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent.jmx.errors import JmxError
from agent.jmx.plan import declared_attributes
from agent.jmx.replies import Result, read_return
from agent.jmx.rmi import stub_of
from agent.jmx.serial import MAGIC, NeedMore, StreamReader
from agent.jmx.values import NoTemplate, value_of
from tests.jmx.vectors import CALLS, records, reply

SEEDS = [reply(name) for name in CALLS]
SEEDS += [raw for name in ("stub-tls", "stub-proxy", "session-auth") for side, raw in records(name) if side == "S"]
TOKENS = [bytes([tag]) for tag in range(0x70, 0x7F)] + [
    b"\x71\x00\x7e\x00\x00",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
]
MOST_S = 2.0
FUZZ = settings(max_examples=1500, print_blob=True, deadline=None, suppress_health_check=list(HealthCheck))


def take_in(raw: bytes, *, record: bool = False) -> None:
    """Everything that is ever done with a server's bytes."""
    begin = time.process_time()
    for result in (Result.OBJECT, Result.BOOLEAN):
        try:
            answer = read_return(StreamReader(raw, record=record), result)
        except (JmxError, NeedMore):
            continue
        for convert in (value_of, declared_attributes, stub_of):
            try:
                str(convert(answer.value))[:1000].encode("utf-8")
            except (JmxError, NoTemplate):
                continue
    assert time.process_time() - begin < MOST_S


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    raw = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(raw)))
        kind = draw(st.sampled_from(["change", "insert", "delete", "token", "copy", "cut"]))
        if kind == "change" and at < len(raw):
            raw[at] = draw(st.integers(0, 255))
        elif kind == "insert":
            raw[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == "delete":
            del raw[at : at + draw(st.integers(1, 16))]
        elif kind == "token":
            token = draw(st.sampled_from(TOKENS))
            raw[at : at + len(token)] = token
        elif kind == "copy":
            size = draw(st.integers(1, 200))
            raw[at:at] = raw[: len(raw)][at : at + size] * draw(st.integers(1, 4))
        elif kind == "cut":
            del raw[at:]
    return bytes(raw)


@FUZZ
@given(raw=mutated(), record=st.booleans())
@example(raw=b"", record=False)
def test_mutated_vectors_raise_nothing_but_our_errors(raw: bytes, record: bool) -> None:
    """Bits, tags, lengths and handles changed, parts repeated, removed, cut."""
    take_in(raw, record=record)


ITEMS = st.one_of(
    st.sampled_from(TOKENS),
    st.integers(0, 12).map(lambda number: b"\x71\x00\x7e\x00" + bytes([number])),
    st.text(max_size=4).map(lambda text: b"\x74\x00" + bytes([len(text.encode())]) + text.encode()),
    st.sampled_from(
        [
            b"\x73\x72\x00" + bytes([len(name)]) + name.encode() + bytes(8)
            for name in ("java.util.HashMap", "java.util.Date", "A")
        ]
    ),
    st.sampled_from(
        [b"\x03\x00\x00\x78\x70", b"\x02\x00\x01I\x00\x05value\x78\x70", b"\x04\x00\x00\x78\x70", b"\x77\x04abcd"]
    ),
    st.sampled_from(
        [b"\x75\x72\x00\x02[" + bytes([code]) + bytes(8) + b"\x02\0\0\x78\x70\0\0\0\x03" for code in b"BCDFIJSZL["]
    ),
)


@FUZZ
@given(items=st.lists(ITEMS, max_size=40))
def test_streams_made_of_grammar_raise_nothing_but_our_errors(items: list[bytes]) -> None:
    """Streams that get far into the grammar, as random bytes would not."""
    take_in(b"\x51" + MAGIC + b"\x77\x0f\x01" + bytes(14) + b"".join(items))
