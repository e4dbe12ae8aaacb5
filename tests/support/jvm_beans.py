"""A real JVM with MBeans of a test (Jira's of tests/sources/data/JiraBeans.java) and an open JMX port on 127.0.0.1."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.java_classes import classes_of
from tests.support.servers import require

SOURCE = Path(__file__).parents[1] / "sources" / "data" / "JiraBeans.java"
# A JVM that lives for seconds: no second compiler, one thread that collects.
LIGHT = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx64m")


@dataclass(frozen=True)
class Jvm:
    """A running JVM: where JMX answers, and its process."""

    port: int
    process: subprocess.Popen[str]


@contextmanager
def running_jvm(source: Path = SOURCE, *arguments: str, options: Sequence[str] = ()) -> Iterator[Jvm]:
    """Start the JVM on the class of a source file and wait until its beans are there; `options` are the JVM's own."""
    java = require("java")
    classes = classes_of([source])
    port = free_port()
    prefix = "-Dcom.sun.management.jmxremote"
    process = subprocess.Popen(
        [
            str(java),
            f"{prefix}.port={port}",
            f"{prefix}.rmi.port={port}",
            f"{prefix}.host=127.0.0.1",
            f"{prefix}.authenticate=false",
            f"{prefix}.ssl=false",
            "-Djava.rmi.server.hostname=127.0.0.1",
            *LIGHT,
            *options,
            "-cp",
            str(classes),
            source.stem,
            *arguments,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            pytest.fail("the JVM did not start")
        yield Jvm(port, process)
    finally:
        process.kill()
        process.communicate()


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def jvm() -> Iterator[Jvm]:
    """One JVM for the whole session; do not stop it."""
    with running_jvm() as running:
        yield running
