"""Ties a child's life to its parent's, by the kernel, so that no kill leaves a child behind."""

from __future__ import annotations

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1  # prctl(2)
PR_SET_DUMPABLE = 4


def die_with_parent() -> None:
    """Get SIGTERM when the parent ends, however it ends; end now if it is gone already."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def refuse_dumps() -> None:
    """No core file and no debugger of the same user: this process is about to hold a key."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
