"""The cheap way to read a reply: its bytes are those of an earlier one but for the UID and the boxed numbers.

A template is made from a reply that the full parser read while recording where the numbers lie. One `unpack_from`
then gives numbers and fixed parts; when all fixed parts are equal, the numbers are the values. It is exact, as the
parser never branches on a boxed number, and the grammar is prefix-free: fewer bytes that agree so far are a message
that is not whole yet. Wire note, section 9, "The cheap way to read a sample".
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from operator import itemgetter
from typing import Any, cast

from agent.jmx.calls import Method
from agent.jmx.errors import RemoteFailure
from agent.jmx.jrmp import Channel
from agent.jmx.model import JmxValue
from agent.jmx.nodes import PRIMITIVES, Node, Slot
from agent.jmx.replies import HEAD_BYTES, UID_BYTES
from agent.jmx.values import NoTemplate, value_of

MAX_TEMPLATES = 4  # the layout depends on which small numbers Java caches, so a list of attributes has a few
MAX_TEMPLATE_BYTES = 65536
TRIES = 16  # builds before the hits are weighed: values with texts or dates never repeat
FIXED_HEAD = HEAD_BYTES - UID_BYTES


class Template:
    """One layout of a reply."""

    __slots__ = ("_constants", "_fixed", "_head", "_names", "_pick", "_shape", "_struct", "size")

    def __init__(self, reply: bytes, slots: list[tuple[int, str]], shape: JmxValue) -> None:
        self.size = len(reply)
        # The UID is stepped over (x): it is new in every reply.
        layout = [f">{FIXED_HEAD}s{UID_BYTES}x"]
        fixed = []
        at = HEAD_BYTES
        for offset, code in slots:
            number = PRIMITIVES[code]
            layout.append(f"{offset - at}s{number.format[1:]}")
            fixed.append(reply[at:offset])
            at = offset + number.size
        layout.append(f"{self.size - at}s")
        fixed.append(reply[at:])
        self._struct = struct.Struct("".join(layout))
        self._head = reply[:FIXED_HEAD]
        self._fixed = tuple(fixed)
        self._shape = shape
        self._names, self._pick, self._constants = _flatten(shape, len(slots))

    def read(self, inbox: bytearray) -> tuple[JmxValue] | None:
        """Return the value at the head of the inbox, which holds `size` bytes or more; None when it does not fit."""
        parts = self._struct.unpack_from(inbox)
        if parts[1::2] != self._fixed or parts[0] != self._head:
            return None
        return (self._filled(parts[2::2]),)

    def value(self, reply: bytes) -> JmxValue:
        """Return the value of the reply that the template was made from."""
        return self._filled(self._struct.unpack(reply)[2::2])

    def _filled(self, numbers: tuple[Any, ...]) -> JmxValue:
        if self._pick is None:
            return cast(JmxValue, _fill(self._shape, numbers))
        return dict(zip(self._names, self._pick(numbers + self._constants), strict=False))

    def agrees(self, inbox: bytearray) -> bool:
        """Return whether the bytes that have come so far could be the head of this layout."""
        have = len(inbox)
        if inbox[:FIXED_HEAD] != self._head[:have]:
            return False
        at = HEAD_BYTES
        numbers = iter(self._number_sizes())
        for part in self._fixed:
            if at >= have:
                break
            seen = inbox[at : at + len(part)]
            if seen != part[: len(seen)]:
                return False
            at += len(part) + next(numbers, 0)
        return True

    def _number_sizes(self) -> list[int]:
        codes = [code for code in self._struct.format if code.isalpha() or code == "?"]
        return [struct.calcsize(">" + code) for code in codes[2:] if code != "s"]


_Flat = tuple[tuple[str, ...], Callable[[tuple[Any, ...]], tuple[Any, ...]] | None, tuple[Any, ...]]


def _flatten(shape: JmxValue, slot_count: int) -> _Flat:
    """Return names, a picker from numbers + constants, constants; no picker when the value is not a flat mapping."""
    if not isinstance(shape, dict) or len(shape) < 2:
        return (), None, ()
    places: list[int] = []
    constants: list[JmxValue] = []
    for item in shape.values():
        if isinstance(item, list | dict):
            return (), None, ()
        if isinstance(item, Slot):
            places.append(item.index)
        else:
            places.append(slot_count + len(constants))
            constants.append(item)
    return tuple(cast(Any, shape)), itemgetter(*places), tuple(constants)


def _fill(shape: object, numbers: tuple[Any, ...]) -> Any:
    if isinstance(shape, Slot):
        return numbers[shape.index]
    if isinstance(shape, dict):
        return {key: _fill(item, numbers) for key, item in shape.items()}
    if isinstance(shape, list):
        return [_fill(item, numbers) for item in shape]
    return shape


class TemplateSet:
    """The templates of one list of attributes (many beans share it), last used first; `convert` makes the value.

    One that does not learn keeps no templates: for answers that are never alike, such as lists of names.
    """

    __slots__ = ("_built", "_convert", "_hits", "_learns", "_templates")

    def __init__(self, convert: Callable[[Node], JmxValue] = value_of, *, learns: bool = True) -> None:
        self._convert = convert
        self._learns = learns
        self._templates: list[Template] = []
        self._built = 0
        self._hits = 0

    def receive(self, channel: Channel, method: Method) -> JmxValue | RemoteFailure:
        """Return the next reply's value, or the exception that the server answered."""
        inbox = channel.inbox
        for position, template in enumerate(self._templates):
            # Waits only while what has come agrees: a shorter reply of another layout is whole already, and more would
            # never come.
            while len(inbox) < template.size and template.agrees(inbox):
                channel.fill()
            if len(inbox) >= template.size and (found := template.read(inbox)) is not None:
                channel.consume(template.size)
                self._hits += 1
                # Last used first: a reply goes back and forth between two layouts as small numbers become large ones.
                if position:
                    self._templates.insert(0, self._templates.pop(position))
                return found[0]
        return self._parse(channel, method)

    def _parse(self, channel: Channel, method: Method) -> JmxValue | RemoteFailure:
        # Of values with texts or dates no reply is like another: making templates of them costs more than it ever
        # gives.
        if not self._learns or (self._built > TRIES and self._hits < self._built):
            return self._plainly(channel, method)
        answer, reader = channel.receive(method, record=True)
        if answer.failure is not None:
            channel.consume(reader.at)
            return answer.failure
        if reader.at > MAX_TEMPLATE_BYTES:
            return self._plainly(channel, method)
        try:
            shape = self._convert(answer.value)
        # Nothing was consumed yet: the same bytes are parsed once more, without recording.
        except NoTemplate:
            return self._plainly(channel, method)
        # A copy before the bytes are let go: the template's fixed parts are cut from it.
        reply = bytes(channel.inbox[: reader.at])
        channel.consume(reader.at)
        template = Template(reply, reader.slots, shape)
        self._templates.insert(0, template)
        del self._templates[MAX_TEMPLATES:]
        self._built += 1
        return template.value(reply)

    def _plainly(self, channel: Channel, method: Method) -> JmxValue | RemoteFailure:
        answer, reader = channel.receive(method)
        value = answer.failure or self._convert(answer.value)
        channel.consume(reader.at)
        return value
