"""One number from whatever a JVM or a database gave, as it can be stored, summed and written as JSON anywhere.

| given | becomes |
|---|---|
| true, false | 1, 0 |
| a whole number of 64 bits, of whatever type | itself |
| a larger one (BigInteger, NUMERIC), as far as a double reaches | the nearest double |
| a BigDecimal or NUMERIC | the whole number of 64 bits it is, else the nearest double |
| a float or double | itself |
| NaN, the infinities, what lies beyond a double | no sample: "not-finite" |
| a text, a date, bytes, a list, a table, nothing | no sample: "not-a-number" |

Beyond 64 bits a whole number is exact in Python and nowhere else: sums of an hour would overflow, and readers of JSON
make something else of it.
"""

from __future__ import annotations

import math
from decimal import Decimal

from agent.reasons import NOT_A_NUMBER, NOT_FINITE

LARGEST = 2**63 - 1
SMALLEST = -(2**63)


class NoNumberError(Exception):
    """`reason` is a code that may leave."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def number_of(value: object) -> int | float:
    """The number that `value` is. Raises NoNumberError, whatever it is instead, however large."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and SMALLEST <= value <= LARGEST:
        return value
    if not isinstance(value, int | float | Decimal):
        raise NoNumberError(NOT_A_NUMBER)
    try:
        nearest = float(value)
    except (OverflowError, ValueError):  # an int beyond doubles; a signalling NaN
        raise NoNumberError(NOT_FINITE) from None
    if not math.isfinite(nearest):
        raise NoNumberError(NOT_FINITE)
    # Looked at only when a double holds it: int() of a Decimal with a huge exponent takes all memory.
    if isinstance(value, Decimal) and SMALLEST <= value <= LARGEST and value == int(value):
        return int(value)
    return nearest
