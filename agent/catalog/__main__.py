"""`python -m agent.catalog` checks every catalog; the wheel build runs it and fails with it.

`--compile` compiles what changed, for this checkout; `--compile FOLDER` compiles all into a folder, for a wheel.
`--document` prints the page of everything that is collected.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agent.catalog.check import check_all
from agent.catalog.compiled import load_catalog, products
from agent.errors import AgentError


def main() -> int:
    """0 when every field of every product is classified, 1 with each fault named otherwise."""
    try:
        match sys.argv[1:]:
            case ["--document"]:
                from agent.catalog.document import render_document

                print(render_document(), end="")
            case ["--compile", *folder]:
                _compile(folder)
            case arguments:
                return _check(Path(arguments[0]) if arguments else None)
    except AgentError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _check(root: Path | None) -> int:
    counts, faults = check_all(root)
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print(f"catalog: {len(faults)} fault(s). A field that is not classified must not be built.", file=sys.stderr)
        return 1
    for product, count in counts.items():
        print(f"catalog: {product}: {count} metrics, every field classified")
    return 0


def _compile(folder: list[str]) -> None:
    if folder:
        from agent.catalog.compile import compile_all

        compile_all(Path(folder[0]))
    else:
        for product in products():
            load_catalog(product)  # compiles what is not there or stale


if __name__ == "__main__":
    sys.exit(main())
