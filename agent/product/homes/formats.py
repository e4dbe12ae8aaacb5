"""Opens the product's own files as hostile input: size caps, no DTD, no entities, only the elements asked for.

In:   a path. Out: the text of the wanted elements or keys and nothing else, so that a licence, a key pair or a
password that stands beside them never enters memory as a value. OSError and `Malformed` say what went wrong.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from xml.parsers import expat

from agent.settings import shown
from agent.system.files import NotRegular, open_regular

SIZE_LIMIT_BYTES = 1024 * 1024
DEPTH_LIMIT = 32
TEXT_LIMIT = 16_384


class Malformed(Exception):
    """A file that is not what its name says; the message is for an admin and holds nothing of the content."""


def read_octets(path: Path) -> bytes:
    """The bytes of a regular file of at most 1 MiB; raises OSError, or Malformed for anything else."""
    try:
        with open_regular(path, follow=True) as stream:
            octets = stream.read(SIZE_LIMIT_BYTES + 1)
    except NotRegular:
        raise Malformed("is not a regular file") from None
    if len(octets) > SIZE_LIMIT_BYTES:
        raise Malformed("is larger than 1 MiB")
    return octets


def read_elements(octets: bytes, root: str, wanted: Collection[str]) -> dict[str, str]:
    """The text of each wanted element (`a/b` below the root), first occurrence; raises Malformed.

    `root` "" takes any root element.
    An element with a `name` attribute is wanted as `a/b[NAME]`.

    A DOCTYPE is refused before anything in it is looked at: entities could read other files or fill the memory.
    """
    walk = _Elements(root, wanted)
    parser = expat.ParserCreate()
    parser.StartElementHandler = walk.start
    parser.EndElementHandler = walk.end
    parser.CharacterDataHandler = walk.text
    # At its first sign: entities could read files of this machine into a value, or grow to gigabytes.
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(octets, True)
    except expat.ExpatError as error:
        words = expat.ErrorString(error.code)
        raise Malformed(f"is not well-formed XML: {words}, line {error.lineno}, column {error.offset + 1}") from None
    except (ValueError, LookupError):
        raise Malformed("is not in an encoding that can be read") from None
    return walk.found


class _Elements:
    """Collects the text of the wanted elements while expat walks the file."""

    def __init__(self, root: str, wanted: Collection[str]) -> None:
        self.root = root
        self.wanted = wanted
        self.path: list[str] = []
        self.found: dict[str, str] = {}
        self.collecting: list[str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self.path and self.root and name != self.root:
            raise Malformed(f"has the root element '{shown(name, 40)}' in place of '{self.root}'")
        if len(self.path) >= DEPTH_LIMIT:
            raise Malformed("is nested too deeply")
        self.path.append(f"{name}[{attributes['name']}]" if "name" in attributes else name)
        here = "/".join(self.path[1:])
        # An element inside a wanted one ends its text: values here are plain.
        self.collecting = [] if here in self.wanted and here not in self.found else None

    def text(self, piece: str) -> None:
        if self.collecting is not None:
            self.collecting.append(piece)
            if sum(map(len, self.collecting)) > TEXT_LIMIT:
                raise Malformed("holds a value that is too long")

    def end(self, name: str) -> None:
        if self.collecting is not None:
            self.found["/".join(self.path[1:])] = "".join(self.collecting)
            self.collecting = None
        self.path.pop()


def _refuse_doctype(*_: object) -> None:
    raise Malformed("holds a DOCTYPE, which the product never writes")


_PROPERTY = re.compile(r"\s*([^\s:=#!\\][^\s:=\\]{0,200})(?:\s*[:=]\s*|\s+|$)(.*)")
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_LETTERS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def read_properties(octets: bytes, wanted: Collection[str]) -> dict[str, str]:
    """The wanted keys of a Java properties file; the last one wins, as in Java."""
    # Java's own rule: Latin-1 with \uXXXX. UTF-8 is accepted too, because people edit these files.
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    # A backslash at the end of a line goes on in the next, unless it is itself escaped.
    joined = re.sub(r"(?<!\\)((?:\\\\)*)\\\r?\n[ \t]*", r"\1", text)
    found: dict[str, str] = {}
    for line in re.split(r"\r\n|\r|\n", joined):
        if (match := _PROPERTY.match(line)) and match[1] in wanted:
            found[match[1]] = _ESCAPE.sub(_unescaped, match[2])
    return found


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] == "u" and len(code) == 5:
        return chr(int(code[1:], 16))
    return _LETTERS.get(code, code)
