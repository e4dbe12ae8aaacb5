"""agent.toml becomes `Settings`, or one ConfigError that names every mistake in it.

In:   the file's path. One generic walk over the dataclasses of `schema.py`: a new field there needs nothing here.
Out:  typed values; an absent key has its default; an unknown, mistyped or ineffective one is a mistake.
Used by the daemon and by every command alike, so both see the same configuration. Standard library only: the resident
process and `status` import this.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from agent.errors import ConfigError, Mistake
from agent.settings.keys import Unit, key_of, parse_duration, parse_size, unit_of
from agent.settings.rules import CHECKS, CHOICES, CREDENTIAL_NAME, LIMITS, problems_of
from agent.settings.schema import Settings
from agent.settings.text import shown
from agent.system.files import open_regular

SIZE_LIMIT_BYTES = 1024 * 1024
STRING_LIMIT = 4096
LIST_LIMIT = 16
_TYPE_WORDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    dict: "a section",
    list: "a list",
}
_SECRET_WORDS = ("password", "passwd", "secret", "token", "passphrase")
_SECRET_KEYS = (*_SECRET_WORDS, "security_key", "api_key", "key")


class _Dataclass(typing.Protocol):
    __dataclass_fields__: typing.ClassVar[dict[str, Field[Any]]]


_Section = typing.TypeVar("_Section", bound=_Dataclass)


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings and the keys (`section.key`) that stand in the file; all others have their default."""

    settings: Settings
    given: frozenset[str]


def load_settings(path: Path) -> Settings:
    """The settings of one file; raises ConfigError with all mistakes at once."""
    return load_with_origin(path).settings


def load_with_origin(path: Path) -> LoadedSettings:
    """The settings of one file and which keys it holds; raises ConfigError with all mistakes at once."""
    return parse_settings(_read_text(path), str(path))


