"""Whether a daemon runs, told by the lock it holds on the state folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from agent.store.database import LOCK_NAME


def lock_is_held(folder: Path) -> bool:
    """Whether a daemon holds the lock; asked without taking it from one that starts just now for long."""
    try:
        handle = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(handle)
