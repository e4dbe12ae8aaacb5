"""Build hook: compiles the catalog into the wheel; one with a field that is not classified is not built."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CatalogBuild(BuildHookInterface[Any]):
    """Checks and compiles the catalog in the source tree before anything is packed.

    The wheel holds the compiled form in place of the files it was made from, so that the two cannot differ.
    """

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Stop the build with the faults' names when the catalog has any."""
        self._run([], "The catalog is not complete, so nothing is built.")
        if self.target_name == "wheel":
            self._made = tempfile.TemporaryDirectory(prefix="catalog-")
            self._run(["--compile", self._made.name], "The catalog cannot be compiled, so nothing is built.")
            for file in sorted(Path(self._made.name).iterdir()):
                build_data["force_include"][str(file)] = f"agent/catalog/compiled/{file.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Take the folder away again."""
        if self.target_name == "wheel":
            self._made.cleanup()

    def _run(self, arguments: list[str], words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "agent.catalog", *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{words}\n{done.stderr}")
