"""When a login may be tried again: failed attempts lock accounts, so a refused one is remembered across restarts.

In:   what became of each attempt, and a stamp that changes with the file of the login.
Out:  `check` raises the last failure again while it is too early. The file holds the time and the stamp, no secret;
      when it cannot be written, this process remembers by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.errors import ConfigError, SourceError
from agent.settings.credentials import credential_file
from agent.sources.apps.upm import REFUSED, Refused
from agent.system.atomic import write_whole
from agent.system.clock import monotonic_s, utc_now
from agent.system.files import open_regular

FIRST_WAIT_S = 300.0
# Products lock an account, or ask it for a CAPTCHA, after a few failed logins in a row.
LONGEST_WAIT_S = 3600.0
SIZE_LIMIT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Held:
    """A failure and until when, on the monotonic clock, it stands."""

    error: SourceError
    until_s: float
    stamp: str


class LoginBackoff:
    """What one place of a login has been through."""

    def __init__(
        self,
        file: Path,
        stamp: Callable[[], str],
        *,
        clock: Callable[[], float] = monotonic_s,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._file = file
        self._stamp = stamp
        self._clock = clock
        self._now = now
        self._wait_s = 0.0
        self._held: Held | None = None

    def check(self) -> None:
        """Raise the last failure again, same reason, while it is too early for another attempt."""
        held = self._held or self._remembered()
        # A password file that was changed is a reason to try at once.
        if held is None or (held.error.reason in REFUSED and held.stamp != self._stamp()):
            return
        left_s = held.until_s - self._clock()
        if left_s > 0:
            last = held.error
            why = f"{last.why} Next attempt in {left_s / 60:.0f} min.".strip()
            raise SourceError(last.reason, last.what, why=why, do=last.do)

    def failed(self, error: SourceError) -> None:
        """Wait before the next attempt: an hour after a refused login, else longer each time."""
        asked_s = error.wait_s if isinstance(error, Refused) else 0.0
        if error.reason in REFUSED:
            self._wait_s = LONGEST_WAIT_S
        else:
            self._wait_s = min(max(2 * self._wait_s, FIRST_WAIT_S, asked_s), LONGEST_WAIT_S)
        # without traceback and cause, which would hold the frames of the attempt
        plain = SourceError(error.reason, error.what, why=error.why, do=error.do)
        self._held = Held(plain, self._clock() + self._wait_s, self._stamp())
        if error.reason in REFUSED:
            self._remember(self._held)

    def succeeded(self) -> None:
        """Begin anew."""
        self._wait_s, self._held = 0.0, None
        with suppress(OSError):
            self._file.unlink()

    def _remember(self, held: Held) -> None:
        document = {
            "refusedAt": self._now().timestamp(),
            "stamp": held.stamp,
            "reason": held.error.reason,
            "what": held.error.what,
            "why": held.error.why,
            "do": held.error.do,
        }
        with suppress(OSError):
            write_whole(self._file, json.dumps(document).encode())

    def _remembered(self) -> Held | None:
        """What another process was refused; nothing when the file is not there or cannot be understood."""
        try:
            with open_regular(self._file, follow=False) as stream:
                document = json.loads(stream.read(SIZE_LIMIT_BYTES))
            gone_s = self._now().timestamp() - float(document["refusedAt"])
            texts = {key: str(document[key]) for key in ("reason", "what", "why", "do", "stamp")}
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        if texts["reason"] not in REFUSED:
            return None
        error = SourceError(texts["reason"], texts["what"], why=texts["why"], do=texts["do"])
        # a clock that was set back must not hold longer than the hour
        left_s = LONGEST_WAIT_S - max(gone_s, 0.0)
        return Held(error, self._clock() + left_s, texts["stamp"])


def stamp_of(file: Path | None, credential: str | None) -> str:
    """What changes when the file of a login does; "" when it is not there."""
    try:
        place = file if file is not None else credential_file(credential or "")
        facts = place.stat()
    except (OSError, ConfigError):
        return ""
    return f"{facts.st_mtime_ns} {facts.st_ino} {facts.st_size}"
