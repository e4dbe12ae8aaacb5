"""The catalog as the running agent loads it: compiled from the files at build time, read in a few milliseconds.

In:   `compiled/PRODUCT.json`: one line that says what it is and what it was made from, and the packed catalog.
Out:  the `Catalog` of a product. A file that is damaged, of another version or of other sources is never used in part.
A wheel holds the compiled form and no sources. A checkout holds the sources: there the hash of all that the catalog is
made from, names and bytes, is compared at every load, and what does not fit is compiled anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from agent.catalog.errors import CatalogError
from agent.catalog.model import Catalog
from agent.catalog.packing import Foreign, unpack
from agent.errors import Mistake

FORMAT = 1
COMMON = "common"
HERE = Path(__file__).parent
COMPILED = "compiled"
AGAIN = "Install the package again: its files were changed or damaged."
SETUP = "Run: ./scripts/setup (it fetches what compiles the catalog)."

_compiled_here: dict[tuple[str, str], Catalog] = {}  # where nothing can be written, once a process is enough


def products(root: Traversable | Path | None = None) -> tuple[str, ...]:
    """The products that have a catalog, sorted."""
    if root is not None or is_checkout():
        base = HERE if root is None else root
        return tuple(sorted(folder.name for folder in base.iterdir() if _is_product(folder)))
    return tuple(sorted(file.stem for file in (HERE / COMPILED).glob("*.json")))


def _is_product(folder: Traversable | Path) -> bool:
    return folder.is_dir() and folder.name != COMMON and any(item.name.endswith(".toml") for item in folder.iterdir())


def load_catalog(product: str, root: Traversable | Path | None = None) -> Catalog:
    """The whole catalog of `product`: its own entries and those common to all.

    With `root` the catalog files below it are read, as the build does. Raises CatalogError for a product that is not
    there, for faults of the files in a checkout, and for a compiled form that cannot be used.
    """
    product = str(product)  # a setting is a word of an enum, which is a text too but is not packed as one
    if product not in products(root):
        raise CatalogError(
            f"There is no catalog for '{product}'.",
            (Mistake("agent.toml", "instance.product", f"must be one of: {', '.join(products(root))}"),),
        )
    if root is not None:
        from agent.catalog.parse import parse_catalog  # only the build and a checkout have what this needs

        return parse_catalog(product, root)
    if not is_checkout():
        return _of_the_wheel(product)
    # At every load in a checkout: a file that is edited, or another commit, must never run on the catalog of before.
    made_from = sources_hash(product)
    with contextlib.suppress(Foreign, OSError):
        return parse_compiled(_read_own(HERE / COMPILED / f"{product}.json"), product, made_from)
    if (product, made_from) not in _compiled_here:
        _compiled_here[product, made_from] = _compile(product)
    return _compiled_here[product, made_from]


def is_checkout() -> bool:
    """Whether the catalog's sources lie here; a wheel has none."""
    return (HERE / COMMON).is_dir()


def parse_compiled(data: bytes, product: str, made_from: str | None = None) -> Catalog:
    """The catalog in `data`, which must be whole, of this product, and made from these sources when they are given.

    Raises Foreign with what is wrong with it.
    """
    line, _, body = data.partition(b"\n")
    try:
        head = json.loads(line)
    except ValueError as error:
        raise Foreign("its first line is not JSON") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise Foreign(f"it is not of format {FORMAT}")
    if head.get("product") != product:
        raise Foreign(f"it is the catalog of {str(head.get('product'))[:40]!r}")
    if made_from is not None and head.get("sources") != made_from:
        raise Foreign("it was made from other sources")
    # Whole or not at all: half of a catalog would look like a product that has half of its tables.
    if head.get("sha256") != hashlib.sha256(body).hexdigest():
        raise Foreign("its bytes are not those that were written")
    found = unpack(json.loads(body))
    if not isinstance(found, Catalog) or found.product != product:
        raise Foreign("it holds no catalog of this product")
    return found


def render_compiled(packed: dict[str, Any], product: str, made_from: str) -> bytes:
    """The file's bytes, the same for the same catalog."""
    body = json.dumps(packed, ensure_ascii=False, separators=(",", ":")).encode()
    head = {"format": FORMAT, "product": product, "sources": made_from, "sha256": hashlib.sha256(body).hexdigest()}
    return json.dumps(head).encode() + b"\n" + body


def sources_hash(product: str) -> str:
    """A hash of all that the compiled catalog follows from: names and bytes of data, code and pinned compiler.

    Sizes and times would not do: a checkout of another commit may leave both as they were.
    """
    found = hashlib.sha256()
    for name, path in _sources(product):
        data = _bytes(path)
        found.update(f"{name}\0{len(data)}\0".encode())
        found.update(data)
    return found.hexdigest()


def _sources(product: str) -> Iterator[tuple[str, str]]:
    """(name below the checkout, path) of each file, in an order that is the same everywhere."""
    agent, root = str(HERE.parent), str(HERE.parents[1])
    yield from _files(str(HERE), ("toml", "py"))
    for folder in (COMMON, product):
        yield from _files(f"{HERE}/{folder}", ("toml",))
        for below in sorted(entry.name for entry in os.scandir(f"{HERE}/{folder}") if entry.is_dir()):
            yield from _files(f"{HERE}/{folder}/{below}", ("sql",))
    yield "model.py", f"{agent}/model.py"
    for source in sorted(entry.name for entry in os.scandir(f"{agent}/sources") if entry.is_dir()):
        if os.path.exists(binding := f"{agent}/sources/{source}/binding.py"):
            yield f"sources/{source}", binding
    if os.path.exists(pinned := f"{root}/requirements/build.txt"):
        yield "build.txt", pinned


def _files(folder: str, kinds: Iterable[str]) -> Iterator[tuple[str, str]]:
    names = sorted(entry.name for entry in os.scandir(folder) if entry.name.rpartition(".")[2] in kinds)
    below = folder.removeprefix(str(HERE))
    return ((f"{below}/{name}", f"{folder}/{name}") for name in names)


def _bytes(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = []
        while piece := os.read(descriptor, 1 << 16):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def _read_own(file: Path) -> bytes:
    """The bytes of a compiled file of a checkout, where anyone who can write there may have left one.

    Raises Foreign unless it is a plain file that belongs to us or to root and that nobody else can write.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid not in (0, os.geteuid()) or facts.st_mode & 0o022:
            raise Foreign("it belongs to somebody else, or others can write it")
        return stream.read()


def _of_the_wheel(product: str) -> Catalog:
    """What the wheel brought. It is as much to be trusted as the code beside it, which came with it."""
    file = HERE / COMPILED / f"{product}.json"
    try:
        return parse_compiled(file.read_bytes(), product)
    except (OSError, Foreign) as error:
        raise CatalogError(f"The catalog of {product} cannot be used.", why=f"{file}: {error}", do=AGAIN) from error


def _compile(product: str) -> Catalog:
    """Compiled from the sources as they are now, and kept for the next start where that is possible."""
    try:
        from agent.catalog.compile import compile_product
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("sqlglot"):
            raise
        why = "the files it is made from differ from those it was compiled from, and sqlglot is not installed here"
        raise CatalogError(f"The catalog of {product} is not compiled.", why=why, do=SETUP) from error
    return compile_product(product)
