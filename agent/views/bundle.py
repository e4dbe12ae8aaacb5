"""`bundle`: which file was written and how large it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class BundleView:
    """The file to upload by hand."""

    bundle: Path
    size_bytes: int


def read_bundle(path: Path) -> BundleView:
    """The view of a bundle that was just written."""
    return BundleView(path, path.stat().st_size)


def render_bundle(view: BundleView) -> str:
    """The text of `bundle`."""
    return f"{view.bundle} ({view.size_bytes:,} bytes)"
