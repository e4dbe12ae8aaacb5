"""The table of numbers: what each form becomes, from whichever source it comes."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sources.numbers import NoNumberError, number_of


@pytest.mark.parametrize(
    ("given", "number"),
    [
        (True, 1),
        (False, 0),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**63, float(2**63)),
        (10**300, 1e300),
        (1.5, 1.5),
        (5.0, 5.0),
        (Decimal("42.00"), 42),
        (Decimal("9007199254740993"), 9007199254740993),
        (Decimal("0.1"), 0.1),
        (Decimal("1E+30"), 1e30),
        (Decimal("1E-9999"), 0.0),
    ],
)
def test_what_is_a_number(given: object, number: float) -> None:
    """Whole numbers of 64 bits are exact; beyond them the nearest double stands for it."""
    found = number_of(given)
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (math.nan, "not-finite"),
        (-math.inf, "not-finite"),
        (10**400, "not-finite"),
        (Decimal("NaN"), "not-finite"),
        (Decimal("sNaN"), "not-finite"),
        (Decimal("-Infinity"), "not-finite"),
        (Decimal("1E+2000000"), "not-finite"),
        ("12", "not-a-number"),
        (b"12", "not-a-number"),
        (None, "not-a-number"),
        ([1], "not-a-number"),
        ({"a": 1}, "not-a-number"),
        (datetime.now(UTC), "not-a-number"),
    ],
)
def test_what_is_none(given: object, reason: str) -> None:
    """Each has a reason that may leave; nothing raises anything else."""
    with pytest.raises(NoNumberError) as caught:
        number_of(given)
    assert caught.value.reason == reason


@given(st.one_of(st.integers(), st.floats(), st.decimals(allow_nan=True, allow_infinity=True), st.booleans()))
def test_never_anything_that_cannot_be_stored(given: float | Decimal) -> None:
    """Whatever number comes in: out comes one of 64 bits or a finite double, or a reason."""
    try:
        found = number_of(given)
    except NoNumberError:
        return
    assert math.isfinite(found)
    assert isinstance(found, float) or -(2**63) <= found < 2**63
