"""Opens a file that must be a plain one, without waiting on a pipe or following a link it should not."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO


class NotRegular(OSError):
    """A folder, pipe, socket or device where a file was expected."""


def open_regular(path: Path, *, follow: bool) -> BinaryIO:
    """`path` opened for reading; raises NotRegular, or the OSError of the system (ELOOP for a link not followed)."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotRegular(0, "It is not a regular file.")
    return os.fdopen(handle, "rb")
