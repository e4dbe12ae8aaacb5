"""A moment by which everything must be done: name look-up, connecting, handshake, sending and reading together.

Every wait takes what is left of it, so that a server that sends a byte now and then cannot hold the caller.
"""

from __future__ import annotations

from agent.system.clock import monotonic_s


class OutOfTime(TimeoutError):
    """A deadline passed while `doing`."""

    def __init__(self, doing: str) -> None:
        super().__init__(f"no time left while {doing}")
        self.doing = doing


class Deadline:
    """A moment of the monotonic clock."""

    __slots__ = ("_at", "within_s")

    def __init__(self, within_s: float) -> None:
        self.within_s = within_s
        self._at = monotonic_s() + within_s

    def left_s(self) -> float:
        """Return the seconds left, possibly negative."""
        return self._at - monotonic_s()

    def part(self, share: float) -> Deadline:
        """Return an earlier deadline that leaves only a share of the time."""
        return self if share >= 1 else Deadline(self.left_s() * share)

    def need_s(self, doing: str) -> float:
        """Return the seconds left. Raises OutOfTime, a TimeoutError like the sockets' own, when there are none."""
        left = self.left_s()
        if left <= 0:
            raise OutOfTime(doing)
        return left
