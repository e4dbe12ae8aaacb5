"""Build hook: a wheel with a field that is not classified is not built."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CatalogCheck(BuildHookInterface[Any]):
    """Runs `python -m agent.catalog` in the source tree before anything is packed."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Stop the build with the faults' names when the catalog has any."""
        check = subprocess.run(
            [sys.executable, "-m", "agent.catalog"], cwd=self.root, capture_output=True, text=True, check=False
        )
        if check.returncode != 0:
            raise RuntimeError(f"The catalog is not complete, so nothing is built.\n{check.stderr}")
