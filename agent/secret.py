"""A string that does not print: keys and passwords travel in this type and nowhere as plain str."""

from __future__ import annotations

from typing import NoReturn


# Not comparable on purpose: `==` on secrets takes a time that tells how much of them is alike.
class Secret:
    """Holds a secret; repr, str and format give `[redacted]`, pickling and JSON are refused."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself; call it only where the bytes go out."""
        return self._text

    def __repr__(self) -> str:
        return "[redacted]"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return "[redacted]"

    def __len__(self) -> int:
        return len(self._text)

    def __eq__(self, other: object) -> bool:
        return NotImplemented

    __hash__ = object.__hash__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


class SecretBytes:
    """Holds a binary key; prints as `[redacted]`, is not pickled and not compared."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def reveal(self) -> bytes:
        """The key itself; call it only where it is used."""
        return self._octets

    def __repr__(self) -> str:
        return "[redacted]"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return "[redacted]"

    def __len__(self) -> int:
        return len(self._octets)

    def __eq__(self, other: object) -> bool:
        return NotImplemented

    __hash__ = object.__hash__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a SecretBytes is not pickled")
