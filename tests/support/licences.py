"""Licence texts of our own making: the form of real ones, invented content, a signature that signs nothing."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping

PREFIX = bytes((13, 14, 12, 10, 15))
# Who bought it and how to reach them: never a value anywhere.
PERSONAL = {
    "Organisation": "Planted Organisation GmbH",
    "ContactName": "Planted Person",
    "ContactEMail": "planted.person@example.com",
    "Description": "Planted: Commercial",
    "LicenseID": "LIDSEN-PLANTED",
    "ServerID": "PLNT-0000-1111-2222",
}
PLANTED = ("Planted", "planted.person", "PLNT-0000", "LIDSEN")
USUAL = {
    "SEN": "SEN-12345678",
    "LicenseTypeName": "COMMERCIAL",
    "NumberOfUsers": "2000",
    "LicenseExpiryDate": "2027-01-31",
    "MaintenanceExpiryDate": "2027-01-31",
    "Evaluation": "false",
    "DataCenter": "true",
}


def licence_text(values: Mapping[str, str] | None = None, *, version: int = 2, width: int = 76) -> str:
    """A licence that says `values` beside who bought it, in lines of `width` characters."""
    lines = [
        "#Thu Nov 26 10:00:00 UTC 2026",
        *(f"{key}={value}" for key, value in {**PERSONAL, **(values or USUAL)}.items()),
    ]
    return packed("\n".join(lines).encode(), version=version, width=width)


def packed(properties: bytes, *, prefix: bytes = PREFIX, version: int = 2, width: int = 76) -> str:
    """These properties in the form of a licence text."""
    body = prefix + zlib.compress(properties)
    whole = base64.b64encode(len(body).to_bytes(4, "big") + body + b"no signature of anybody's").decode()
    text = f"{whole}X{version:02d}{in_base_31(len(whole))}"
    return "\n".join(text[at : at + width] for at in range(0, len(text), width))


def in_base_31(number: int) -> str:
    """The number in digits from 0 to u."""
    digits = "0123456789abcdefghijklmnopqrstu"
    return (in_base_31(number // 31) if number >= 31 else "") + digits[number % 31]
