"""A lasting fault is told at first, then once an hour with its count, then once when it heals."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from agent.log import log

REMINDER_S = 3600.0


@dataclass(slots=True)
class _Lasting:
    cause: str
    since_s: float
    logged_s: float
    count: int = 1


class FaultLog:
    """Turns a stream of "it failed / it works" into few lines. Times are monotonic seconds."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._lasting: dict[str, _Lasting] = {}

    def failed(self, subject: str, cause: str, now_s: float, *, why: str, do: str) -> None:
        """`subject` fails with `cause`; a new cause is told at once, the same one at most hourly."""
        lasting = self._lasting.get(subject)
        if lasting is None or lasting.cause != cause:
            self._lasting[subject] = _Lasting(cause, now_s, now_s)
            log(self._logger, logging.WARNING, f"{subject}.failed", reason=cause, why=why, do=do)
            return
        lasting.count += 1
        if now_s - lasting.logged_s >= REMINDER_S:
            lasting.logged_s = now_s
            log(
                self._logger,
                logging.WARNING,
                f"{subject}.still_failing",
                reason=cause,
                times=lasting.count,
                for_s=round(now_s - lasting.since_s),
                why=why,
                do=do,
            )

    def works(self, subject: str, now_s: float) -> None:
        """`subject` works; told only if it failed before."""
        lasting = self._lasting.pop(subject, None)
        if lasting is not None:
            log(
                self._logger,
                logging.INFO,
                f"{subject}.healed",
                reason=lasting.cause,
                times=lasting.count,
                for_s=round(now_s - lasting.since_s),
            )
