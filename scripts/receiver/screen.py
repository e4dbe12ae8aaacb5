"""What arrived, for a person to read."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any


def paragraph(kind: str, document: dict[str, Any], size: int, *, new: bool) -> str:
    """A short text about one stored body: who, when, under which consent, how much, and its first entry in full."""
    if kind != "batches":
        return f"received {kind[:-1]} {document.get('assessmentId')}: {size:,} bytes"
    window, consent = document.get("window", {}), document.get("consent", {})
    entries = document.get("entries", [])
    types = Counter(str(entry.get("type")) for entry in entries)
    counts = ", ".join(f"{count} {name}" for name, count in sorted(types.items())) or "no entries"
    again = "" if new else " (again, the same bytes)"
    lines = [
        f"received batch {document.get('batchId')}{again}: {size:,} bytes, consent {consent.get('level')}",
        f"  window {window.get('start')} to {window.get('end')}, revision {window.get('revision')}; {counts}",
    ]
    if entries:
        lines.append(f"  first entry: {json.dumps(entries[0])}")
    return "\n".join(_printable(line) for line in lines)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
