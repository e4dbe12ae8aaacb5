"""Keeps each query within its share of time: one that costs much is asked rarely, and says so.

Pure: the caller passes monotonic seconds. Learnt costs live as long as the daemon.
"""

from __future__ import annotations

from dataclasses import dataclass

SHARE = 0.01  # of the time since its last run a query may cost; a database must not suffer from being watched
ABSENT_AGAIN_S = 3600.0  # a table that is missing costs the database an error line in its log each time one asks


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a query: when it began, what it took, and the reason when its table was missing or forbidden."""

    began_s: float
    took_s: float
    absent: str = ""


class CostGovernor:
    """Decides which query is due, from what its last run cost."""

    def __init__(self, share: float = SHARE, absent_again_s: float = ABSENT_AGAIN_S) -> None:
        self._share = share
        self._absent_again_s = absent_again_s
        self._runs: dict[str, Run] = {}

    def wait_s(self, query: str, now_s: float) -> float:
        """Seconds until `query` is due; 0 when it is due or never ran."""
        last = self._runs.get(query)
        if last is None:
            return 0.0
        rest_s = self._absent_again_s if last.absent else last.took_s / self._share
        return max(0.0, last.began_s + rest_s - now_s)

    def note(self, query: str, began_s: float, took_s: float, absent: str = "") -> None:
        """Learn from one run."""
        self._runs[query] = Run(began_s, took_s, absent)

    def last(self, query: str) -> Run | None:
        """The last run of `query`, None before the first."""
        return self._runs.get(query)
