"""Folders of a test that another account must be able to enter."""

from __future__ import annotations

import tempfile
from pathlib import Path


def open_to_all(folder: Path) -> None:
    """Let every account enter `folder`: it and its parents below the system's temporary folder become 0755."""
    top = Path(tempfile.gettempdir())
    for place in (folder, *folder.parents):
        if place == top or top not in place.parents:
            return
        place.chmod(0o755)
