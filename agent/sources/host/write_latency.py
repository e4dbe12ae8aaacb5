"""How long a small file takes to be on disk: the figure the products themselves judge their homes by.

It writes, which nothing else here does: only into folders of the agent's own, the state folder (local disk) and
`<shared home>/portfolio-agent` (shared home), never into one of the product's. `[host] write_latency` switches it off.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import statistics
from pathlib import Path

from agent.system.clock import monotonic_s

CONTENT = b"portfolio-agent write latency\n"  # 30 bytes, as the products write
TIMES = 5


def write_latency_ms(folder: Path) -> float:
    """The median of five: create, write 30 bytes, sync, close. Raises OSError; leaves nothing behind."""
    path = folder / f".write-latency-{_machine()}"
    with contextlib.suppress(FileNotFoundError):
        path.unlink()  # left by an agent that was killed
    taken_s = []
    for _ in range(TIMES):
        began = monotonic_s()
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, CONTENT)
            os.fsync(handle)
        finally:
            os.close(handle)
            ended = monotonic_s()
            path.unlink()
        taken_s.append(ended - began)
    return 1000 * statistics.median(taken_s)


def _machine() -> str:
    """Tells the nodes of a cluster apart in a folder they share, without a name of theirs."""
    try:
        identity = Path("/etc/machine-id").read_bytes()
    except OSError:
        identity = b""
    return hashlib.blake2b(identity, digest_size=4).hexdigest()
