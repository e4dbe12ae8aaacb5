"""What stands in Tomcat's configuration about valves and contexts, before anything is chosen.

In:   `conf/server.xml`, and the files of single contexts in `conf/ENGINE/HOST/`. Nothing of them is kept but the
      attributes of valves and where each stands.
Out:  `Layout`: every valve with its place, every context with its path. Malformed for a file that is no XML or has a
      DOCTYPE: entities could read other files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from agent.product.homes.formats import DEPTH_LIMIT, Malformed, read_octets

SERVER_XML = Path("conf", "server.xml")
CONTEXT_XML = Path("conf", "context.xml")  # what holds for every context
MOST_CONTEXT_FILES = 64
EVERY = "*"
NESTED = ("Service", "Engine", "Host", "Context")
PROPERTY = re.compile(r"(?m)^[ \t]*([A-Za-z0-9_.-]+)[ \t]*[=:][ \t]*([^\r\n\\]*?)[ \t]*$")
# A value that holds a shell variable is not taken: only the shell knows it.
OPTION = re.compile(r"-D([A-Za-z0-9_.-]+)=(?:\"([^\"$`\\]*)\"|'([^']*)'|([^\s\"'$`\\;]*)(?=[\s\"';]|$))")
COMMENT = re.compile(r"(?m)^\s*#.*$")
Scope = tuple[str, ...]  # one step a level, from the service down; equal steps are the same element


@dataclass(frozen=True, slots=True)
class Valve:
    """One valve: its attributes as written, the element it stands in, and where that is for a person to find."""

    attributes: Mapping[str, str]
    scope: Scope
    place: str


@dataclass(frozen=True, slots=True)
class Context:
    """One web application: its path as written ("" for the root) and what it is made of."""

    path: str
    base: str
    scope: Scope


@dataclass(slots=True)
class Layout:
    """All valves and contexts, in the order of the files."""

    valves: list[Valve] = field(default_factory=list)
    contexts: list[Context] = field(default_factory=list)


def read_layout(home: Path) -> Layout:
    """The layout of the Tomcat in `home`; raises OSError or Malformed for its server.xml. A context's own file that
    cannot be read says nothing."""
    layout = Layout()
    _LayoutWalk(layout, SERVER_XML.name).parse(read_octets(home / SERVER_XML))
    for path in context_files(home):
        engine, host = path.parts[-3:-1]
        name = path.stem.split("##")[0]
        own = "" if name == "ROOT" else "/" + name.replace("#", "/")
        walk = _LayoutWalk(layout, str(path.relative_to(home)), (EVERY, engine, host), own)
        _parse_if_there(walk, path)
    _parse_if_there(_LayoutWalk(layout, str(CONTEXT_XML), (EVERY, EVERY, EVERY), EVERY), home / CONTEXT_XML)
    return layout


def context_files(home: Path) -> list[Path]:
    """The files of single contexts; none when their folders may not be listed."""
    try:
        return sorted((home / "conf").glob("*/*/*.xml"))[:MOST_CONTEXT_FILES]
    except OSError:
        return []


def covers(scope: Scope, inner: Scope) -> bool:
    """Whether what stands in `scope` sees every request to `inner`."""
    steps = zip(scope, inner, strict=False)
    return len(scope) <= len(inner) and all(EVERY in pair or pair[0] == pair[1] for pair in steps)


def _parse_if_there(walk: _LayoutWalk, path: Path) -> None:
    try:
        walk.parse(read_octets(path))
    except (OSError, Malformed):
        return


class _LayoutWalk:
    """Collects valves and contexts while expat walks one file."""

    def __init__(self, layout: Layout, file: str, above: Scope = (), path: str | None = None) -> None:
        self._layout, self._file, self._path = layout, file, path
        self._scope = list(above)
        self._levels: list[tuple[str, str]] = []
        self._depth = 0
        self._steps = 0
        self._parser = expat.ParserCreate()

    def parse(self, octets: bytes) -> None:
        """Walk the file; raises Malformed. A DOCTYPE is refused before anything in it is looked at."""
        parser = self._parser
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = _refuse
        try:
            parser.Parse(octets, True)
        except expat.ExpatError as error:
            raise Malformed(f"is not well-formed XML (line {error.lineno})") from None
        except (ValueError, LookupError):
            raise Malformed("is not in an encoding that can be read") from None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise Malformed("is nested too deeply")
        if name in NESTED:
            self._enter(name, attributes)
        elif name == "Valve":
            level, called = self._levels[-1] if self._levels else ("", "")
            stands_in = " ".join(filter(None, (level, called)))
            place = f"{self._file} line {self._parser.CurrentLineNumber} ({stands_in})"
            self._layout.valves.append(Valve(attributes, tuple(self._scope), place))

    def _enter(self, name: str, attributes: dict[str, str]) -> None:
        self._steps += 1
        called = attributes.get("name", "")
        step = called if name in ("Engine", "Host") and called else f"{self._file}:{name}{self._steps}"
        self._scope.append(step)
        if name == "Context" and self._path == EVERY:
            self._scope[-1] = EVERY
        elif name == "Context":
            called = attributes.get("path", "") if self._path is None else self._path
            self._layout.contexts.append(Context(called, attributes.get("docBase", ""), tuple(self._scope)))
        self._levels.append((name, f"'{called}'" if called or name == "Context" else ""))

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name in NESTED:
            self._levels.pop()
            self._scope.pop()


def _refuse(*_: object) -> None:
    raise Malformed("has a DOCTYPE, which is not read")


def values_of(home: Path) -> Iterator[tuple[str, str]]:
    """Properties of the JVM that files of the installation set: what `${NAME}` stands for in server.xml."""
    yield from PROPERTY.findall(_text(home / "conf" / "catalina.properties"))
    for name, *values in OPTION.findall(COMMENT.sub("", _text(home / "bin" / "setenv.sh"))):
        yield name, "".join(values)


def _text(path: Path) -> str:
    try:
        return read_octets(path).decode("utf-8", "replace")
    except (OSError, Malformed):
        return ""