def parse_settings(text: str, file: str) -> LoadedSettings:
    """The settings of a file's text; `file` is its name in messages."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # ValueError also covers numbers too long for Python; RecursionError thousands of nested brackets.
        raise _syntax_error(error, file, text.count("\n") + 1) from None
    walk = _Walk(file, _lines_of_keys(text))
    settings = walk.section(Settings, document, "")
    # What is wrong by itself is not also judged beside others: two messages for one slip send people to the wrong key.
    faulted = {mistake.key for mistake in walk.mistakes}
    for key, problem in problems_of(settings, walk.given, faulted):
        walk.fault(key, problem)
    if walk.mistakes:
        count = len(walk.mistakes)
        raise ConfigError(
            f"The configuration has {count} mistake{'s' if count != 1 else ''}.",
            tuple(walk.mistakes),
            do=f"Correct the file, then run: portfolio-agent config check --config {file}",
        )
    return LoadedSettings(settings, frozenset(walk.given))


class _Walk:
    """One pass over document and schema side by side; collects mistakes instead of stopping at the first."""

    def __init__(self, file: str, lines: Mapping[str, int]) -> None:
        self.file = file
        self.lines = lines
        self.mistakes: list[Mistake] = []
        self.given: set[str] = set()

    def fault(self, key: str, problem: str, nearest: str | None = None) -> None:
        """Note one mistake; its line is the key's, or its section's when the key is missing."""
        line = self.lines.get(key, self.lines.get(key.rpartition(".")[0]))
        self.mistakes.append(Mistake(self.file, key, problem, nearest, line))

    def section(self, kind: type[_Section], table: Mapping[str, object], path: str) -> _Section:
        """A dataclass from one table.

        Where a required key is missing or wrong a placeholder stands in, so that the rest is still checked; the
        mistake noted for it keeps such settings from ever leaving the loader.
        """
        hints = typing.get_type_hints(kind)
        # Unknown keys are mistakes: an option with a letter missing would otherwise be a default that nobody asked for.
        known = {key_of(field.name): field for field in fields(kind)}
        for key in table:
            if key not in known:
                self._unknown(f"{path}{key}", key, known, sections=not path and isinstance(table[key], dict))
        arguments: dict[str, object] = {}
        for key, field in known.items():
            hint = _without_none(hints[field.name])
            if is_dataclass(hint) and isinstance(hint, type):
                arguments[field.name] = self._table(hint, table.get(key, {}), f"{path}{key}")
            elif key in table:
                self._key(field, hint, table[key], f"{path}{key}", arguments)
            elif _is_required(field):
                self.fault(f"{path}{key}", "is required and missing")
                arguments[field.name] = _placeholder(hint)
        return kind(**arguments)

    def _key(self, field: Field[Any], kind: Any, value: object, path: str, arguments: dict[str, object]) -> None:
        self.given.add(path)
        try:
            arguments[field.name] = _value(value, kind, unit_of(field.name), path)
        except _Wrong as wrong:
            self.fault(path, str(wrong), wrong.nearest)
            if _is_required(field):
                arguments[field.name] = _placeholder(kind)

    def _table(self, kind: type[Any], table: object, path: str) -> object:
        if not isinstance(table, dict):
            self.fault(path, f"must be a section, written [{path}]")
            table = {}
        return self.section(kind, table, f"{path}.")

    def _unknown(self, path: str, key: str, known: Iterable[str], *, sections: bool) -> None:
        what = "is not a known section" if sections else "is not a known key"
        # The value is never repeated: a secret may stand there by mistake.
        if key.lower() in _SECRET_KEYS or key.lower().endswith(_SECRET_WORDS):
            what += "; secrets do not stand in this file, only the place of one (password_file, password_credential)"
        self.fault(shown(path), what + ".", _nearest(key, known, path))


class _Wrong(Exception):
    """A value that does not fit its field."""

    def __init__(self, problem: str, nearest: str | None = None) -> None:
        super().__init__(problem)
        self.nearest = nearest


def _placeholder(kind: Any) -> object:
    """Any value of the type of a required field."""
    return next(iter(kind)) if issubclass(kind, StrEnum) else kind("/")


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _without_none(hint: Any) -> Any:
    """`X` of `X | None`."""
    if isinstance(hint, types.UnionType):
        return next(choice for choice in typing.get_args(hint) if choice is not types.NoneType)
    return hint


def _value(value: object, kind: Any, unit: Unit, path: str) -> object:
    made = _united(value, kind, unit) if unit is not Unit.NONE else _plain(value, kind)
    limit = LIMITS.get(path)
    if limit is not None and isinstance(made, int | float) and (problem := limit.problem(made)):
        raise _Wrong(problem)
    choices = CHOICES.get(path)
    if choices is not None and made not in choices:
        raise _not_one_of(str(made), choices)
    check = CHECKS.get(path)
    for text in made if isinstance(made, tuple) else (str(made),):
        if check is not None and (problem := check(text)):
            raise _Wrong(problem)
    if path.endswith("_credential") and not re.fullmatch(CREDENTIAL_NAME, str(made)):
        raise _Wrong("is not the name of a credential: letters, digits, dot, dash and underscore only")
    return made


def _united(value: object, kind: Any, unit: Unit) -> object:
    try:
        number = parse_size(value) if unit is Unit.SIZE else parse_duration(value)
    except ValueError as error:
        raise _Wrong(str(error)) from None
    if kind is int:
        if number != int(number):
            raise _Wrong("must be a whole number of seconds")
        return int(number)
    return float(number)


def _plain(value: object, kind: Any) -> object:
    if kind == tuple[str, ...]:
        return _texts(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if issubclass(kind, StrEnum):
        if not isinstance(value, str) or value not in list(kind):
            raise _not_one_of(value if isinstance(value, str) else str(value), [str(choice) for choice in kind])
        return kind(value)
    if kind is Path:
        return _absolute_path(value)
    if type(value) is not kind:
        raise _Wrong(f"must be {_TYPE_WORDS[kind]}, not {_named(value)}")
    return _text(value) if isinstance(value, str) else value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _Wrong('must be a list of texts, for instance ["a.example.com", "b.example.com"]')
    if not 1 <= len(value) <= LIST_LIMIT:
        raise _Wrong("must not be empty" if not value else f"is longer than {LIST_LIMIT} entries")
    return tuple(_text(item) for item in value)


def _text(value: str) -> str:
    if not value or len(value) > STRING_LIMIT:
        raise _Wrong("must not be empty" if not value else f"is longer than {STRING_LIMIT:,} characters")
    if not value.isprintable():
        raise _Wrong("holds a control character or another one that does not print")
    return value


def _absolute_path(value: object) -> Path:
    if not isinstance(value, str):
        raise _Wrong(f"must be a path in quotes, not {_named(value)}")
    path = Path(_text(value))
    if not path.is_absolute():
        raise _Wrong("must be an absolute path: the service and a shell have different working folders")
    if ".." in path.parts:
        raise _Wrong("must not hold '..'")
    return path


def _named(value: object) -> str:
    return _TYPE_WORDS.get(type(value), "a date or time")


def _not_one_of(value: str, choices: Iterable[str]) -> _Wrong:
    listed = list(choices)
    nearest = _nearest(value, listed, "")
    return _Wrong(f"'{shown(value, 40)}' is not one of {', '.join(listed)}.", nearest)


def _nearest(word: str, choices: Iterable[str], path: str) -> str | None:
    import difflib  # only a mistake pays for it

    found = difflib.get_close_matches(word.lower()[:80], list(choices), n=1, cutoff=0.6)
    prefix = path[: -len(word)] if path.endswith(word) else ""
    return f"{prefix}{found[0]}" if found else None


_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_.\- \"']+?)\s*\]\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\-\"']+)\s*=")


def _lines_of_keys(text: str) -> dict[str, int]:
    """First line of each section and key. A help for messages, not a parser: text inside ''' may mislead it."""
    lines: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            section = header[1].replace('"', "").replace("'", "").replace(" ", "")
            lines.setdefault(section, number)
        elif key := _KEY.match(line):
            name = key[1].replace('"', "").replace("'", "")
            lines.setdefault(f"{section}.{name}" if section else name, number)
    return lines


_PLACE = re.compile(r"\(at (?:line (\d+), column (\d+)|end of document)\)$")


def _syntax_error(error: Exception, file: str, last_line: int) -> ConfigError:
    if not isinstance(error, tomllib.TOMLDecodeError):
        line = None
        problem = "is nested too deeply or holds a number that is too long"
    else:
        words = str(error)
        place = _PLACE.search(words)
        line = int(place[1]) if place and place[1] else last_line
        column = f", column {place[2]}" if place and place[2] else ""
        problem = f"is not valid TOML{column}: {shown(_PLACE.sub('', words).strip(), 200)}"
    return ConfigError(
        "The configuration cannot be parsed.",
        (Mistake(file, "", problem, None, line),),
        do='Correct that line. Texts stand in double quotes: home = "/var/atlassian/application-data/jira"',
    )


def _read_text(path: Path) -> str:
    """The file's text; whoever may write to it decides what the agent runs and reads, so that is checked."""
    try:
        with open_regular(path, follow=True) as stream:
            facts = os.fstat(stream.fileno())
            # Whoever can write here can point the agent at another cloud.
            if facts.st_mode & 0o002:
                raise _unusable(
                    path,
                    f"Everybody may write to it (mode {stat.S_IMODE(facts.st_mode):04o}).",
                    f"Run: chmod 0640 {path}",
                )
            octets = stream.read(SIZE_LIMIT_BYTES + 1)
    except OSError as error:
        raise explain_unreadable(path, error) from None
    if len(octets) > SIZE_LIMIT_BYTES:
        raise _unusable(path, "It is larger than 1 MiB.", "Name the agent's own file with --config.")
    try:
        # With or without the mark that editors on Windows put in front.
        return octets.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise _unusable(path, f"Line {line} is not UTF-8 text.", "Save the file as UTF-8.") from None


def _unusable(path: Path, why: str, do: str) -> ConfigError:
    return ConfigError(f"The configuration {shown(str(path), 300)} cannot be used.", why=why, do=do)


def explain_unreadable(path: Path, error: OSError) -> ConfigError:
    """The ConfigError for a configuration file the system does not give us: who owns it and which command mends it."""
    if isinstance(error, FileNotFoundError):
        return ConfigError(
            f"There is no configuration at {shown(str(path), 300)}.",
            why="The agent has not been set up, or the file lies elsewhere.",
            do="Run: portfolio-agent init --home DIR   or name the file with --config FILE",
        )
    if not isinstance(error, PermissionError):
        return _unusable(path, error.strerror or type(error).__name__, "See what lies there: ls -ld " + str(path))
    try:
        facts = path.stat()
    except OSError:
        return _unusable(
            path,
            f"uid {os.geteuid()} may not enter the folder {path.parent}.",
            f"Run: chmod 0755 {path.parent}   or run the command as the service account or root",
        )
    return _unusable(
        path,
        f"uid {os.geteuid()} may not read it: it belongs to {_owner(facts)}, mode {stat.S_IMODE(facts.st_mode):04o}, "
        "and needs mode 0640 with group portfolio-agent.",
        f"Run: chown root:portfolio-agent {path} && chmod 0640 {path}   or run the command as root",
    )


def _owner(facts: os.stat_result) -> str:
    import grp
    import pwd

    try:
        user = pwd.getpwuid(facts.st_uid).pw_name
    except KeyError:
        user = str(facts.st_uid)
    try:
        return f"{user}:{grp.getgrgid(facts.st_gid).gr_name}"
    except KeyError:
        return f"{user}:{facts.st_gid}"
