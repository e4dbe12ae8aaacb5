"""Keyed hashes in place of names: the same name gives the same hash on this instance, and no other.

HMAC-SHA-256 under a key of the instance, because names of apps and nodes are easily guessed and a bare hash would be
found by trying. Each purpose has hashes of its own, so two of them cannot be joined.
"""

from __future__ import annotations

import hashlib
import hmac

KEY_BYTES_LEAST = 16
DIGITS = 16  # 64 bits: no two names of one instance meet, short enough to read out on the telephone
NODE = "node"
APP = "app"


class Pseudonyms:
    """Makes the pseudonyms of one instance; the key stays on this side."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES_LEAST:
            raise ValueError(f"a pseudonym key has at least {KEY_BYTES_LEAST} bytes")
        self._key = key

    def of(self, purpose: str, name: str, prefix: str = "h") -> str:
        """The pseudonym of `name` for one purpose, `h-` and 16 hexadecimal digits."""
        # A key for each purpose: an app and a project of one name have hashes that cannot be joined.
        purpose_key = hmac.new(self._key, b"portfolio-agent pseudonym 1\0" + purpose.encode(), hashlib.sha256).digest()
        text = name.encode("utf-8", "surrogatepass")
        return f"{prefix}-{hmac.new(purpose_key, text, hashlib.sha256).hexdigest()[:DIGITS]}"

    def node(self, name: str) -> str:
        """The pseudonym of a node of the cluster, `n-` and 16 hexadecimal digits."""
        return self.of(NODE, name, "n")

    def app(self, key: str) -> str:
        """The pseudonym of an app that is not public."""
        return self.of(APP, key)

    def tag(self, tag: str, value: str) -> str:
        """The pseudonym of a tag's value; app keys and nodes are the same wherever they stand."""
        if tag == NODE:
            return self.node(value)
        return self.app(value) if tag == "pluginKey" else self.of(f"tag:{tag}", value)

    def __repr__(self) -> str:
        return "Pseudonyms([redacted])"


class KeyAway(Exception):
    """A pseudonym was asked for while its key cannot be read."""


class NoPseudonyms(Pseudonyms):
    """Stands in while the key is out of reach: asking it for any pseudonym raises KeyAway."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(bytes(KEY_BYTES_LEAST))

    def of(self, purpose: str, name: str, prefix: str = "h") -> str:
        """Never returns."""
        raise KeyAway
