"""How the rest of the agent talks to the cloud, without knowing what speaks HTTP.

`delivery/http.py` is the only implementation; `link/` and `delivery/` take a `CloudClient` as an argument.
An answer can only mean got it, wait, split, set aside or stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from agent.net.answer import HttpAnswer
from agent.secret import Secret


class CloudClient(Protocol):
    """One origin, reached over the one TLS policy; raises PushDeferred when no complete answer came."""

    def request(
        self,
        method: str,
        path: str,
        *,
        key: Secret | None,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
    ) -> HttpAnswer:
        """The complete answer to one request; `path` starts with a slash, `key` goes into one header only."""
