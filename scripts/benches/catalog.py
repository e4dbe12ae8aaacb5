"""What a start spends on its catalog: CPU to load each product's, in a checkout and from a wheel, beside parsing it.

Each figure is the median of fresh processes, by the CPU clock of the process, imports of `agent.catalog` not counted.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from agent.catalog import products
from agent.catalog.compile import compile_all
from scripts.benches._measure import Figure, show

ROOT = Path(__file__).parents[2]
RUNS = 15
LOAD = (
    "import sys, time, agent.catalog\nbefore = time.process_time()\n"
    "agent.catalog.load_catalog(sys.argv[1])\nprint(time.process_time() - before)"
)
PARSE = (
    "import sys, time\nfrom agent.catalog.parse import parse_catalog\nbefore = time.process_time()\n"
    "parse_catalog(sys.argv[1])\nprint(time.process_time() - before)"
)


def median_ms(program: str, product: str, folder: Path, runs: int = RUNS) -> float:
    """Milliseconds that the program measures of itself in `folder`, after one run that warms the caches."""
    command = [sys.executable, "-c", program, product]
    spent = [
        float(subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout)
        for _ in range(runs + 1)
    ]
    return statistics.median(spent[1:]) * 1000


def wheel_like(folder: Path) -> Path:
    """A folder as an installation leaves it: the package without the catalog's sources, with the compiled forms."""
    sources = shutil.ignore_patterns("*.toml", "*.sql", "*.json", "__pycache__")
    shutil.copytree(ROOT / "agent", folder / "agent", ignore=sources)
    for product in ("common", *products()):
        shutil.rmtree(folder / "agent" / "catalog" / product)
    compile_all(folder / "agent" / "catalog" / "compiled")
    return folder


def run(as_json: bool) -> int:
    """Measure, print, and say by the exit code whether every target was reached."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="portfolio-agent-bench-") as temporary:
        installed = wheel_like(Path(temporary))
        for product in products():
            figures.append(Figure(f"{product}, checkout", median_ms(LOAD, product, ROOT), "ms CPU", at_most=10))
            figures.append(Figure("  wheel", median_ms(LOAD, product, installed), "ms CPU", at_most=10))
            figures.append(Figure("  its sources, parsed", median_ms(PARSE, product, ROOT, 2), "ms CPU"))
    return show("catalog", figures, as_json=as_json, about=f"fresh processes, median of {RUNS}")
