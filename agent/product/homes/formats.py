"""Opens the product's own files as hostile input: size caps, no DTD, no entities, only the elements asked for.

In:   a path. Out: the text of the wanted elements or keys and nothing else, so that a licence, a key pair or a
password that stands beside them never enters memory as a value. OSError and `Malformed` say what went wrong.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator
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
        place = f"line {error.lineno}, column {error.offset + 1}"
        raise Malformed(f"is not well-formed XML: {words}, {place}{_hint(octets, error)}") from None
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


_ENTITY = re.compile(rb"&(?!#[0-9]+;|#x[0-9A-Fa-f]+;|(?:amp|lt|gt|quot|apos);)")


def _hint(octets: bytes, error: expat.ExpatError) -> str:
    """What people write by hand and XML does not take: a bare & in a JDBC URL or a password."""
    lines = octets.split(b"\n")
    line = lines[error.lineno - 1] if 0 < error.lineno <= len(lines) else b""
    return "; write & as &amp; there" if _ENTITY.search(line) else ""


def _refuse_doctype(*_: object) -> None:
    raise Malformed("holds a DOCTYPE, which the product never writes")


_LETTERS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_BLANKS = " \t\f"


def read_properties(octets: bytes, wanted: Collection[str]) -> dict[str, str]:
    """The wanted keys of a Java properties file; the last one wins, as in Java."""
    return {key: value for key, value in _pairs(octets) if key in wanted}


def holds_properties(octets: bytes) -> bool:
    """Whether any key stands in the file: what is all comments says nothing."""
    return any(key for key, _ in _pairs(octets))


def _pairs(octets: bytes) -> Iterator[tuple[str, str]]:
    """Key and value of each logical line, by the rules of java.util.Properties.load."""
    for line in _logical_lines(_decoded(octets)):
        end = _end_of_key(line)
        rest = line[end:].lstrip(_BLANKS)
        if rest[:1] in ("=", ":"):
            rest = rest[1:].lstrip(_BLANKS)
        yield _without_escapes(line[:end]), _without_escapes(rest)


def _decoded(octets: bytes) -> str:
    # Java's own rule: Latin-1 with \uXXXX. UTF-8 is accepted too, because people edit these files, and UTF-16 where its
    # mark stands in front (Notepad's "Unicode").
    if octets.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return octets.decode("utf-16", "replace")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _logical_lines(text: str) -> Iterator[str]:
    """Lines joined where one ends with an odd number of backslashes; a comment never goes on."""
    going_on: list[str] = []
    for natural in re.split(r"\r\n|\r|\n", text):
        line = natural.lstrip(_BLANKS)
        if not going_on and (not line or line[0] in "#!"):
            continue
        if (len(line) - len(line.rstrip("\\"))) % 2:
            going_on.append(line[:-1])
            continue
        yield "".join([*going_on, line])
        going_on = []
    if going_on:
        yield "".join(going_on)


def _end_of_key(line: str) -> int:
    position = 0
    while position < len(line) and line[position] not in f"=:{_BLANKS}":
        position += 2 if line[position] == "\\" else 1
    return min(position, len(line))


_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)


def _without_escapes(text: str) -> str:
    return _ESCAPE.sub(_unescaped, text)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] == "u" and len(code) == 5:
        return chr(int(code[1:], 16))
    return _LETTERS.get(code, code)
