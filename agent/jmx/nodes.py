"""What a serialization stream describes, as plain data: no class of the stream is ever looked up or made.

Wire: wire note, section 9. A box (java.lang.Long and the like) becomes its number when it is read.
"""

from __future__ import annotations

from struct import Struct

from agent.jmx.errors import ProtocolError

WRITE_METHOD, SERIALIZABLE, EXTERNALIZABLE, BLOCK_DATA = 1, 2, 4, 8
PRIMITIVES = {code: Struct(">" + python) for code, python in zip("BZSIJFD", "b?hiqfd", strict=True)}
BOXES = {  # class name -> code of its one field `value`; Character is left out, it is no number
    "java.lang.Byte": "B",
    "java.lang.Boolean": "Z",
    "java.lang.Short": "S",
    "java.lang.Integer": "I",
    "java.lang.Long": "J",
    "java.lang.Float": "F",
    "java.lang.Double": "D",
}


class ClassDesc:
    """A class as the stream describes it; `chain` runs from the topmost ancestor to the class itself."""

    __slots__ = ("box", "chain", "complete", "fields", "flags", "name", "suid")

    def __init__(self, name: str, suid: int) -> None:
        self.name = name
        self.suid = suid
        self.flags = 0
        self.fields: tuple[tuple[str, str], ...] = ()
        self.chain: tuple[ClassDesc, ...] = ()
        self.box = ""
        self.complete = False


class JavaObject:
    """An object: fields by name (a descendant's wins), and per class what its writeObject added."""

    __slots__ = ("desc", "fields", "notes")

    def __init__(self, desc: ClassDesc) -> None:
        self.desc = desc
        self.fields: dict[str, Node] = {}
        self.notes: tuple[tuple[str, list[Node]], ...] = ()


class JavaArray:
    """An array: `bytes` of byte[], `str` of char[], else a list."""

    __slots__ = ("desc", "items")

    def __init__(self, desc: ClassDesc) -> None:
        self.desc = desc
        self.items: bytes | str | list[Node] = []


class JavaEnum:
    """An enum constant by name."""

    __slots__ = ("desc", "name")

    def __init__(self, desc: ClassDesc) -> None:
        self.desc = desc
        self.name = ""


class JavaClass:
    """A java.lang.Class, or a class description written as a value."""

    __slots__ = ("desc",)

    def __init__(self, desc: ClassDesc) -> None:
        self.desc = desc


class Slot:
    """Stands for the number of a box when the reader records where the numbers lie (templates)."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


# bytes among the notes of an object are its block data
Node = None | bool | int | float | str | bytes | JavaObject | JavaArray | JavaEnum | JavaClass | ClassDesc | Slot


def box_of(desc: ClassDesc) -> str:
    """Return the code of the number that a box holds, or nothing when this is not exactly Java's own box class."""
    # By its whole layout and not its name alone: a look-alike with one field more would shift every byte behind it.
    code = BOXES.get(desc.name, "")
    parents = desc.chain[:-1]
    plain = all(ancestor.flags == SERIALIZABLE and not ancestor.fields for ancestor in parents)
    return code if code and desc.flags == SERIALIZABLE and desc.fields == ((code, "value"),) and plain else ""


def char_of(unit: int) -> str:
    """Return the text of one UTF-16 unit; half a pair is no character."""
    return "\ufffd" if 0xD800 <= unit < 0xE000 else chr(unit)


def decode_utf(raw: bytes) -> str:
    """Return the text of modified UTF-8: NUL is c0 80, astral characters are two surrogates; half a pair is U+FFFD."""
    if raw.isascii():
        return raw.decode("ascii")
    try:
        text = raw.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise ProtocolError("A string is not modified UTF-8.") from None
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
