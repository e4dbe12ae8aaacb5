"""What Tomcat says about its access log: which valve is read, where its files lie, and Tomcat's version from its jar.

In:   the folder Tomcat is installed in (Crowd keeps it in `apache-tomcat/` below).
Out:  an `AccessLogValve`: of several valves the one that sees all of the product's requests and tells the most of them;
      `passed_over` says of each other one why not. A valve that cannot be read is never taken for an empty log.
      Version 0 when no file tells it, never a guess: the unit of %D depends on it.
"""

from __future__ import annotations

import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.errors import SourceError
from agent.product.homes.formats import Malformed
from agent.reasons import NOT_PRESENT, NOT_SUPPORTED, PERMISSION_DENIED
from agent.sources.clientside.dates import expression_of
from agent.sources.clientside.forms import Form
from agent.sources.clientside.pattern import LineReader, compile_pattern
from agent.sources.clientside.server_xml import (
    CONTEXT_XML,
    SERVER_XML,
    Context,
    Layout,
    Valve,
    context_files,
    covers,
    read_layout,
    values_of,
)
from agent.system.files import open_regular

VALVE = "org.apache.catalina.valves.AccessLogValve"
TOMCATS = "org.apache.catalina.valves."
DATE_FORMAT = ".yyyy-MM-dd"
PLACEHOLDER = re.compile(r"\$\{([^}:]*)(?::-([^}]*))?\}")
CONTEXT_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]{1,60}){1,4}")
# What the products' web applications are called in `docBase`.
PRODUCTS = re.compile(
    r"(?:^|[/\\])(?:atlassian-(?:jira|bamboo|stash|bitbucket)|jira|confluence|bamboo|crowd-webapp)/?$"
)
CONDITIONS = ("condition", "conditionIf", "conditionUnless")
# What a logrotate or an admin appends: a date, a number, .gz.
ROTATED = r"(?:[-._]?\d[-._T:\d]*)?(?:\.gz)?"
# Encodings in which a quote, a space and a digit are the bytes they are in ASCII.
LIKE_ASCII = re.compile(
    r"(?i)(?:us-?)?ascii|iso646-us|utf[-_]?8|(?:iso[-_]?)?8859[-_]?\d+|latin-?\d|(?:windows|cp|ms)-?\d{3,4}|koi8[-_]?[ru]"
    r"|euc[-_]?\w+|gbk|gb2312|gb18030|big5.*|s(?:hift)?[-_]?jis|mac\w+"
)
EBCDIC = re.compile(r"(?i)cp-?(?:037|500|1047|11\d\d|2\d\d)")
VERSION = re.compile(r"(?m)^(?:server\.number=|Implementation-Version: *|\s*Apache Tomcat Version )(\d{1,3})\.\d")
MEMBER_LIMIT_BYTES = 64 * 1024
JAR_LIMIT_BYTES = 8 * 1024 * 1024  # Tomcat's has less than 2 MiB


FORMS = {
    VALVE: Form.PLAIN,
    TOMCATS + "FastCommonAccessLogValve": Form.PLAIN,
    TOMCATS + "JsonAccessLogValve": Form.JSON,
    TOMCATS + "ExtendedAccessLogValve": Form.EXTENDED,
}


@dataclass(frozen=True, slots=True)
class AccessLogValve:
    """Where access logs lie and how a line is written. `version` is Tomcat's major version, 0 when unknown.

    `place` is where the valve stands in which file; `date_format` is the date in a file's name as Java writes it.
    """

    folder: Path
    prefix: str
    suffix: str
    pattern: str
    context_path: str
    version: int
    form: Form = Form.PLAIN
    place: str = ""
    date_format: str = DATE_FORMAT
    conditional: bool = False
    passed_over: tuple[str, ...] = ()
    names: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        dates = f"(?:{expression_of(self.date_format)})?"
        text = re.escape(self.prefix) + dates + re.escape(self.suffix) + ROTATED
        object.__setattr__(self, "names", re.compile(text))

    def accepts(self, name: str) -> bool:
        """Whether a file of this name is one of the log's: today's, an earlier day's, or a rotated one."""
        return self.names.fullmatch(name) is not None

    @property
    def files(self) -> str:
        """How its files are named, for a person."""
        return f"{self.prefix}{self.date_format}{self.suffix}"

    def reader(self) -> LineReader:
        """What reads its lines; raises SourceError when they tell nothing."""
        return compile_pattern(self.pattern, self.context_path, self.version, self.form)


