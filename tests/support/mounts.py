"""Small file systems of a test's own: full, without inodes, or read-only. Needs root; elsewhere the test is skipped."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """A tmpfs with these mount options at `folder`, unmounted on leaving."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    folder.mkdir(mode=0o700, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"mode=0700,{options}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode != 0:
        if os.environ.get("CI"):
            pytest.fail(f"mount failed: {done.stderr!r}")
        pytest.skip(f"mounting is not allowed here: {done.stderr!r}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def remount_read_only(folder: Path) -> None:
    """Make the file system at `folder` read-only."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
