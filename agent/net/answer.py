"""What came back over HTTP: untrusted bytes that whoever asked parses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One complete answer: status, body (not decompressed), headers with lower-case names."""

    status: int
    body: bytes
    headers: Mapping[str, str]
