"""Compiled Java sources of the tests: once for each content, kept for the next session."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.once import cache_folder, key_of, made_once
from tests.support.servers import require


def classes_of(sources: Sequence[Path], class_path: Sequence[Path] = ()) -> Path:
    """The folder with the classes of these sources, compiled against `class_path`."""
    compiler = require("javac").resolve()
    # Another JDK in the same place has another time.
    key = key_of(sources, str(compiler), str(compiler.stat().st_mtime_ns), *map(str, class_path))

    def compile_into(folder: Path) -> None:
        options = ["-cp", ":".join(map(str, class_path))] if class_path else []
        command = [str(compiler), *options, "-d", str(folder), *map(str, sources)]
        subprocess.run(command, check=True, timeout=300, capture_output=True)

    return made_once(cache_folder() / "portfolio-agent-test-classes" / key, compile_into)
