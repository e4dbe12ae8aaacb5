"""The reference receiver as a process of its own, and a client for it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.delivery.http import CloudConnection, open_client
from agent.settings import CloudSettings, Secret

KEY = Secret("synthetic-key-0123456789abcdef")
ROOT = Path(__file__).parents[2]


class Receiver:
    """A running receiver; `folder` is what it remembers, across `kill` and `start`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "keys.txt").write_text(KEY.reveal() + "\n")

    @property
    def settings(self) -> CloudSettings:
        """[cloud] for this receiver."""
        return CloudSettings(endpoint=f"https://localhost:{self.port}", ca_file=self.folder / "ca.pem")

    def start(self, *options: str) -> None:
        """Start it, on the same port as before if it ran already."""
        command = [sys.executable, "-m", "scripts.receiver", "--folder", str(self.folder), "--port", str(self.port)]
        self.process = subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("READY "), line
        self.port = int(line.split("port=")[1].split()[0])

    def kill(self) -> None:
        """End it without a word, as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None

    def control(self, **orders: object) -> None:
        """Misbehave like this from the next request on; nothing: behave."""
        beside = self.folder / "control.partial"
        beside.write_text(json.dumps(orders))
        beside.replace(self.folder / "control.json")

    def log(self) -> list[dict[str, Any]]:
        """What it answered, in order."""
        path = self.folder / "log.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def body(self, batch_id: str) -> bytes:
        """The stored body of one batch."""
        return (self.folder / "batches" / f"{batch_id}.json.gz").read_bytes()

    def stored(self) -> set[str]:
        """Ids of all stored batches."""
        return {path.name.removesuffix(".json.gz") for path in (self.folder / "batches").glob("[!.]*.json.gz")}

    def client(self, request_s: float = 20.0) -> CloudConnection:
        """A client for it."""
        return open_client(self.settings, request_s=request_s)


@contextmanager
def receiver(folder: Path, *options: str) -> Iterator[Receiver]:
    """A receiver that ends with the block."""
    running = Receiver(folder)
    running.start(*options)
    try:
        yield running
    finally:
        if running.process is not None:
            running.kill()


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    """Wait for something another process does; fails when it does not come in time."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.01)
