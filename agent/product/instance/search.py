"""Whether this product searches in OpenSearch, so that its own index says nothing.

In:   the product's files (Jira's jira-config.properties, Confluence's confluence.cfg.xml), the installation's start
      script, the command lines of the JVMs on this machine. Out: yes, or nothing that says so.
What cannot be read says nothing; shell is not run, and a line that is a comment does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

TEXT_LIMIT = 256 * 1024
# -Dsearch.platform=opensearch on the JVM's line; the same as a property of a file; the variable of the images.
_OPTION = re.compile(r"-Dsearch\.platform\s*=\s*[\"']?opensearch\b", re.IGNORECASE)
_PROPERTY = re.compile(r"(?m)^\s*search\.platform\s*[=:]\s*opensearch\s*$", re.IGNORECASE)
_XML = re.compile(r"<property\s+name=[\"']search\.platform[\"']\s*>\s*opensearch\s*</property>", re.IGNORECASE)
_VARIABLE = re.compile(r"\bATL_SEARCH_PLATFORM\s*=\s*[\"']?opensearch\b", re.IGNORECASE)
_COMMENT = re.compile(r"(?m)^\s*#.*$")
_XML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
HOME_FILES = ("jira-config.properties", "confluence.cfg.xml")
START_FILES = ("bin/setenv.sh", "bin/setenv.bat")


def searches_elsewhere(homes: Iterable[Path], install: Path | None, proc: Path = Path("/proc")) -> bool:
    """Whether anything says that this instance uses OpenSearch."""
    places = tuple(homes)
    texts = [_COMMENT.sub("", _XML_COMMENT.sub("", _text(home / name))) for home in places for name in HOME_FILES]
    texts += [_COMMENT.sub("", _text(install / name)) for name in START_FILES] if install is not None else []
    if any(pattern.search(text) for text in texts for pattern in (_OPTION, _PROPERTY, _XML, _VARIABLE)):
        return True
    names = {str(place) for place in (*places, *([install] if install is not None else []))}
    return any(_OPTION.search(line) and any(name in line for name in names) for line in _command_lines(proc))


def _command_lines(proc: Path) -> Iterator[str]:
    """The command lines of all processes, words parted by blanks."""
    try:
        found = [entry for entry in proc.iterdir() if entry.name.isdecimal()]
    except OSError:
        return
    for process in found:
        line = _text(process / "cmdline").replace("\0", " ")
        if "java" in line:
            yield line


def _text(file: Path) -> str:
    """The beginning of a file, "" when it cannot be read."""
    try:
        with file.open("rb") as stream:
            return stream.read(TEXT_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""
