"""Writes the calls of a session, and no others: the methods of `Method` are all that this client can say.

Out:  `CallBytes`, byte-identical to a Java client's (but for the query's MarshalledObject, which is null).
Wire: wire note, section 3. 50, stream head, block of 34 bytes (22 ObjID, 4 op, 8 hash), arguments. Class
      descriptions carry an annotation of null (70 78), because the server reads one object there.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from enum import Enum

from agent.jmx.errors import ProtocolError
from agent.jmx.replies import Result

# 50 is a Call; each message is a serialization stream with its own head and its own handles; 77 22 is a block of 34
# bytes. There is no length around it: a byte too many would be read as the next message (sections 2 and 3).
CALL_HEAD = b"\x50\xac\xed\x00\x05\x77\x22"
# Only the 22 bytes from OBJECT_AT on change with a new connection object, so the rest of a call is made once.
OBJECT_AT, METHOD_AT, ARGUMENTS_AT = 7, 29, 41
OBJECT_ID_BYTES = 22
# Two objects are known by number alone, with a UID of zeros: 0 is the registry, 2 the garbage collector.
REGISTRY_ID = bytes(OBJECT_ID_BYTES)
DGC_ID = bytes(7) + b"\x02" + bytes(14)
NULL_ARGUMENT = b"\x70"
MAX_UTF = 0xFFFF


class Method(Enum):
    """The read-only methods: op, hash as sent, result. None invokes, sets, creates or removes."""

    # Old style, for what has a skeleton: op is the number of the method, the hash is the interface's.
    LOOKUP = (2, "44154dc9d4e63bdf", Result.OBJECT)
    # A server with -Djava.rmi.server.ignoreStubClasses=true has no skeleton for its registry and answers this one only.
    LOOKUP_WITHOUT_SKELETON = (-1, "97614f3f477a89c7", Result.OBJECT)
    # The collector keeps its skeleton even there (seen), so the old style always does.
    DIRTY = (1, "f6b6898d8bf28643", Result.OBJECT)
    # New style: op is -1, the hash is the method's, the first eight bytes of SHA-1 over its name and descriptor. They
    # are those of the JDK's generated stubs, the same in all JDKs from 8 to 25.
    NEW_CLIENT = (-1, "f0e074eaad0caea8", Result.OBJECT)
    CLOSE = (-1, "be2e5bc7809d0dcc", Result.VOID)
    GET_CONNECTION_ID = (-1, "ff0ebec77dc65363", Result.OBJECT)
    GET_DEFAULT_DOMAIN = (-1, "53eda2d82e1bdfa8", Result.OBJECT)
    GET_MBEAN_COUNT = (-1, "e3a812879dc32ea5", Result.OBJECT)
    IS_REGISTERED = (-1, "738ac4e1ccaba014", Result.BOOLEAN)
    QUERY_NAMES = (-1, "7f0473acb73677da", Result.OBJECT)
    GET_MBEAN_INFO = (-1, "993cd0f9b9817af6", Result.OBJECT)
    GET_ATTRIBUTE = (-1, "f0e0500a394d7215", Result.OBJECT)
    GET_ATTRIBUTES = (-1, "5739d96a8b235c47", Result.OBJECT)

    def __init__(self, operation: int, hash_hex: str, result: Result) -> None:
        self.selector = struct.pack(">i", operation) + bytes.fromhex(hash_hex)
        self.result = result


# Checked on the bytes that would be sent, not on what a caller meant: `invoke` and `setAttribute` cannot be said here,
# not even by a mistake in this file.
_ALLOWED = frozenset(method.selector for method in Method)


class CallBytes(bytes):
    """One call as sent: the allow-list. Making one checks the method, and a channel sends nothing else."""

    __slots__ = ()

    def __new__(cls, raw: bytes) -> CallBytes:
        """Raises ProtocolError unless `raw` calls a method of `Method`."""
        if raw[:OBJECT_AT] != CALL_HEAD or raw[METHOD_AT:ARGUMENTS_AT] not in _ALLOWED:
            raise ProtocolError("This call is not on the list of read-only methods.")
        return super().__new__(cls, raw)

    def __repr__(self) -> str:
        return f"<call of {len(self)} bytes>"  # arguments may hold a password


def call(object_id: bytes, method: Method, arguments: bytes = b"") -> CallBytes:
    """Return the call of a method of the remote object `object_id` (8 objNum, 14 UID)."""
    if len(object_id) != OBJECT_ID_BYTES:
        raise ProtocolError("An object number must have 22 bytes.")
    return CallBytes(b"".join((CALL_HEAD, object_id, method.selector, arguments)))


def encode_utf(text: str) -> bytes:
    """Return modified UTF-8: NUL as c0 80, characters beyond U+FFFF as two surrogates of three bytes."""
    if text.isascii():
        raw = text.encode("ascii")
    else:
        # By way of UTF-16: Java writes a sign beyond U+FFFF as its two surrogates of three bytes each, which no codec
        # does.
        units = text.encode("utf-16-be", "surrogatepass")
        raw = "".join(map(chr, struct.unpack(f">{len(units) // 2}H", units))).encode("utf-8", "surrogatepass")
    return raw.replace(b"\0", b"\xc0\x80")


def short_utf(text: str) -> bytes:
    """Return 2-byte length and modified UTF-8."""
    raw = encode_utf(text)
    if len(raw) > MAX_UTF:
        raise ProtocolError("A name is longer than 65535 bytes.")
    return struct.pack(">H", len(raw)) + raw


def string(text: str) -> bytes:
    """Return a String argument."""
    return b"\x74" + short_utf(text)


def _class(name: str, suid_hex: str, flags: int, fields: bytes = b"\0\0") -> bytes:
    # The annotation is a null and its end. An empty one (78 alone) does not do: the server reads one object there, and
    # would take the first byte of the next argument for it.
    return b"\x72" + short_utf(name) + bytes.fromhex(suid_hex) + bytes([flags]) + fields + b"\x70\x78\x70"


_STRINGS = b"\x75" + _class("[Ljava.lang.String;", "add256e7e91d7b47", 2)
_OBJECT_NAME = b"\x73" + _class("javax.management.ObjectName", "0f03a71beb6d15cf", 3)


def strings(texts: Sequence[str | None]) -> bytes:
    """Return a String[] argument."""
    items = [NULL_ARGUMENT if text is None else string(text) for text in texts]
    return b"".join((_STRINGS, struct.pack(">i", len(items)), *items))


def object_name(name: str) -> bytes:
    """Return an ObjectName argument; the server checks the syntax."""
    return _OBJECT_NAME + string(name) + b"\x78"


def query_arguments(pattern: str) -> bytes:
    """Return the arguments of queryNames: pattern, no query expression, no subject."""
    # A Java client sends an empty MarshalledObject. Null is taken as well (seen), and is one class fewer that a serial
    # filter could refuse. The Subject is null in every call: delegation is gone from JDKs after 21.
    return object_name(pattern) + NULL_ARGUMENT + NULL_ARGUMENT


def attribute_arguments(bean: str, attribute: str) -> bytes:
    """Return the arguments of getAttribute."""
    return object_name(bean) + string(attribute) + NULL_ARGUMENT


def attributes_arguments(bean: str, encoded_attributes: bytes) -> bytes:
    """Return the arguments of getAttributes; the list comes encoded by `strings`, as many beans share one."""
    return object_name(bean) + encoded_attributes + NULL_ARGUMENT


def bean_arguments(bean: str) -> bytes:
    """Return the arguments of getMBeanInfo and isRegistered."""
    return object_name(bean) + NULL_ARGUMENT


def credentials(user: str | None, password: str | None) -> bytes:
    """Return the argument of newClient: null, or a String[2] of user and password (section 6)."""
    # The server filters this argument by `java.lang.String;!*`: anything but a String[] is an UnmarshalException, not a
    # refused login.
    return NULL_ARGUMENT if user is None else strings((user, password))


class VirtualMachineId:
    """Who holds a lease: 8 free bytes and a UID (8 time, 2 count, 4 unique); one for the life of a session."""

    __slots__ = ("address", "uid_fields")

    def __init__(self, address: bytes | None = None, uid_fields: bytes | None = None) -> None:
        self.address = address or os.urandom(8)
        # as the fields of a UID object: count, time, unique
        self.uid_fields = uid_fields or os.urandom(14)


def dirty_arguments(object_id: bytes, sequence: int, lease_ms: int, holder: VirtualMachineId) -> bytes:
    """Return the arguments of dirty: ObjID[1], sequence, Lease (section 7). The UID's fields come in another order."""
    # In block data a UID is unique, time, count; as an object its fields come by name: count, time, unique.
    number, unique, time_count = object_id[:8], object_id[8:12], object_id[12:22]
    return b"".join(
        (
            b"\x75" + _class("[Ljava.rmi.server.ObjID;", "871300b8d02c647e", 2) + b"\0\0\0\1",
            b"\x73\x72" + short_utf("java.rmi.server.ObjID") + bytes.fromhex("a75efa128ddce55c020002"),
            b"J" + short_utf("objNum") + b"L" + short_utf("space") + string("Ljava/rmi/server/UID;") + b"\x70\x78\x70",
            number,
            b"\x73\x72" + short_utf("java.rmi.server.UID") + bytes.fromhex("0f12700dbf364f12020003"),
            b"S" + short_utf("count") + b"J" + short_utf("time") + b"I" + short_utf("unique") + b"\x70\x78\x70",
            time_count[8:] + time_count[:8] + unique,
            b"\x77\x08" + struct.pack(">q", sequence),
            b"\x73\x72" + short_utf("java.rmi.dgc.Lease") + bytes.fromhex("b0b5e2660c4adc34020002"),
            b"J" + short_utf("value") + b"L" + short_utf("vmid") + string("Ljava/rmi/dgc/VMID;") + b"\x70\x78\x70",
            struct.pack(">q", lease_ms),
            b"\x73\x72" + short_utf("java.rmi.dgc.VMID") + bytes.fromhex("f8865bafa4a56db6020002"),
            b"[" + short_utf("addr") + string("[B") + b"L" + short_utf("uid") + b"\x71\x00\x7e\x00\x03\x70\x78\x70",
            # Handles 3 and 5 below and above are the type text and the class description of UID: they count what was
            # described before them in this message. Whoever puts something in between counts anew.
            b"\x75" + _class("[B", "acf317f8060854e0", 2) + b"\0\0\0\x08" + holder.address,
            b"\x73\x71\x00\x7e\x00\x05" + holder.uid_fields,
        )
    )
