"""The other half of the wire for the misbehaving server: reads what a JMX client sends, writes what a JVM answers.

Written from the wire note (sections 2 to 9) and shared with nothing in `agent/`, so that a mistake in the client is not
repeated here. Only the classes that a read-only client sends and a JVM answers are known.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

STREAM = bytes.fromhex("aced0005")
NULL = b"\x70"
_BASE_HANDLE = 0x7E0000
_PRIMITIVE_SIZE = {"B": 1, "C": 2, "D": 8, "F": 4, "I": 4, "J": 8, "S": 2, "Z": 1}

OPERATIONS = {
    0x44154DC9D4E63BDF: "lookup",
    0x97614F3F477A89C7: "lookup",
    0xF6B6898D8BF28643: "dirty",
    0x8FDA2350C701988D: "getVersion",
    0xF0E074EAAD0CAEA8: "newClient",
    0xFF0EBEC77DC65363: "getConnectionId",
    0xBE2E5BC7809D0DCC: "close",
    0x53EDA2D82E1BDFA8: "getDefaultDomain",
    0xA38AB48D41D0F631: "getDomains",
    0xE3A812879DC32EA5: "getMBeanCount",
    0x738AC4E1CCABA014: "isRegistered",
    0xE2327CC9422DBCF2: "isInstanceOf",
    0x7F0473ACB73677DA: "queryNames",
    0x993CD0F9B9817AF6: "getMBeanInfo",
    0xF0E0500A394D7215: "getAttribute",
    0x5739D96A8B235C47: "getAttributes",
}


class Incomplete(Exception):
    """The bytes end before the message does."""


@dataclass(frozen=True)
class Call:
    """One call of a client: `operation` is a name of `OPERATIONS` or the hash in hex; `texts` holds its string
    arguments, in order.
    """

    object_id: bytes
    operation: str
    arguments: tuple[object, ...]

    @property
    def bean(self) -> str:
        """The first ObjectName argument."""
        first = self.arguments[0]
        return first.text if isinstance(first, JavaObject) else ""


@dataclass(frozen=True)
class JavaObject:
    name: str
    annotations: tuple[object, ...]

    @property
    def text(self) -> str:
        """The text of an ObjectName, which is its one annotation."""
        return next((item for item in self.annotations if isinstance(item, str)), "")


@dataclass(frozen=True)
class _Class:
    name: str
    flags: int
    fields: tuple[str, ...]
    parent: _Class | None


@dataclass
class CallReader:
    """Reads one Call message from the start of `data` (which begins after the byte 50)."""

    data: bytes
    at: int = 0
    handles: list[object] = field(default_factory=list)

    def take(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise Incomplete
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def text(self) -> str:
        return self.take(self.number(2)).decode("utf-8", "surrogatepass")

    def call(self) -> Call:
        """Reads header, object id, operation and arguments; how many arguments follow is known by the operation."""
        if self.take(4) != STREAM:
            raise ValueError("no stream header")
        if self.number(1) != 0x77:
            raise ValueError("no block data")
        size = self.number(1)
        head = self.take(size)
        operation = OPERATIONS.get(int.from_bytes(head[26:34], "big"), head[26:34].hex())
        count = {
            "lookup": 1, "newClient": 1, "getDefaultDomain": 1, "getDomains": 1, "getMBeanCount": 1, "isRegistered": 2,
            "isInstanceOf": 3, "queryNames": 3, "getMBeanInfo": 2, "getAttribute": 3, "getAttributes": 3,
            "dirty": 3,
        }.get(operation, 0)  # fmt: skip
        return Call(head[:22], operation, tuple(self.content() for _ in range(count)))

    def content(self) -> object:
        kind = self.number(1)
        readers: Mapping[int, Callable[[], object]] = {
            0x70: lambda: None,
            0x71: lambda: self.handles[self.number(4) - _BASE_HANDLE],
            0x72: lambda: self._class(),
            0x73: lambda: self._object(),
            0x74: lambda: self._string(),
            0x75: lambda: self._array(),
            0x77: lambda: self.take(self.number(1)),
        }
        if kind not in readers:
            raise ValueError(f"unexpected type byte {kind:02x}")
        return readers[kind]()

    def _string(self) -> str:
        value = self.text()
        self.handles.append(value)
        return value

    def _class(self) -> _Class:
        name = self.text()
        self.take(8)
        slot = len(self.handles)
        self.handles.append(None)
        flags = self.number(1)
        fields = []
        for _ in range(self.number(2)):
            code = chr(self.number(1))
            self.text()
            if code in "L[":
                self.content()
            fields.append(code)
        while self.content() is not None:  # RMI's annotation: null, then the end
            continue
        if self.number(1) != 0x78:
            raise ValueError("class annotation without end")
        parent = self.content()
        described = _Class(name, flags, tuple(fields), parent if isinstance(parent, _Class) else None)
        self.handles[slot] = described
        return described

    def _described(self) -> _Class:
        found = self.content()
        if not isinstance(found, _Class):
            raise ValueError("no class description")
        return found

    def _object(self) -> JavaObject:
        described = self._described()
        slot = len(self.handles)
        self.handles.append(None)
        chain: list[_Class] = []
        level: _Class | None = described
        while level is not None:
            chain.insert(0, level)
            level = level.parent
        annotations: list[object] = []
        for part in chain:
            for code in part.fields:
                self.content() if code in "L[" else self.take(_PRIMITIVE_SIZE[code])
            if part.flags & 1:
                annotations.extend(self._annotations())
        value = JavaObject(described.name, tuple(annotations))
        self.handles[slot] = value
        return value

    def _annotations(self) -> Iterable[object]:
        found: list[object] = []
        while True:
            if self.at >= len(self.data):
                raise Incomplete
            if self.data[self.at] == 0x78:
                self.at += 1
                return found
            found.append(self.content())

    def _array(self) -> list[object]:
        described = self._described()
        slot = len(self.handles)
        self.handles.append(None)
        code = described.name[1]
        size = self.number(4)
        values = [self.content() if code in "L[" else self.take(_PRIMITIVE_SIZE[code]) for _ in range(size)]
        self.handles[slot] = values
        return values


def text_bytes(text: str) -> bytes:
    """writeUTF for texts without NUL and characters above U+FFFF."""
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded


def string(text: str) -> bytes:
    return b"\x74" + text_bytes(text)


def described(
    name: str, suid: str, flags: int, fields: Iterable[tuple[str, str, str]] = (), parent: bytes = NULL
) -> bytes:
    """A class description; a field is (type code, name, class signature or "")."""
    listed = list(fields)
    out = b"\x72" + text_bytes(name) + bytes.fromhex(suid) + struct.pack(">BH", flags, len(listed))
    for code, label, signature in listed:
        out += code.encode() + text_bytes(label) + (string(signature) if signature else b"")
    return out + NULL + b"\x78" + parent


_NUMBER = described("java.lang.Number", "86ac951d0b94e08b", 2)
_STRING_SIGNATURE = "Ljava/lang/String;"


def long(value: int) -> bytes:
    return (
        b"\x73"
        + described("java.lang.Long", "3b8be490cc8f23df", 2, [("J", "value", "")], _NUMBER)
        + struct.pack(">q", value)
    )


def integer(value: int) -> bytes:
    return (
        b"\x73"
        + described("java.lang.Integer", "12e2a0a4f7818738", 2, [("I", "value", "")], _NUMBER)
        + struct.pack(">i", value)
    )


def double(value: float) -> bytes:
    return (
        b"\x73"
        + described("java.lang.Double", "80b3c24a296bfb04", 2, [("D", "value", "")], _NUMBER)
        + struct.pack(">d", value)
    )


def array(name: str, elements: Iterable[bytes], suid: str = "add256e7e91d7b47") -> bytes:
    listed = list(elements)
    return b"\x75" + described(name, suid, 2) + struct.pack(">i", len(listed)) + b"".join(listed)


def boxed(value: object) -> bytes:
    """A plain Python value as the Java object that a JVM would send: int as Long, float as Double."""
    if isinstance(value, float):
        return double(value)
    if isinstance(value, int):
        return long(value)
    return string(str(value))


def java_type(value: object) -> str:
    """The type that an MBean declares for a value `boxed` can write; all else is declared as Object."""
    return {float: "double", int: "long", str: "java.lang.String"}.get(type(value), "java.lang.Object")


def object_name(text: str) -> bytes:
    return b"\x73" + described("javax.management.ObjectName", "0f03a71beb6d15cf", 3) + string(text) + b"\x78"


def name_set(names: Iterable[str]) -> bytes:
    listed = list(names)
    head = b"\x73" + described("java.util.HashSet", "ba44859596b8b734", 3) + b"\x77\x0c"
    head += struct.pack(">ifi", max(16, 2 * len(listed)), 0.75, len(listed))
    return head + b"".join(map(object_name, listed)) + b"\x78"


def attribute_list(values: Mapping[str, bytes]) -> bytes:
    parent = described("java.util.ArrayList", "7881d21d99c7619d", 3, [("I", "size", "")])
    out = b"\x73" + described("javax.management.AttributeList", "c76b48181b48606c", 2, (), parent)
    out += struct.pack(">i", len(values)) + b"\x77\x04" + struct.pack(">i", len(values))
    fields = [("L", "name", _STRING_SIGNATURE), ("L", "value", "Ljava/lang/Object;")]
    for name, value in values.items():
        out += b"\x73" + described("javax.management.Attribute", "2279b907538b3b0e", 2, fields) + string(name) + value
    return out + b"\x78"


_NO_DESCRIPTOR = (
    b"\x77\x01\x01" + array("[Ljava.lang.String;", ()) + array("[Ljava.lang.Object;", (), "90ce589f1073296c") + b"\x78"
)


def bean_info(types: Mapping[str, str]) -> bytes:
    """MBeanInfo of a bean with these readable attributes: name -> declared type."""
    feature = described(
        "javax.management.MBeanFeatureInfo",
        "36db75dcc2c15521",
        3,
        [("L", "description", _STRING_SIGNATURE), ("L", "name", _STRING_SIGNATURE)],
    )
    flags = [("Z", "is", ""), ("Z", "isRead", ""), ("Z", "isWrite", ""), ("L", "attributeType", _STRING_SIGNATURE)]
    attribute = described("javax.management.MBeanAttributeInfo", "77f8293b6a2944d8", 2, flags, feature)
    listed = [
        b"\x73" + attribute + string("of the double") + string(name) + _NO_DESCRIPTOR + b"\x00\x01\x00" + string(kind)
        for name, kind in types.items()
    ]
    package = "javax/management/"
    fields = [
        ("[", "attributes", f"[L{package}MBeanAttributeInfo;"),
        ("L", "className", _STRING_SIGNATURE),
        ("[", "constructors", f"[L{package}MBeanConstructorInfo;"),
        ("L", "description", _STRING_SIGNATURE),
        ("[", "notifications", f"[L{package}MBeanNotificationInfo;"),
        ("[", "operations", f"[L{package}MBeanOperationInfo;"),
    ]
    out = b"\x73" + described("javax.management.MBeanInfo", "a6795e2f085689c9", 3, fields)
    out += array("[Ljavax.management.MBeanAttributeInfo;", listed, "3bf758c468a60141") + string("Double")
    out += array("[Ljavax.management.MBeanConstructorInfo;", (), "1600000000000000") + string("double")
    out += array("[Ljavax.management.MBeanNotificationInfo;", (), "1600000000000000")
    return out + array("[Ljavax.management.MBeanOperationInfo;", (), "870f6ca2e31f4f8b") + _NO_DESCRIPTOR


def stub(kind: str, host: str, port: int, object_id: bytes, factory: str | None = None) -> bytes:
    """A static stub (`RMIServerImpl` or `RMIConnectionImpl`); `factory` names its socket factory class."""
    base = described("java.rmi.server.RemoteObject", "d361b4910c61331e", 3)
    parent = described("java.rmi.server.RemoteStub", "e9fedcc98be1651a", 2, (), base)
    out = b"\x73" + described(f"javax.management.remote.rmi.{kind}_Stub", "0000000000000002", 2, (), parent)
    where = text_bytes(host) + struct.pack(">i", port)
    if factory is None:
        block = text_bytes("UnicastRef") + where + object_id + b"\x01"
        return out + b"\x77" + bytes([len(block)]) + block + b"\x78"
    block = text_bytes("UnicastRef2") + b"\x01" + where
    out += b"\x77" + bytes([len(block)]) + block
    out += b"\x73" + described(factory, "8caab4bb8185250f", 2)
    return out + b"\x77\x17" + object_id + b"\x01" + b"\x78"


def lease(granted_ms: int) -> bytes:
    """What `dirty` returns."""
    uid = described(
        "java.rmi.server.UID", "0f12700dbf364f12", 2, [("S", "count", ""), ("J", "time", ""), ("I", "unique", "")]
    )
    name = [("[", "addr", "[B"), ("L", "uid", "Ljava/rmi/server/UID;")]
    machine = b"\x73" + described("java.rmi.dgc.VMID", "f8865bafa4a56db6", 2, name)
    machine += array("[B", (bytes([number]) for number in range(8)), "acf317f8060854e0")
    machine += b"\x73" + uid + struct.pack(">hqi", -32768, 1_700_000_000_000, 7)
    fields = [("J", "value", ""), ("L", "vmid", "Ljava/rmi/dgc/VMID;")]
    return (
        b"\x73"
        + described("java.rmi.dgc.Lease", "b0b5e2660c4adc34", 2, fields)
        + struct.pack(">q", granted_ms)
        + machine
    )


def throwable(chain: Iterable[tuple[str, str]], message: str) -> bytes:
    """An exception without cause or stack; `chain` is (class, suid) from the class itself up to below Throwable."""
    fields = [("L", "cause", "Ljava/lang/Throwable;"), ("L", "detailMessage", _STRING_SIGNATURE)]
    parent = described("java.lang.Throwable", "d5c635273977b8cb", 3, fields)
    for name, suid in reversed(list(chain)):
        parent = described(name, suid, 2, (), parent)
    return b"\x73" + parent + NULL + string(message) + b"\x78"


SECURITY_EXCEPTION = (
    ("java.lang.SecurityException", "5f74dc826f65d637"),
    ("java.lang.RuntimeException", "9e5f06470a3483e5"),
    ("java.lang.Exception", "d0fd1f3e1a3b1cc4"),
)
