"""How long something took, without the time the machine was busy with others.

A limit that the code keeps is proved by an upper bound on time, and on a loaded machine a thread that may run waits for
a core. Linux tells how long each thread waited so; what is left is the code's own. For what happens inside this
process only: nobody tells how long another process waited for a core.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

TASKS = Path("/proc/self/task")


class Stopwatch:
    """Seconds since it was made, waiting for a core taken off."""

    def __init__(self) -> None:
        self._waited, self._began = _waited_s(), time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Up to now; no less than 0."""
        took_s = time.monotonic() - self._began
        # A thread that began meanwhile counts with all it waited. Two that wait at the same time are both counted, so
        # this errs to the short side: it can miss a small excess and never tells of one that was not there.
        waited_s = sum(waited - self._waited.get(task, 0.0) for task, waited in _waited_s().items())
        return max(took_s - waited_s, 0.0)


def _waited_s() -> dict[str, float]:
    """How long each thread of this process waited for a core; {} where the kernel does not tell."""
    found = {}
    for task in TASKS.glob("*/schedstat"):
        with suppress(OSError):  # it has ended meanwhile
            found[task.parent.name] = int(task.read_text().split()[1]) / 1e9
    return found