class NotRead(Exception):
    """Why a valve's log is not read, in words, and what a person can do about it."""

    def __init__(self, why: str, do: str = "") -> None:
        super().__init__(why)
        self.do = do


def tomcat_home(install: Path) -> Path | None:
    """The folder below `install` that has `conf/server.xml`; None when there is none to be seen."""
    for folder in (install, install / "apache-tomcat"):
        if (folder / SERVER_XML).is_file():
            return folder
    return None


def stamps_of(install: Path) -> tuple[tuple[int, int], ...]:
    """Something that changes when what `read_valve` reads may have changed."""
    home = tomcat_home(install) or install
    own = ("lib/catalina.jar", "conf/catalina.properties", "bin/setenv.sh")
    stamps = []
    for path in (home / SERVER_XML, home / CONTEXT_XML, *(home / name for name in own), *context_files(home)):
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
    layout = _layout(home)
    product = _product(layout.contexts)
    version = read_version(home)
    values = dict(values_of(home)) | {"catalina.base": str(home), "catalina.home": str(home)}
    readable: list[tuple[tuple[bool, ...], AccessLogValve]] = []
    refused: list[tuple[str, NotRead]] = []
    for valve in filter(_logs, layout.valves):
        try:
            read = _readable(valve, home, log_dir, values)
        except NotRead as problem:
            refused.append((valve.place, problem))
            continue
        found = replace(read, context_path=_context_path(product, values), version=version)
        readable.append((_merits(found, valve, product), found))
    if not readable:
        raise _no_log(home / SERVER_XML, layout, refused)
    best, chosen = max(readable, key=lambda item: item[0])
    others = [f"{place}: {problem}" for place, problem in refused]
    others += [f"{other.place}: {_less(merits, best)}" for merits, other in readable if other is not chosen]
    return _with(chosen, tuple(others))


def _layout(home: Path) -> Layout:
    path = home / SERVER_XML
    try:
        return read_layout(home)
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


def _logs(valve: Valve) -> bool:
    """Whether a valve writes requests somewhere, as far as its class's name tells."""
    name = valve.attributes.get("className", "")
    return "accesslog" in name.lower() or (not name.startswith("org.apache.catalina.") and "log" in name.lower())


def _readable(valve: Valve, home: Path, log_dir: Path | None, values: Mapping[str, str]) -> AccessLogValve:
    """What is known of a valve's files and lines, without context and version; raises NotRead."""
    own = {key: _filled(text, values) for key, text in valve.attributes.items()}
    name = own.get("className", "")
    form = FORMS.get(name)
    if name == TOMCATS + "JDBCAccessLogValve":
        raise NotRead("JDBCAccessLogValve writes into a database, where it is not read")
    if form is None:
        raise NotRead(f"{name} is not one of Tomcat's own classes, so the form of its lines is not known")
    for key in ("enabled", "rotatable", "pattern", "encoding"):
        if PLACEHOLDER.search(own.get(key, "")):
            unknown = _unknown(own[key])
            raise NotRead(f"its {key} is {unknown}, whose value is not known here", f"Write out {key} in the valve.")
    if not _is_true(own.get("enabled", "true")):
        raise NotRead('it is switched off (enabled = "false")', 'Remove enabled="false" from the valve.')
    encoding = own.get("encoding", "")
    if encoding and (EBCDIC.fullmatch(encoding) or not LIKE_ASCII.fullmatch(encoding)):
        raise NotRead(f"the encoding {encoding} of its file is not read", 'Set encoding="UTF-8" in the valve.')
    folder, prefix, suffix, dated = _names(own, home, log_dir)
    pattern = own.get("pattern", "" if form is Form.EXTENDED else "common")
    if not pattern.strip():
        raise NotRead("its pattern is empty, so it writes nothing", "Give it the pattern of the product's manual.")
    conditional = any(own.get(key) for key in CONDITIONS)
    return AccessLogValve(folder, prefix, suffix, pattern, "", 0, form, valve.place, dated, conditional)


