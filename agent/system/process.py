"""Ties a child's life to its parent's, by the kernel, so that no kill leaves a child behind."""

from __future__ import annotations

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1  # prctl(2)
PR_SET_DUMPABLE = 4


def die_with_parent(parent: int) -> None:
    """Get SIGTERM when process `parent` ends, however it ends; now, if it is gone already.

    Call it after a change of the account: that makes the kernel forget the wish.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    # Asked after the wish, not before: the parent may have ended in between, and then no signal ever comes.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def refuse_dumps() -> None:
    """No core file and no debugger of the same user: this process is about to hold a key."""
    # Then memory and environment of this process belong to root, also inside the unit's sandbox (measured). To wipe the
    # key instead does not work in Python: three copies of it were still in a dump after its bytes had been overwritten.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
