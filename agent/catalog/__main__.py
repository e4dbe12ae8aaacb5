"""`python -m agent.catalog` checks every catalog; the wheel build runs it and fails with it.

`python -m agent.catalog --document` prints the page of everything that is collected instead.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agent.catalog.check import check_all
from agent.catalog.document import render_document


def main() -> int:
    """0 when every field of every product is classified, 1 with each fault named otherwise."""
    if sys.argv[1:] == ["--document"]:
        print(render_document(), end="")
        return 0
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    counts, faults = check_all(root)
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print(f"catalog: {len(faults)} fault(s). A field that is not classified must not be built.", file=sys.stderr)
        return 1
    for product, count in counts.items():
        print(f"catalog: {product}: {count} metrics, every field classified")
    return 0


if __name__ == "__main__":
    sys.exit(main())