def _names(own: Mapping[str, str], home: Path, log_dir: Path | None) -> tuple[Path, str, str, str]:
    """Folder, prefix, suffix and date format of the files; raises NotRead for what is not known."""
    directory = own.get("directory", "logs")
    if log_dir is None and PLACEHOLDER.search(directory):
        why = f"its folder is named by {_unknown(directory)}, whose value is not known here"
        raise NotRead(why, "Set [clientside] access_log_dir to the folder of the log.")
    folder = log_dir or home / directory
    prefix = _named(own.get("prefix", "access_log"), folder)
    suffix = own.get("suffix", "")
    dated = own.get("fileDateFormat", DATE_FORMAT) if _is_true(own.get("rotatable", "true")) else ""
    for text in (suffix, dated):
        if PLACEHOLDER.search(text):
            raise _nameless(text)
    if "/" in dated or "/" in suffix:
        raise NotRead("its files lie in a folder of their own for each date", "Take the / out of fileDateFormat.")
    try:
        expression_of(dated)
    except ValueError as error:
        raise NotRead(f"its fileDateFormat is not understood: {error}", "Correct it in the valve.") from None
    above, slash, prefix = prefix.rpartition("/")
    if slash and log_dir is None:
        folder = folder / (above.lstrip("/") or ".")
    return folder, prefix, suffix, dated


def _named(prefix: str, folder: Path) -> str:
    """The prefix, where it is known. A property that nobody sets stands in the file's name as it is written, or as its
    default: only a file of that name shows that it is so. Raises NotRead when there is none."""
    if not PLACEHOLDER.search(prefix):
        return prefix
    for candidate in (PLACEHOLDER.sub(lambda match: match[2] or match[0], prefix), prefix):
        inner, _, beginning = candidate.rpartition("/")
        try:
            names = os.listdir(folder / inner.lstrip("/"))
        except OSError:
            continue
        if any(name.startswith(beginning) for name in names):
            return candidate
    raise _nameless(prefix)


def _nameless(text: str) -> NotRead:
    unknown = _unknown(text)
    why = f"its files are named by {unknown}, whose value is not known here"
    return NotRead(why, f"Write the value out in place of {unknown} in the valve.")


def _is_true(text: str) -> bool:
    return text.strip().lower() in ("true", "yes")


def _filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with each `${NAME}` and `${NAME:-DEFAULT}` replaced, as far as its value is known."""

    def value(match: re.Match[str]) -> str:
        known = values.get(match[1])
        # A default is not what holds when only the running JVM knows the property.
        return match[0] if known is None else known

    return PLACEHOLDER.sub(value, text)


def _unknown(text: str) -> str:
    return ", ".join(f"${{{name}}}" for name, _ in PLACEHOLDER.findall(text))


def _product(contexts: list[Context]) -> Context | None:
    """The context that is the product: by what it is made of, else the one at the root, else the first."""
    named = [context for context in contexts if PRODUCTS.search(context.base.rstrip("/"))]
    at_root = [context for context in contexts if context.path == ""]
    return next(iter([*named, *at_root, *contexts]), None)


def _context_path(product: Context | None, values: Mapping[str, str]) -> str:
    if product is None:
        return ""
    path = _filled(product.path, values).rstrip("/")
    return path if CONTEXT_PATH.fullmatch(path) else ""


def _merits(found: AccessLogValve, valve: Valve, product: Context | None) -> tuple[bool, ...]:
    """What speaks for a valve, the weightiest first; of equals the first in the file is taken."""
    try:
        reader = found.reader()
    except SourceError:
        return (False,) * 5
    sees_all = product is None or covers(valve.scope, product.scope)
    return (
        sees_all,
        not found.conditional,
        reader.has_status or reader.has_path,
        reader.unit_us is not None,
        reader.has_status,
    )


def _less(merits: tuple[bool, ...], best: tuple[bool, ...]) -> str:
    """Why a valve was not taken."""
    words = (
        "it does not see the product's requests",
        "it logs only some requests (condition)",
        "its pattern tells neither path nor status",
        "its pattern has no duration that can be read",
        "its pattern has no status",
    )
    return next(
        (word for word, own, other in zip(words, merits, best, strict=True) if other and not own), "it says the same"
    )


def _with(chosen: AccessLogValve, others: tuple[str, ...]) -> AccessLogValve:
    return replace(chosen, passed_over=others)


def _no_log(path: Path, layout: Layout, refused: list[tuple[str, NotRead]]) -> SourceError:
    if refused:
        why = "; ".join(f"{place}: {problem}" for place, problem in refused)
        do = next((problem.do for _, problem in refused if problem.do), f"Add a valve of class {VALVE} to {path}.")
        return SourceError(
            NOT_SUPPORTED,
            "Tomcat's access log is not read.",
            why=f"{why}.",
            do=f"{do} Or set [clientside] enabled = false.",
        )
    return SourceError(
        NOT_PRESENT,
        "Tomcat writes no access log.",
        why=f"{path} has no {VALVE}.",
        do="Switch the access log on as the product's manual says, or set [clientside] enabled = false.",
    )


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
