"""Makes plain Python values of the nodes that `serial.py` read.

In:    a node, perhaps holding itself, perhaps a small graph that unfolds without end.
Out:   JmxValue by the table of the wire note, section 9; a class that is not known becomes `Opaque`, its name.
Raise: ProtocolError when the unfolded value is too large or too deep (section 10, rule 6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

from agent.jmx.errors import ProtocolError, RemoteFailure, clean
from agent.jmx.model import JmxScalar, JmxValue
from agent.jmx.nodes import JavaArray, JavaClass, JavaEnum, JavaObject, Node, Slot
from agent.jmx.serial import I8

MAX_NODES = 1_000_000
MAX_DEPTH = 64
MAX_INTEGER_BYTES = 1024  # more makes text of it slow, or raises
MAX_DECIMAL_SCALE = 6144  # beyond decimal128; int() of a huge exponent takes all memory
MAX_CAUSES = 8
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Dictionary = dict[JmxScalar, JmxValue]


class Opaque(str):
    """The name of a class whose content is not understood, in place of a value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<opaque {self!s}>"


class NoTemplate(Exception):
    """The shape of the value depends on a number, so that it cannot be filled in later."""


def value_of(node: Node) -> JmxValue:
    """Return the Python value of a node; Slots of a recording stay in their places, as leaves."""
    return Converter().value(node, 0)


class Converter:
    """Converts one reply, with one budget for all of its values."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        # Of the unfolded value, not of the graph: a small reply whose objects hold each other twice unfolds without
        # end.
        self._left = MAX_NODES

    def value(self, node: Node, depth: int) -> JmxValue:
        """Return the Python value of `node`, which lies `depth` deep."""
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise ProtocolError("A value holds itself or is too large.", code="reply-too-large")
        if node is None or isinstance(node, int | float | str | bytes):
            return node
        if isinstance(node, JavaObject):
            return self._object(node, depth)
        if isinstance(node, JavaArray):
            return node.items if isinstance(node.items, bytes | str) else self.items(node.items, depth)
        if isinstance(node, JavaEnum):
            return node.name
        if isinstance(node, JavaClass):
            return node.desc.name
        if isinstance(node, Slot):
            return cast(JmxValue, node)
        return Opaque(node.name)

    def _object(self, node: JavaObject, depth: int) -> JmxValue:
        # From the class upwards: a java.sql.Timestamp is read as the java.util.Date that it is.
        for ancestor in reversed(node.desc.chain):
            rule = RULES.get(ancestor.name)
            if rule is not None:
                return rule(self, node, depth)
        return Opaque(clean(node.desc.name))

    def items(self, nodes: list[Node], depth: int) -> list[JmxValue]:
        """Return the values of a collection's elements."""
        return [self.value(node, depth + 1) for node in nodes]

    def pairs(self, nodes: list[Node], depth: int) -> Dictionary | None:
        """Return the mapping of key, value, key, value...; None when a key is no scalar (section 10, rule 6)."""
        found: Dictionary = {}
        for key_node, value_node in zip(nodes[::2], nodes[1::2], strict=False):
            key = self.value(key_node, depth + 1)
            if isinstance(key, Slot):
                raise NoTemplate
            # A first version made text of such keys: a map that has itself as its key, 60 bytes, took all memory
            # (section 10).
            if isinstance(key, list | dict | Opaque):
                return None
            found[cast(JmxScalar, key)] = self.value(value_node, depth + 1)
        return found


Rule = Callable[[Converter, JavaObject, int], JmxValue]


def notes_of(node: JavaObject, class_name: str = "") -> list[Node]:
    """Return what the writeObject of a class (or of the topmost one that has any) added, without the block data."""
    for name, items in node.notes:
        if not class_name or name == class_name:
            return [item for item in items if not isinstance(item, bytes)]
    return []


def block_of(node: JavaObject) -> bytes:
    """Return the block data that the classes of an object added, joined."""
    return b"".join(item for _, items in node.notes for item in items if isinstance(item, bytes))


def _field(name: str) -> Rule:
    return lambda converter, node, depth: converter.value(node.fields.get(name), depth + 1)


def _list(converter: Converter, node: JavaObject, depth: int) -> JmxValue:
    return converter.items(notes_of(node), depth)


def _sorted_set(converter: Converter, node: JavaObject, depth: int) -> JmxValue:
    return converter.items(notes_of(node)[1:], depth)  # the comparator comes first


