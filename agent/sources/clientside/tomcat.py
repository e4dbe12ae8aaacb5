"""What Tomcat says about its access log: the valve in `conf/server.xml`, and the version from its own jar.

In:   the folder Tomcat is installed in (Crowd keeps it in `apache-tomcat/` below). Nothing of the file is kept but the
      valve's attributes and the context path.
Out:  an `AccessLogValve`; version 0 when no file tells it, never a guess: the unit of %D depends on it.
"""

from __future__ import annotations

import lzma
import os
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from agent.errors import SourceError
from agent.product.homes.formats import Malformed, read_octets
from agent.reasons import NOT_PRESENT, NOT_SUPPORTED, PERMISSION_DENIED
from agent.system.files import open_regular

VALVE = "org.apache.catalina.valves.AccessLogValve"
SERVER_XML = Path("conf", "server.xml")
BASES = re.compile(r"\$\{catalina\.(?:base|home)\}")
CONTEXT_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]{1,60}){1,4}")
VERSION = re.compile(r"(?m)^(?:server\.number=|Implementation-Version: *|\s*Apache Tomcat Version )(\d{1,3})\.\d")
MEMBER_LIMIT_BYTES = 64 * 1024
JAR_LIMIT_BYTES = 8 * 1024 * 1024  # Tomcat's has less than 2 MiB
MICROSECONDS_FROM = 10  # Tomcat 10 aligned %D with Apache httpd


@dataclass(frozen=True, slots=True)
class AccessLogValve:
    """Where access logs lie and how a line is written. `version` is Tomcat's major version, 0 when unknown."""

    folder: Path
    prefix: str
    suffix: str
    pattern: str
    context_path: str
    version: int

    def accepts(self, name: str) -> bool:
        """Whether a file of this name is one of the log's: today's, an earlier day's, or a rotated one."""
        if not name.startswith(self.prefix):
            return False
        rest = name[len(self.prefix) :]
        return bool(re.fullmatch(rf"[-._0-9]*{re.escape(self.suffix)}[-._0-9]*(?:\.gz)?", rest))


def tomcat_home(install: Path) -> Path | None:
    """The folder below `install` that has `conf/server.xml`; None when there is none to be seen."""
    for folder in (install, install / "apache-tomcat"):
        if (folder / SERVER_XML).is_file():
            return folder
    return None


def stamps_of(install: Path) -> tuple[tuple[int, int], ...]:
    """Something that changes when what `read_valve` reads may have changed."""
    home = tomcat_home(install) or install
    stamps = []
    for path in (home / SERVER_XML, home / "lib" / "catalina.jar"):
        try:
            facts = path.stat()
            stamps.append((facts.st_ino, facts.st_mtime_ns))
        except OSError:
            stamps.append((0, 0))
    return tuple(stamps)


def read_valve(install: Path, log_dir: Path | None = None) -> AccessLogValve:
    """The access log of the Tomcat in `install`; `log_dir` overrides the folder that its configuration names.

    Raises SourceError when there is no log, or none this program can read.
    """
    home = tomcat_home(install) or install
    path = home / SERVER_XML
    try:
        found = _Server()
        found.parse(read_octets(path))
    except PermissionError:
        raise SourceError(
            PERMISSION_DENIED,
            f"{path} cannot be read.",
            why="The service account may not read it.",
            do=f"Run: setfacl -m u:portfolio-agent:x {path.parent} && setfacl -m u:portfolio-agent:r {path}",
        ) from None
    except OSError as error:
        raise SourceError(
            NOT_PRESENT, f"{path} cannot be read.", why=f"{error.strerror}.", do="Set [clientside] install."
        ) from None
    except Malformed as error:
        raise SourceError(
            NOT_SUPPORTED, f"{path} {error}.", do="Correct the file, or set [clientside] enabled = false."
        ) from None
    valve = found.valve
    if valve is None:
        raise SourceError(
            NOT_PRESENT,
            "Tomcat writes no access log.",
            why=f"{path} has no {VALVE}.",
            do="Switch the access log on as the product's manual says, or set [clientside] enabled = false.",
        )
    return AccessLogValve(
        folder=log_dir or _folder(home, valve.get("directory", "logs"), path),
        prefix=valve.get("prefix", "access_log"),
        suffix=valve.get("suffix", ""),
        pattern=valve.get("pattern", "common"),
        context_path=found.context_path,
        version=read_version(home),
    )


def _folder(home: Path, directory: str, path: Path) -> Path:
    text = BASES.sub(str(home), directory)
    if "${" in text:
        raise SourceError(
            NOT_SUPPORTED,
            "The folder of the access log is not known.",
            why=f"{path} names it by a variable of the JVM.",
            do="Set [clientside] access_log_dir.",
        )
    return home / text


class _Server:
    """Takes the first access log valve and the first context path out of server.xml."""

    def __init__(self) -> None:
        self.valve: dict[str, str] | None = None
        self.context_path = ""

    def parse(self, octets: bytes) -> None:
        """Walk the file; raises Malformed. A DOCTYPE is refused before anything in it is looked at."""
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.StartDoctypeDeclHandler = _refuse
        try:
            parser.Parse(octets, True)
        except expat.ExpatError as error:
            raise Malformed(f"is not well-formed XML (line {error.lineno})") from None
        except (ValueError, LookupError):
            raise Malformed("is not in an encoding that can be read") from None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Valve" and attributes.get("className") == VALVE and self.valve is None:
            self.valve = attributes
        elif name == "Context" and not self.context_path and CONTEXT_PATH.fullmatch(attributes.get("path", "")):
            self.context_path = attributes["path"]


def _refuse(*_: object) -> None:
    raise Malformed("has a DOCTYPE, which is not read")


def read_version(home: Path) -> int:
    """Tomcat's major version from `lib/catalina.jar` or `RELEASE-NOTES`; 0 when neither tells."""
    for text in (*_jar_texts(home / "lib" / "catalina.jar"), _notes(home / "RELEASE-NOTES")):
        if found := VERSION.search(text):
            return int(found[1])
    return 0


def _jar_texts(path: Path) -> tuple[str, ...]:
    texts = []
    try:
        # The product's account owns these files: a pipe in their place must hold nobody, a strange one cost nothing.
        with open_regular(path, follow=True) as file:
            if os.fstat(file.fileno()).st_size > JAR_LIMIT_BYTES:
                return ()
            jar = zipfile.ZipFile(file)
            for member in ("org/apache/catalina/util/ServerInfo.properties", "META-INF/MANIFEST.MF"):
                if member in jar.NameToInfo:
                    with jar.open(member) as stream:
                        texts.append(stream.read(MEMBER_LIMIT_BYTES).decode("latin-1").replace("\r\n", "\n"))
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError):
        return ()  # another file may tell
    return tuple(texts)


def _notes(path: Path) -> str:
    try:
        with open_regular(path, follow=True) as stream:
            return stream.read(MEMBER_LIMIT_BYTES).decode("latin-1")
    except OSError:
        return ""
