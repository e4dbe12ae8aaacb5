"""File access that cannot block for ever: a shared home on a hung NFS server stops the one call, not the agent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agent.errors import KeyUnreadable

DEADLINE_S = 10.0

T = TypeVar("T")


def within_deadline(work: Callable[[], T], path: Path, deadline_s: float = DEADLINE_S) -> T:
    """What `work` returns or raises; KeyUnreadable `shared-home-hangs` when it has not ended after `deadline_s`.

    The helper thread is a daemon: the kernel may hold it in the system call until the server answers.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # carried to the caller's thread and raised there
            errors.append(error)

    # Never joined without a limit and never counted on: while the server is away the kernel does not even let it be
    # killed.
    thread = threading.Thread(target=run, name="shared-home", daemon=True)
    thread.start()
    thread.join(deadline_s)
    if thread.is_alive():
        raise KeyUnreadable(
            f"{path} does not answer.",
            why=f"Reading it took more than {deadline_s:g} s; the file system behind it hangs (NFS server away?).",
            do=f"See whether this returns: stat {path}; then mend the mount. Sampling goes on meanwhile.",
            code="shared-home-hangs",
        )
    if errors:
        raise errors[0]
    return results[0]
