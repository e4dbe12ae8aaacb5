"""Keeps hourly runs and bundles by hand apart: one at a time on one state folder.

A lock of the kernel on a file: it ends with the process, however that ends, and no pid can be somebody else's.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import AlreadyRunning
from agent.store.database import check_folder, explain
from agent.system.clock import monotonic_s

RUN_LOCK = "hourly.lock"
LOCK_TRY_S = 0.1


@contextmanager
def run_lock(folder: Path, wait_s: float = 0.0) -> Iterator[None]:
    """One hourly run or bundle at a time on one state folder; waits up to `wait_s` for it. Raises AlreadyRunning."""
    check_folder(folder, create=True)
    try:
        handle = os.open(folder / RUN_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise explain(error, folder) from error
    ends_s = monotonic_s() + wait_s
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if monotonic_s() < ends_s:
                    threading.Event().wait(LOCK_TRY_S)
                    continue
                raise AlreadyRunning(
                    "Another delivery run is at work.",
                    why="The daemon runs one each hour, and after an outage it may take some minutes.",
                    do="Wait for it; see: portfolio-agent status",
                ) from None
        yield
    finally:
        os.close(handle)
