"""ObjectNames as text: parsing, key properties, patterns (rules of javax.management.ObjectName).

A name is `domain:key=value,key=value`; values may be quoted (`"a,b=c"`, with \\\\ \\" \\* \\? \\n as escapes). A
pattern has `*` or `?` in the domain or in values, or `*` in place of a property (any further properties).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_PROPERTY = re.compile(r'([^=,:*?"\n]+)=("(?:[^"\\\n]|\\[\\"*?n])*"|[^=,:"\n]*)(?:,|$)')
_ESCAPES = {"\\n": "\n"}


class ObjectName(NamedTuple):
    """A parsed name; `properties` are as written (quoted values keep their quotes); `open_ended` has a bare `*`."""

    domain: str
    properties: dict[str, str]
    open_ended: bool = False


def parse_object_name(name: str) -> ObjectName:
    """Return the parts of a name or pattern. Raises ValueError when it is malformed."""
    domain, colon, rest = name.partition(":")
    if not colon or not rest:
        raise ValueError(f"{name!r} is not an ObjectName: domain:key=value is expected.")
    properties: dict[str, str] = {}
    open_ended = False
    at = 0
    while at < len(rest):
        if rest[at] == "*" and rest[at + 1 : at + 2] in ("", ","):
            open_ended = True
            at += 2
            continue
        found = _PROPERTY.match(rest, at)
        if found is None or found[1] in properties:
            raise ValueError(f"{name!r} is not an ObjectName: look at {rest[at:]!r}.")
        properties[found[1]] = found[2]
        at = found.end()
    if rest.endswith(",") or not (properties or open_ended):
        raise ValueError(f"{name!r} is not an ObjectName: a property is missing at its end.")
    return ObjectName(domain, properties, open_ended)


def is_pattern(name: str) -> bool:
    """Return whether a name may stand for several beans."""
    parsed = parse_object_name(name)
    return parsed.open_ended or _has_wildcard(parsed.domain) or any(map(_has_wildcard, parsed.properties.values()))


def _has_wildcard(text: str) -> bool:
    unescaped = re.sub(r"\\.", "", text) if text.startswith('"') else text
    return "*" in unescaped or "?" in unescaped


def key_properties(name: str) -> dict[str, str]:
    """Return the key properties of a bean, values without their quotes. Raises ValueError when it is malformed."""
    return {key: unquote(value) for key, value in parse_object_name(name).properties.items()}


def unquote(value: str) -> str:
    """Return a property's value without quotes and escapes; one that is not quoted as it is."""
    if len(value) < 2 or not value.startswith('"'):
        return value
    return re.sub(r"\\.", lambda found: _ESCAPES.get(found[0], found[0][1]), value[1:-1])


def quote(value: str) -> str:
    """Return a value quoted so that it stands for itself."""
    return '"' + re.sub(r'([\\"*?])', r"\\\1", value).replace("\n", "\\n") + '"'


@lru_cache(maxsize=1024)
def _regex(pattern: str) -> re.Pattern[str]:
    """Wildcards of a domain or value as a regex; in quotes an escaped wildcard is the character itself."""
    tokens = re.findall(r"\\.|.", pattern, re.DOTALL) if pattern.startswith('"') else list(pattern)
    wild = {"*": ".*", "?": "."}
    # runs of stars collapse, else a hostile name could make the match take long
    joined = re.sub(r"(\.\*)+", ".*", "".join(wild.get(token, re.escape(token)) for token in tokens))
    return re.compile(joined, re.DOTALL)


@lru_cache(maxsize=1024)
def _parsed_pattern(pattern: str) -> ObjectName:
    return parse_object_name(pattern)


def matches(pattern: str, name: str) -> bool:
    """Return whether a bean's name fits a pattern; a malformed name fits none. Raises ValueError for the pattern."""
    wanted = _parsed_pattern(pattern)
    try:
        found = parse_object_name(name)
    except ValueError:
        return False
    return _matches(wanted, found)


def matches_name(pattern: str, found: ObjectName) -> bool:
    """The same for a name that is parsed already: one name is often held against hundreds of patterns."""
    return _matches(_parsed_pattern(pattern), found)


def _matches(wanted: ObjectName, found: ObjectName) -> bool:
    keys_fit = (
        wanted.properties.keys() <= found.properties.keys()
        if wanted.open_ended
        else wanted.properties.keys() == found.properties.keys()
    )
    return (
        keys_fit
        and _regex(wanted.domain).fullmatch(found.domain) is not None
        and all(_fits(value, found.properties[key]) for key, value in wanted.properties.items())
    )


def _fits(wanted: str, found: str) -> bool:
    return wanted == found or (_has_wildcard(wanted) and _regex(wanted).fullmatch(found) is not None)