def _map(converter: Converter, node: JavaObject, depth: int) -> JmxValue:
    found = converter.pairs(notes_of(node), depth)
    return Opaque(clean(node.desc.name)) if found is None else found


def _concurrent_map(converter: Converter, node: JavaObject, depth: int) -> JmxValue:
    nodes = notes_of(node)
    keys = nodes[::2]
    # Its writeObject ends the pairs with a null key and a null value, where a HashMap just ends.
    end = 2 * keys.index(None) if None in keys else len(nodes)
    found = converter.pairs(nodes[:end], depth)
    return Opaque(clean(node.desc.name)) if found is None else found


def _immutable(converter: Converter, node: JavaObject, depth: int) -> JmxValue:
    return (_map if node.fields.get("tag") == 3 else _list)(converter, node, depth)  # List.of, Set.of, Map.of


def _vector(converter: Converter, node: JavaObject, depth: int) -> JmxValue:
    data, count = node.fields.get("elementData"), node.fields.get("elementCount")
    if not isinstance(data, JavaArray) or not isinstance(data.items, list) or not isinstance(count, int):
        return Opaque(clean(node.desc.name))
    # `elementCount`, not the array's length: what is behind it is spare room.
    return converter.items(data.items[: max(count, 0)], depth)


def _rows(converter: Converter, node: JavaObject, depth: int) -> JmxValue:
    """TabularDataSupport: the values of its `dataMap`; the keys only repeat columns of them."""
    table = node.fields.get("dataMap")
    if not isinstance(table, JavaObject):
        return Opaque(clean(node.desc.name))
    return converter.items(notes_of(table, "java.util.HashMap")[1::2], depth)


def _attributes(converter: Converter, node: JavaObject, depth: int) -> JmxValue:
    found: Dictionary = {}
    # By name, never by position: an attribute that throws is left out of the list, like one that does not exist.
    for item in notes_of(node, "java.util.ArrayList"):
        name = item.fields.get("name") if isinstance(item, JavaObject) else None
        if not isinstance(item, JavaObject) or not isinstance(name, str):
            raise ProtocolError("An AttributeList holds something else.")
        found[name] = converter.value(item.fields.get("value"), depth + 1)
    return found


def _date(_converter: Converter, node: JavaObject, _depth: int) -> JmxValue:
    block = block_of(node)
    try:
        return EPOCH + timedelta(milliseconds=I8.unpack_from(block)[0])
    except Exception:  # too short, or a year that Python has not
        return Opaque(clean(node.desc.name))


def _object_name(_converter: Converter, node: JavaObject, _depth: int) -> JmxValue:
    texts = [note for note in notes_of(node) if isinstance(note, str)]
    return texts[0] if texts else Opaque(clean(node.desc.name))


def _uuid(_converter: Converter, node: JavaObject, _depth: int) -> JmxValue:
    most, least = node.fields.get("mostSigBits"), node.fields.get("leastSigBits")
    if not isinstance(most, int) or not isinstance(least, int):
        return Opaque(clean(node.desc.name))
    return f"{most & 0xFFFFFFFFFFFFFFFF:016x}{least & 0xFFFFFFFFFFFFFFFF:016x}"


def _integer(_converter: Converter, node: JavaObject, _depth: int) -> JmxValue:
    sign, magnitude = node.fields.get("signum"), node.fields.get("magnitude")
    raw = magnitude.items if isinstance(magnitude, JavaArray) else None
    if not isinstance(raw, bytes) or len(raw) > MAX_INTEGER_BYTES or sign not in (-1, 0, 1):
        return Opaque(clean(node.desc.name))
    return int.from_bytes(raw, "big") * cast(int, sign)


def _decimal(converter: Converter, node: JavaObject, depth: int) -> JmxValue:
    whole, scale = converter.value(node.fields.get("intVal"), depth + 1), node.fields.get("scale")
    if not isinstance(whole, int) or not isinstance(scale, int) or abs(scale) > MAX_DECIMAL_SCALE:
        return Opaque(clean(node.desc.name))
    return Decimal((int(whole < 0), tuple(map(int, str(abs(whole)))), -scale))


def _flag(_converter: Converter, node: JavaObject, _depth: int) -> JmxValue:
    return bool(node.fields.get("value"))


def _number(_converter: Converter, node: JavaObject, _depth: int) -> JmxValue:
    number = node.fields.get("value")
    return number if isinstance(number, int | float) else Opaque(clean(node.desc.name))


