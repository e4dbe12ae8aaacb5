"""A mount whose server never answers, as a dead NFS server: each access blocks in the kernel until it is taken away."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.servers import missing, require_root

MNT_DETACH = 2


@contextmanager
def hung_mount(folder: Path) -> Iterator[Path]:
    """Mount FUSE without a server on `folder`; on leaving, blocked calls fail and it is unmounted."""
    require_root()
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        server = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        missing(f"/dev/fuse cannot be opened ({error.strerror}): modprobe fuse")
    options = f"fd={server},rootmode=40755,user_id=0,group_id=0".encode()
    if libc.mount(b"hung", os.fsencode(folder), b"fuse", 0, options) != 0:
        reason = os.strerror(ctypes.get_errno())
        os.close(server)
        missing(f"a FUSE file system cannot be mounted here ({reason})")
    try:
        yield folder
    finally:
        os.close(server)  # the kernel aborts the connection: blocked calls return with an error
        libc.umount2(os.fsencode(folder), MNT_DETACH)
