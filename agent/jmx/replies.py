"""Reads one Return message (wire note, section 4): 51, stream head, block of kind, UID and primitives, then a value.

In:    a StreamReader that stands at the first byte of the message.
Out:   `Return`; the reader then stands behind the message.
Raise: what the reader raises; RemoteFailure is returned, not raised: the caller first lets go of the bytes.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from agent.jmx.errors import ProtocolError, RemoteFailure
from agent.jmx.nodes import JavaObject, Node
from agent.jmx.serial import StreamReader
from agent.jmx.values import failure_of, is_a

RETURN = 0x51
NORMAL, EXCEPTIONAL = 1, 2
UID_BYTES = 14
HEAD_BYTES = 1 + 4 + 2 + 1 + UID_BYTES


class Result(Enum):
    """What a method answers when it answers well."""

    VOID = "void"
    BOOLEAN = "boolean"
    OBJECT = "object"


class Return(NamedTuple):
    """The UID (needed to acknowledge a remote reference), the value, or the exception that the server sent."""

    uid: bytes
    value: Node
    failure: RemoteFailure | None = None


def read_return(reader: StreamReader, result: Result) -> Return:
    """Return one reply to a method with that result."""
    if (found := reader.u1()) != RETURN:
        raise ProtocolError(f"A reply expected, found byte {found:#04x}.")
    reader.magic()
    block = reader.block()
    if len(block) < 1 + UID_BYTES:
        raise ProtocolError("The head of a reply is too short.")
    # The UID is new in every reply: besides the numbers it is all that two replies to one call differ in.
    kind, uid, primitive = block[0], block[1 : 1 + UID_BYTES], block[1 + UID_BYTES :]
    if kind == EXCEPTIONAL:
        thrown = reader.value()
        if not isinstance(thrown, JavaObject) or not is_a(thrown, "java.lang.Throwable"):
            raise ProtocolError("An exception was announced, something else came.")
        return Return(uid, None, failure_of(thrown))
    if kind != NORMAL:
        raise ProtocolError("A reply is neither normal nor an exception.")
    # A primitive lies in the head's own block. More or less of it belongs to another method, and since only the order
    # pairs replies with calls, everything behind it would be taken for something else.
    if len(primitive) != (result is Result.BOOLEAN):
        raise ProtocolError("A reply has another result than its method.")
    if result is Result.OBJECT:
        return Return(uid, reader.value())
    return Return(uid, bool(primitive[0]) if primitive else None)
