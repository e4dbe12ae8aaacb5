"""A JVM to read (data/Fixture.java), and a server in Python for what a JVM cannot be made to do."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.jmx.model import Target, TransportName
from tests.jmx.double import Double
from tests.support.java_classes import classes_of
from tests.support.jmx_fixtures import clock, java, jvm_of, plain_jvm, transport
from tests.support.jvm_beans import jvm
from tests.support.servers import require

__all__ = ["clock", "java", "jvm", "jvm_of", "plain_jvm", "transport"]  # fixtures of tests.support

SOURCE = Path(__file__).parent / "data" / "Fixture.java"
AGENT = "-Dcom.sun.management.jmxremote"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Jvm:
    """One fixture process; `stop` and `start` again keep the port, as a restarted product does."""

    def __init__(self, classes: Path, *flags: str, timers: int = 40, others: int = 0) -> None:
        self.port = free_port()
        self._command = [
            "java",
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.rmi.server.hostname=127.0.0.1",
            f"{AGENT}.port={self.port}",
            f"{AGENT}.rmi.port={self.port}",
            *(flags or (f"{AGENT}.authenticate=false", f"{AGENT}.ssl=false")),
            "-cp",
            str(classes),
            "Fixture",
            str(timers),
            str(others),
        ]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("ready")

    def command(self, line: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def stop(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def target(self, **changes: object) -> Target:
        return Target("127.0.0.1", self.port, TransportName.RMI, **changes)  # type: ignore[arg-type]  # fields of Target


@pytest.fixture(scope="session")
def fixture_classes() -> Path:
    require("java")
    return classes_of([SOURCE])


@pytest.fixture
def start_jvm(fixture_classes: Path) -> Iterator[Callable[..., Jvm]]:
    started: list[Jvm] = []

    def start(*flags: str, timers: int = 3, others: int = 0) -> Jvm:
        started.append(Jvm(fixture_classes, *flags, timers=timers, others=others))
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.fixture(scope="session")
def fixture_jvm(fixture_classes: Path) -> Iterator[Jvm]:
    process = Jvm(fixture_classes)
    yield process
    process.stop()


@pytest.fixture
def double() -> Iterator[Double]:
    server = Double()
    yield server
    server.stop()
