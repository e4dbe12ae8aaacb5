"""One stored text that holds many values (XML as the products write it, or a licence) becomes rows.

In:   the text of a column, as hostile as anything from outside. Out: its flags, its apps with their states, or what is
      kept of its licences.
A text of another form raises `Unreadable`; no text at all holds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.parsers import expat

from agent.catalog import Unpack
from agent.product.instance.licence import UnreadableLicence, decode_licence, licence_words

LIMIT = 1_000_000  # characters; a map of a thousand apps takes a tenth of it
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]*")
MODULE = ":"  # "key of an app:key of a module of it"
STATES = {"true": "enabled", "false": "disabled"}


class Unreadable(Exception):
    """A text of another form than is known; the message holds nothing of it."""


def unpack(text: str, form: Unpack, product: str = "") -> Iterator[dict[str, str]]:
    """The rows that `text` holds, with the columns of `form`; a licence says what it says of `product`."""
    if not text.strip():
        return
    if form is Unpack.LICENCES:
        try:
            yield from (licence_words(licence) for licence in decode_licence(text, product))
        except UnreadableLicence as error:
            raise Unreadable(str(error)) from None
        return
    leaves = _leaves(text)
    if form is Unpack.FLAGS:
        for name in sorted({name for leaf, words in leaves if leaf != "boolean" for name in NAME.findall(words)}):
            yield {"flag": name}
        return
    for (kind, key), (other, value) in zip(leaves[::2], leaves[1::2], strict=False):
        if kind != "string" or other != "boolean" or value not in STATES:
            raise Unreadable("it is no map of states")
        if MODULE not in key:
            yield {"app": key, "state": STATES[value]}


def _leaves(text: str) -> list[tuple[str, str]]:
    """Name and text of each element that has a text, in order."""
    if len(text) > LIMIT:
        raise Unreadable("it is too long")
    found: list[tuple[str, str]] = []
    path: list[tuple[str, list[str]]] = []

    def end(_name: str) -> None:
        name, pieces = path.pop()
        words = "".join(pieces).strip()
        if words:
            found.append((name, words))

    def refuse(*_: object) -> None:
        raise Unreadable("it has a DOCTYPE")

    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, _attributes: path.append((name, []))
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda piece: path[-1][1].append(piece)
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise Unreadable("it is no XML") from None
    return found
