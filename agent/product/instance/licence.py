"""The product's licence text, decoded in memory: what is on the list is kept, all else is dropped while it is read.

In:   the text as the product stores it, and the product. Out: one `Licence` for each application it is for.

    base64( 4 bytes: length n | n bytes | signature ) "X" version(2 digits) length of the base64 text (base 31)
    the n bytes: 0D 0E 0C 0A 0F, then a zlib stream of a Java properties file

The form is that of every licence of version 1 and 2 (seen on the developer licences that Atlassian publishes for
testing apps). The signature is not checked: a forged text can only say something false of its own instance. Among the
properties stand the organisation, names and e-mail addresses: only keys of `_WANTED` ever become a value, and only
when the value looks as it must. No message here holds anything of the text.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

LONGEST_TEXT = 64 * 1024  # characters; one of twenty applications takes four thousand
LONGEST_PROPERTIES = 256 * 1024
PREFIX = bytes((13, 14, 12, 10, 15))
TAIL = re.compile(r"X0[12]([0-9a-u]{1,8})")  # the length in base 31
SEN = re.compile(r"SEN-L?[0-9]{1,12}|E-[0-9A-Z]{3}(?:-[0-9A-Z]{3}){3}", re.ASCII)
KINDS = frozenset(
    (
        *("academic", "commercial", "community", "demonstration", "developer", "free", "hosted"),
        *("non-profit", "open-source", "personal", "starter", "testing", "unknown"),
    )
)
# How each product's own properties begin; without them what the licence says of all counts.
PREFIXES: Mapping[str, tuple[str, ...]] = {
    "jira": ("jira.",),
    "confluence": ("conf.",),
    "bitbucket": ("bitbucket.", "stash."),
    "bamboo": ("bamboo.",),
    "crowd": ("crowd.",),
}
_KEYS = (
    *("SEN", "LicenseTypeName", "NumberOfUsers", "LicenseExpiryDate", "MaintenanceExpiryDate"),
    *("Evaluation", "DataCenter", "active"),
)
_WANTED = re.compile(r"((?:[a-z]+\.)?(?:product\.[a-z-]{1,40}\.)?)(" + "|".join(_KEYS) + ")")
_JIRA_APPLICATION = re.compile(r"jira\.product\.(jira-[a-z]{2,20})\.")
_LINE = re.compile(r"[ \t\f]*([A-Za-z.-]{1,100})[ \t\f]*[=: \t][ \t\f]*(.{0,200})")
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
NO_LIMIT = frozenset({"-1", "unlimited"})
LARGEST = 10_000_000


class UnreadableLicence(Exception):
    """The text is none that can be decoded; the message holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Licence:
    """What is kept of a licence for one application; None where it does not say, or says it in another form.

    `users` is None without a limit too: then `unlimited` is True. `expires` and `maintenance_ends` are the beginning of
    that day (2027-01-31T00:00:00Z); one that never ends has none.
    """

    application: str
    sen: str | None = None
    kind: str | None = None
    users: int | None = None
    unlimited: bool | None = None
    expires: str | None = None
    maintenance_ends: str | None = None
    evaluation: bool | None = None
    data_center: bool | None = None


def decode_licence(text: str, product: str) -> tuple[Licence, ...]:
    """What the licence says for each application of `product`. Raises UnreadableLicence."""
    found = dict(_kept(_properties(text)))
    applications = sorted({match[1] for key in found if (match := _JIRA_APPLICATION.match(key))})
    if product != "jira" or not applications:
        return (_licence(product, found, PREFIXES.get(product, ())),)
    return tuple(
        _licence(application, found, (f"jira.product.{application}.", *PREFIXES["jira"]))
        for application in applications
        if found.get(f"jira.product.{application}.active", "true") == "true"
    )


def licence_words(licence: Licence) -> dict[str, str]:
    """The same as words, by the columns of a listing; what it does not say is absent."""
    limit = None if licence.unlimited is None else "unlimited" if licence.unlimited else "limited"
    words = {
        "application": licence.application,
        "sen": licence.sen,
        "kind": licence.kind,
        "users": None if licence.users is None else str(licence.users),
        "user_limit": limit,
        "expires": licence.expires,
        "maintenance_ends": licence.maintenance_ends,
        "evaluation": None if licence.evaluation is None else str(licence.evaluation).lower(),
        "data_center": None if licence.data_center is None else str(licence.data_center).lower(),
    }
    return {name: word for name, word in words.items() if word is not None}


def _properties(text: str) -> str:
    """The decoded properties file."""
    packed = "".join(text.split()) if len(text) <= LONGEST_TEXT else ""
    at = packed.rfind("X")
    tail = TAIL.fullmatch(packed, max(at, 0))
    if tail is None or int(tail[1], 31) != at:
        raise UnreadableLicence("it is no licence text of a known form")
    try:
        octets = base64.b64decode(packed[:at] + "=" * (-at % 4), validate=True)
        body = octets[4 : 4 + int.from_bytes(octets[:4], "big")]
        if not body.startswith(PREFIX):
            raise UnreadableLicence("it is no licence text of a known form")
        inflate = zlib.decompressobj()
        plain = inflate.decompress(body[len(PREFIX) :], LONGEST_PROPERTIES)
        if inflate.unconsumed_tail:
            raise UnreadableLicence("it is too long")
    except (binascii.Error, zlib.error, ValueError):
        raise UnreadableLicence("it is damaged") from None
    return plain.decode("utf-8", "replace")


def _kept(properties: str) -> Iterator[tuple[str, str]]:
    """Key and value of each line whose key is on the list; every other line is looked at no further."""
    for line in properties.splitlines():
        match = _LINE.fullmatch(line)
        if match is not None and _WANTED.fullmatch(match[1]):
            yield match[1], match[2].strip()


def _licence(application: str, found: Mapping[str, str], prefixes: tuple[str, ...]) -> Licence:
    def said(key: str) -> str:
        return next((found[prefix + key] for prefix in (*prefixes, "") if prefix + key in found), "")

    sen, users = said("SEN"), said("NumberOfUsers")
    unlimited = users.lower() in NO_LIMIT
    number = int(users) if users.isascii() and users.isdecimal() and len(users) < 9 else None
    return Licence(
        application=application,
        sen=sen if SEN.fullmatch(sen) else None,
        kind=licence_kind(kind) if (kind := said("LicenseTypeName")) else None,
        users=number if number is not None and number <= LARGEST else None,
        unlimited=unlimited if unlimited or number is not None else None,
        expires=_day(said("LicenseExpiryDate")),
        maintenance_ends=_day(said("MaintenanceExpiryDate")),
        evaluation=_switch(said("Evaluation")),
        data_center=_switch(said("DataCenter")),
    )


def licence_kind(word: str) -> str:
    """A licence's type in our spelling; "other" for one that is not known, since an app decides what stands there."""
    kind = word.lower().replace("_", "-")
    return kind if kind in KINDS else "other"


def _day(text: str) -> str | None:
    """The beginning of the day a date names; None for "unlimited", for a length of time and for what is no day."""
    if not DATE.fullmatch(text):
        return None
    try:
        return f"{date.fromisoformat(text).isoformat()}T00:00:00Z"
    except ValueError:
        return None


def _switch(word: str) -> bool | None:
    return {"true": True, "false": False}.get(word.lower())
