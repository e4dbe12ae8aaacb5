"""How the rest of the agent talks to the cloud, without knowing the HTTP library behind it.

`delivery/http.py` is the only implementation; `link/` and `delivery/` take a `CloudClient` as an argument.
An answer is untrusted bytes: whoever asked parses it, and it can only mean got it, wait, split, set aside or stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from agent.settings import Secret


@dataclass(frozen=True, slots=True)
class CloudAnswer:
    """One complete answer: status, body (at most 1 MiB, not decompressed), headers with lower-case names."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class CloudClient(Protocol):
    """One origin, reached over the one TLS context; raises PushDeferred when no complete answer came."""

    def request(
        self,
        method: str,
        path: str,
        *,
        key: Secret | None,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
    ) -> CloudAnswer:
        """The complete answer to one request; `path` starts with a slash, `key` goes into one header only."""
