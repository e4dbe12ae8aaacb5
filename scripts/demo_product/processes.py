"""Starts helper processes of the demo and ends exactly those, by their ids, whatever happens."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO


class Failed(Exception):
    """A step of the demo did not happen: what, and the last words of who should have done it."""


class Process:
    """A child whose standard output is read line by line; standard error goes to a file."""

    def __init__(self, name: str, command: Sequence[str | Path], folder: Path, *, echo: bool = False) -> None:
        self.name = name
        self.errors = folder / f"{name}.err"
        self._lines: queue.Queue[str] = queue.Queue()
        self._echo = echo
        with self.errors.open("wb") as errors:
            # A session of its own: Ctrl-C reaches us alone, and we end the children in their order.
            self.child = subprocess.Popen(
                [*command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                cwd=Path(__file__).parents[2], start_new_session=True,
            )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(self.child.stdout,), daemon=True)
        self._reader.start()

    def _read(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self._lines.put(line.rstrip("\n"))
                if self._echo:
                    sys.stdout.write(f"    {self.name}: {line}")
                    sys.stdout.flush()

    def wait_for_line(self, start: str, seconds: float) -> str:
        """The first line that begins with `start`; Failed when the process ends or is silent for too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                line = self._lines.get(timeout=0.2)
                if line.startswith(start):
                    return line
            if self.child.poll() is not None and self._lines.empty():
                raise Failed(f"{self.name} ended with {self.child.returncode}: {self.last_words()}")
        raise Failed(f"{self.name} did not say {start} within {seconds:.0f} s: {self.last_words()}")

    def last_words(self) -> str:
        """The end of standard error."""
        return self.errors.read_text(encoding="utf-8", errors="replace")[-800:].strip()

    def stop(self, seconds: float = 15) -> int:
        """SIGTERM, then wait; SIGKILL only for one that does not listen. Returns the exit code."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        if self.child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.child.stdin.close()
        self._reader.join(5)  # a grandchild may still hold the other end of the pipe: not for ever
        return int(self.child.returncode)


class Children:
    """All processes of one demo; leaving the block ends them, last started first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Process] = []

    def start(self, name: str, command: Sequence[str | Path], *, echo: bool = False) -> Process:
        """Start one more child."""
        process = Process(name, command, self._folder, echo=echo)
        self._running.append(process)
        return process

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._running:
            self._running.pop().stop()