def _character(_converter: Converter, node: JavaObject, _depth: int) -> JmxValue:
    text = node.fields.get("value")
    return text if isinstance(text, str) else Opaque(clean(node.desc.name))


def _throwable(_converter: Converter, node: JavaObject, _depth: int) -> JmxValue:
    return str(failure_of(node))


RULES: dict[str, Rule] = {
    "javax.management.openmbean.CompositeDataSupport": _field("contents"),
    "javax.management.openmbean.TabularDataSupport": _rows,
    "javax.management.AttributeList": _attributes,
    "javax.management.ObjectName": _object_name,
    "java.lang.Character": _character,
    "java.lang.Throwable": _throwable,
    "java.math.BigDecimal": _decimal,
    "java.math.BigInteger": _integer,
    "java.util.CollSer": _immutable,
    "java.util.Date": _date,
    "java.util.EnumSet$SerializationProxy": _field("elements"),
    "java.util.TreeSet": _sorted_set,
    "java.util.UUID": _uuid,
    "java.util.Vector": _vector,
    "java.util.concurrent.ConcurrentHashMap": _concurrent_map,
    "java.util.concurrent.ConcurrentSkipListMap": _concurrent_map,
    "java.util.concurrent.atomic.AtomicBoolean": _flag,
    "java.util.concurrent.atomic.AtomicInteger": _number,
    "java.util.concurrent.atomic.AtomicLong": _number,
    "java.util.Collections$EmptyMap": lambda _converter, _node, _depth: {},
    "java.util.Collections$SingletonList": lambda converter, node, depth: converter.items(
        [node.fields.get("element")], depth
    ),
    "java.util.Collections$SingletonMap": lambda converter, node, depth: (
        converter.pairs([node.fields.get("k"), node.fields.get("v")], depth) or Opaque(clean(node.desc.name))
    ),
    "java.util.Collections$SingletonSet": lambda converter, node, depth: converter.items(
        [node.fields.get("element")], depth
    ),
    "java.util.Arrays$ArrayList": _field("a"),
    "java.util.Collections$SynchronizedCollection": _field("c"),
    "java.util.Collections$SynchronizedMap": _field("m"),
    "java.util.Collections$UnmodifiableCollection": _field("c"),
    "java.util.Collections$UnmodifiableMap": _field("m"),
    **dict.fromkeys(("java.util.HashMap", "java.util.Hashtable", "java.util.TreeMap"), _map),
    **dict.fromkeys(
        (
            "java.util.ArrayDeque",
            "java.util.ArrayList",
            "java.util.Collections$EmptyList",
            "java.util.Collections$EmptySet",
            "java.util.HashSet",
            "java.util.LinkedList",
            "java.util.concurrent.CopyOnWriteArrayList",
        ),
        _list,
    ),
}


def failure_of(node: JavaObject) -> RemoteFailure:
    """Return class, message and causes of a Throwable; its stack traces are left behind (section 4)."""
    causes = tuple((clean(cause.desc.name), clean(_message(cause))) for cause in _causes(node))
    ancestors = tuple(ancestor.name for ancestor in reversed(node.desc.chain))
    return RemoteFailure(node.desc.name, _message(node), ancestors, causes)


def _message(node: JavaObject) -> str:
    message = node.fields.get("detailMessage")
    return message if isinstance(message, str) else ""


def _causes(node: JavaObject) -> Iterator[JavaObject]:
    seen = {id(node)}
    for _ in range(MAX_CAUSES):
        # Each family keeps its cause in a field of its own: RemoteException in `detail`, MBeanException and
        # ReflectionException in `exception`, and so on; a Throwable without one has itself as `cause`, which `seen`
        # ends.
        inner = (
            node.fields.get(name) for name in ("detail", "exception", "runtimeException", "error", "target", "cause")
        )
        following = next((cause for cause in inner if isinstance(cause, JavaObject) and id(cause) not in seen), None)
        if following is None:
            return
        seen.add(id(following))
        node = following
        yield node


def is_a(node: JavaObject, class_name: str) -> bool:
    """Return whether the object's class is, or descends from, `class_name`."""
    return any(ancestor.name == class_name for ancestor in node.desc.chain)


__all__ = ["NoTemplate", "Opaque", "block_of", "failure_of", "is_a", "notes_of", "value_of"]
