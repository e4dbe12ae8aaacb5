"""The systemd units that start a product, with their drop-ins: `Environment=`, `EnvironmentFile=` and the commands.

In:   the root of the machine's files. Out: texts, and what they set. A unit is the product's when it is called like it,
or when it names its home or its installation.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from agent.product.homes.formats import Malformed, read_octets
from agent.product.homes.shell_text import read_shell
from agent.settings import ProductType

# The last of several of one name wins, as in systemd.
FOLDERS = ("usr/lib/systemd/system", "lib/systemd/system", "run/systemd/system", "etc/systemd/system")
MOST_UNITS = 2000
_LINE = re.compile(r"^\s*(Environment|EnvironmentFile|ExecStart)\s*=\s*(.*)$", re.MULTILINE)


def unit_texts(product: ProductType, home: Path, install: Path | None, root: Path) -> Iterator[tuple[Path, str]]:
    """Path and text of the product's units and then of their drop-ins."""
    units: dict[str, tuple[Path, str]] = {}
    places = [str(place) for place in (home, install) if place is not None]
    for folder in FOLDERS:
        for path in _listed(root / folder, "*.service"):
            text = _read(path)
            if text is not None and _is_of(product, path.name, text, places):
                units[path.name] = (path, text)
    for name, unit in units.items():
        yield unit
        drop_ins = {path.name: path for folder in FOLDERS for path in _listed(root / folder / f"{name}.d", "*.conf")}
        for _, path in sorted(drop_ins.items()):
            text = _read(path)
            if text is not None:
                yield path, text


def environment_of(text: str, root: Path, variables: dict[str, str]) -> list[str]:
    """Put what the unit's environment sets into `variables`; the words of its command."""
    words: list[str] = []
    joined = re.sub(r"\\\r?\n", " ", re.sub(r"(?m)^\s*[#;].*$", "", text))
    for key, value in _LINE.findall(joined):
        if key == "EnvironmentFile":
            path = root / value.strip().removeprefix("-").strip("\"'").lstrip("/")
            read_shell(_read(path) or "", variables)
        elif key == "Environment":
            for pair in _split(value):
                name, found, content = pair.partition("=")
                if found:
                    variables.pop(name, None)
                    variables[name] = content
        else:
            words = _split(value)
    return words


def _is_of(product: ProductType, name: str, text: str, places: list[str]) -> bool:
    called = re.fullmatch(rf"(?:atlassian[-_]?)?{product.value}(?:@.*|[\d.-]*)\.service", name) is not None
    return called or any(re.search(rf"{re.escape(place)}(?![\w.-])", text) for place in places)


def _split(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:  # a quote that is never closed: systemd drops the line
        return []


def _listed(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))[:MOST_UNITS]
    except OSError:
        return []


def _read(path: Path) -> str | None:
    try:
        return read_octets(path).decode("utf-8", "replace")
    except (OSError, Malformed):
        return None
