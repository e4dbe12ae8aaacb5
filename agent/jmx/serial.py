"""Reads one Java serialization stream and instantiates nothing: class names are text, values a graph of plain nodes.

In:    bytes as received, from an offset on; either all there, or growing by a `fill` that waits for more.
Out:   None, bool, int, float, str and the classes of `nodes.py`; `values.py` makes Python values of them.
Wire:  wire note, section 9 (grammar, handles from 0x7e0000, protocol version 1) and 10 (rules for a safe reader).
Raise: NeedMore when the bytes end early and there is no `fill`; ProtocolError and its kinds for all else. After a
       ProtocolError the reader and its socket are of no further use.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from agent.jmx import javatime
from agent.jmx.errors import PeerAborted, ProtocolError, UnskippableValue, clean
from agent.jmx.nodes import (
    BLOCK_DATA,
    EXTERNALIZABLE,
    PRIMITIVES,
    SERIALIZABLE,
    WRITE_METHOD,
    ClassDesc,
    JavaArray,
    JavaClass,
    JavaEnum,
    JavaObject,
    Node,
    Slot,
    box_of,
    char_of,
    decode_utf,
)

MAGIC = b"\xac\xed\x00\x05"
NULL, REFERENCE, CLASSDESC, OBJECT, STRING, ARRAY, CLASS, BLOCK, END = range(0x70, 0x79)
RESET, LONG_BLOCK, EXCEPTION, LONG_STRING, PROXY_DESC, ENUM = range(0x79, 0x7F)
FIRST_HANDLE = 0x7E0000

U2, I4, I8 = Struct(">H"), Struct(">i"), Struct(">q")


class NeedMore(Exception):
    """The bytes end inside the message."""


# Checked before memory is taken. With these, 710,000 mutated replies took 9 ms at most, and 19 bombs made by hand 0.25
# s and 107 MiB; a reply of a product's 4,200 attributes comes nowhere near them.
class Limits(NamedTuple):
    """Budgets of one message (section 10, rules 2 to 4); `nodes` counts nulls, handles and elements too."""

    size_bytes: int = 16 * 1024 * 1024
    nodes: int = 1_000_000
    depth: int = 64
    string_bytes: int = 4 * 1024 * 1024
    fields: int = 4096
    interfaces: int = 256
    chain: int = 64


LIMITS = Limits()


class StreamReader:
    """Reads one message of `buffer` from `start`; `at` is the offset behind what has been read.

    With `record`, boxed numbers become `Slot`s and `slots` lists their (offset, code).
    """

    def __init__(
        self,
        buffer: bytes | bytearray,
        start: int = 0,
        *,
        fill: Callable[[], None] | None = None,
        record: bool = False,
        limits: Limits = LIMITS,
    ) -> None:
        self.buffer = buffer
        self.at = start
        self.slots: list[tuple[int, str]] = []
        self._record = record
        self._fill = fill
        self._limits = limits
        self._last = start + limits.size_bytes
        self._nodes_left = limits.nodes
        self._depth = 0
        self._handles: list[Node] = []

    # bytes

    def need(self, count: int) -> int:
        """Make sure that `count` bytes lie ahead, step over them and return where they begin."""
        begin = self.at
        end = begin + count
        # First: a negative length would pass the comparisons below, step back, and read the same bytes for ever.
        if count < 0:
            raise ProtocolError("A length is negative.")
        if end > self._last:
            raise ProtocolError(f"The reply is longer than {self._limits.size_bytes} bytes.", code="reply-too-large")
        # Only now: nobody waits for bytes that the budget would not take anyway.
        while len(self.buffer) < end:
            if self._fill is None:
                raise NeedMore
            self._fill()
        self.at = end
        return begin

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        begin = self.need(count)
        return bytes(self.buffer[begin : self.at])

    def u1(self) -> int:
        """Return the next byte, unsigned."""
        return self.buffer[self.need(1)]

    def u2(self) -> int:
        """Return the next two bytes, unsigned."""
        return int(U2.unpack_from(self.buffer, self.need(2))[0])

    def i4(self) -> int:
        """Return the next four bytes, signed."""
        return int(I4.unpack_from(self.buffer, self.need(4))[0])

    def i8(self) -> int:
        """Return the next eight bytes, signed."""
        return int(I8.unpack_from(self.buffer, self.need(8))[0])

    def utf(self) -> str:
        """Return a string of 2-byte length in modified UTF-8."""
        return decode_utf(self.take(self.u2()))

    def magic(self) -> None:
        """Step over the head of a stream."""
        if self.take(4) != MAGIC:
            raise ProtocolError("This is no Java serialization stream.")

    # budgets

    def _spend(self, count: int) -> None:
        self._nodes_left -= count
        if self._nodes_left < 0:
            raise ProtocolError(f"The reply holds more than {self._limits.nodes} values.", code="reply-too-large")

    def _enter(self) -> None:
        # Not undone when something raises: after a ProtocolError the reader is of no further use.
        self._depth += 1
        if self._depth > self._limits.depth:
            raise ProtocolError(f"The reply is nested deeper than {self._limits.depth}.")

    # contents

    def block(self) -> bytes:
        """Return the block data that comes next; anything else is a breach."""
        tag = self.u1()
        if tag not in (BLOCK, LONG_BLOCK):
            raise ProtocolError(f"Block data expected, found tag {tag:#04x}.")
        return self._block(tag)

    def _block(self, tag: int) -> bytes:
        self._spend(1)
        return self.take(self.u1() if tag == BLOCK else self.i4())

    def value(self) -> Node:
        """Return the object, array, string or null that comes next."""
        tag = self.u1()
        # At the top only: inside an object it would empty the table that the object's own parts still point into.
        while tag == RESET and self._depth == 0:
            self._spend(1)
            self._handles.clear()
            tag = self.u1()
        return self._value(tag)

    def _value(self, tag: int) -> Node:
        self._spend(1)
        if tag == NULL:
            return None
        if tag == REFERENCE:
            return self._reference()
        if tag == STRING:
            return self._string(self.u2())
        self._enter()
        if tag == OBJECT:
            node = self._object()
        elif tag == ARRAY:
            node = self._array()
        elif tag == LONG_STRING:
            node = self._string(self.i8())
        elif tag == ENUM:
            node = self._enum()
        elif tag == CLASS:
            node = JavaClass(self._described(self.u1()))
            self._handles.append(node)
        elif tag in (CLASSDESC, PROXY_DESC):
            node = JavaClass(self._described(tag))
        elif tag == EXCEPTION:
            raise self._aborted()
        else:
            raise ProtocolError(f"Unexpected tag {tag:#04x}.")
        self._depth -= 1
        return node

    def _reference(self) -> Node:
        # Two attributes of value 0 may be one cached Integer in Java; the second then comes as a handle to the first,
        # so the layout of a reply depends on its values (section 9).
        index = self.i4() - FIRST_HANDLE
        if not 0 <= index < len(self._handles):
            raise ProtocolError("A handle points outside the table.")
        return self._handles[index]

    def _string(self, length: int) -> str:
        if length > self._limits.string_bytes:
            raise ProtocolError("A string is too long.", code="reply-too-large")
        text = decode_utf(self.take(length))
        self._handles.append(text)
        return text

    def _text(self) -> str:
        text = self.value()
        if not isinstance(text, str):
            raise ProtocolError("A string was expected.")
        return text

    def _enum(self) -> JavaEnum:
        node = JavaEnum(self._described(self.u1()))
        self._handles.append(node)
        node.name = self._text()
        return node

    def _aborted(self) -> ProtocolError:
        """The tag that says: serializing failed; a Throwable in a table of handles of its own follows."""
        self._handles.clear()
        thrown = self.value()
        if not isinstance(thrown, JavaObject):
            return ProtocolError("An exception was expected.")
        message = thrown.fields.get("detailMessage")
        name = clean(thrown.desc.name)
        return PeerAborted(f"{name}: {clean(message)}" if isinstance(message, str) else name)

    # class descriptions

    def _described(self, tag: int) -> ClassDesc:
        desc = self._class_desc(tag)
        if desc is None:
            raise ProtocolError("A class description is missing.")
        return desc

    def _class_desc(self, tag: int) -> ClassDesc | None:
        if tag == NULL:
            return None
        if tag == REFERENCE:
            known = self._reference()
            # Used before it was complete it would be its own ancestor, and the chain below would have no end.
            if not isinstance(known, ClassDesc) or not known.complete:
                raise ProtocolError("A handle does not point to a complete class description.")
            return known
        self._enter()
        if tag == CLASSDESC:
            desc = self._plain_desc()
        elif tag == PROXY_DESC:
            desc = self._proxy_desc()
        else:
            raise ProtocolError(f"Class description expected, found tag {tag:#04x}.")
        self._annotation()
        parent = self._class_desc(self.u1())
        desc.chain = (*(parent.chain if parent else ()), desc)
        if len(desc.chain) > self._limits.chain:
            raise ProtocolError("A class has too many ancestors.")
        # an ancestor costs memory in every class below it
        self._spend(len(desc.chain))
        desc.box = box_of(desc)
        desc.complete = True
        self._depth -= 1
        return desc

    def _plain_desc(self) -> ClassDesc:
        # Numbered here, behind name and suid and before its fields and annotation, which are numbered after it. One
        # handle out of order, and each later one points to the wrong thing.
        desc = ClassDesc(self.utf(), self.i8())
        self._handles.append(desc)
        desc.flags = self.u1()
        count = self.u2()
        if count > self._limits.fields:
            raise ProtocolError("A class has too many fields.")
        self._spend(1 + 2 * count)
        fields = []
        for _ in range(count):
            code = chr(self.u1())
            name = self.utf()
            if code in "L[":
                # Nobody needs the type of a field, but its text has a handle of its own.
                self._text()
            elif code not in "BCDFIJSZ":
                raise ProtocolError("A field has an unknown type.")
            fields.append((code, name))
        desc.fields = tuple(fields)
        return desc

    def _proxy_desc(self) -> ClassDesc:
        # A proxy's description is numbered at once, before its interfaces.
        desc = ClassDesc("<proxy>", 0)
        self._handles.append(desc)
        desc.flags = SERIALIZABLE
        count = self.i4()
        if not 0 <= count <= self._limits.interfaces:
            raise ProtocolError("A proxy has too many interfaces.")
        self._spend(1 + count)
        for _ in range(count):
            self.utf()
        return desc

    # objects and arrays

    def _annotation(self) -> list[Node]:
        items: list[Node] = []
        while (tag := self.u1()) != END:
            items.append(self._block(tag) if tag in (BLOCK, LONG_BLOCK) else self._value(tag))
        return items

    def _object(self) -> Node:
        desc = self._described(self.u1())
        if desc.box:
            return self._boxed(desc.box)
        # RMI writes protocol version 1: the data of an externalizable class stands bare, without a length and without
        # an end. This is the one such class whose layout is known; any other costs the socket.
        if desc.name == "java.time.Ser" and desc.flags & (EXTERNALIZABLE | BLOCK_DATA) == EXTERNALIZABLE:
            moment = javatime.read_moment(self)
            self._handles.append(moment)
            return moment
        # objects weigh more than nulls: a dictionary, and one round for each ancestor
        self._spend(4 + len(desc.chain))
        node = JavaObject(desc)
        self._handles.append(node)
        notes = []
        for ancestor in desc.chain:
            if ancestor.flags & SERIALIZABLE:
                self._fields(ancestor, node.fields)
                if ancestor.flags & WRITE_METHOD:
                    notes.append((ancestor.name, self._annotation()))
            elif ancestor.flags & EXTERNALIZABLE:
                if not ancestor.flags & BLOCK_DATA:
                    raise UnskippableValue(ancestor.name)
                notes.append((ancestor.name, self._annotation()))
        node.notes = tuple(notes)
        return node

    def _boxed(self, code: str) -> Node:
        layout = PRIMITIVES[code]
        begin = self.need(layout.size)
        node: Node
        if self._record:
            # The place and not the number: what lies between the places is what two replies have in common
            # (templates.py).
            node = Slot(len(self.slots))
            self.slots.append((begin, code))
        else:
            node = layout.unpack_from(self.buffer, begin)[0]
        self._handles.append(node)
        return node

    def _fields(self, desc: ClassDesc, into: dict[str, Node]) -> None:
        self._spend(len(desc.fields))
        for code, name in desc.fields:
            if code in "L[":
                into[name] = self.value()
            elif code == "C":
                into[name] = char_of(self.u2())
            else:
                layout = PRIMITIVES[code]
                into[name] = layout.unpack_from(self.buffer, self.need(layout.size))[0]

    def _array(self) -> JavaArray:
        node = JavaArray(self._described(self.u1()))
        self._handles.append(node)
        code = node.desc.name[1:2]
        length = self.i4()
        if length < 0 or not node.desc.name.startswith("["):
            raise ProtocolError("An array is malformed.")
        if code == "B":
            # A byte stays a byte; an element of a list costs eight, for one byte of null on the wire.
            self._spend(length // 8)
            node.items = self.take(length)
            return node
        self._spend(length)
        if code == "C":
            node.items = self.take(2 * length).decode("utf-16-be", "replace")
        elif code in PRIMITIVES:
            begin = self.need(length * PRIMITIVES[code].size)
            node.items = list(Struct(f">{length}{PRIMITIVES[code].format[1:]}").unpack_from(self.buffer, begin))
        elif code in ("L", "["):
            items: list[Node] = []
            node.items = items
            # Grown element by element: how many there are is only the sender's word.
            for _ in range(length):
                items.append(self.value())
        else:
            raise ProtocolError("An array is of an unknown type.")
        return node
