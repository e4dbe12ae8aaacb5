"""What a call gives, result or expected error, as one value to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


def outcome_of(call: Callable[[], T], expected: type[E]) -> T | E:
    """The call's result, or the expected error it raised; any other error goes through."""
    try:
        return call()
    except expected as error:
        return error
