"""A deadline is one moment: every wait takes what is left of it."""

from __future__ import annotations

import pytest

from agent.net.deadline import Deadline, OutOfTime


def test_what_is_left_only_falls() -> None:
    """Seconds left fall, and are what a wait may take."""
    deadline = Deadline(10)
    first = deadline.need_s("waiting")
    assert 0 < deadline.need_s("waiting") <= first <= 10


@pytest.mark.parametrize("within_s", [0.0, -1.0])
def test_none_left_is_a_timeout_that_says_while_what(within_s: float) -> None:
    """It is caught wherever a socket's own timeout is."""
    with pytest.raises(TimeoutError) as caught:
        Deadline(within_s).need_s("sending")
    assert isinstance(caught.value, OutOfTime)
    assert caught.value.doing == "sending"


def test_a_part_ends_earlier_and_never_later() -> None:
    """A share of the time that is left; a share of all of it is the deadline itself."""
    deadline = Deadline(10)
    assert deadline.part(0.5).left_s() <= 5
    assert deadline.part(1.0) is deadline
