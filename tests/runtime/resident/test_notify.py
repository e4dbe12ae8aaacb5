"""systemd's notification protocol against a real datagram socket."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.runtime.resident.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A bound datagram socket and the NOTIFY_SOCKET text that leads to it."""
    name = f"portfolio-agent-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.settimeout(5)
        if request.param == "path":
            bound.bind(str(tmp_path / "notify"))
            yield bound, str(tmp_path / "notify")
        else:
            bound.bind("\0" + name)
            yield bound, "@" + name


def received(manager: socket.socket) -> list[str]:
    """The lines of the next datagram."""
    return manager.recv(4096).decode().split("\n")


def test_each_call_is_one_datagram(manager: tuple[socket.socket, str]) -> None:
    """READY, WATCHDOG, STATUS and STOPPING arrive as systemd spells them, on a path and on an abstract socket."""
    bound, address = manager
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})
    notifier.ready()
    assert received(bound) == ["READY=1"]
    notifier.alive()
    assert received(bound) == ["WATCHDOG=1"]
    notifier.status("412 samples")
    assert received(bound) == ["STATUS=412 samples"]
    notifier.stopping()
    assert received(bound) == ["STOPPING=1", "STATUS=stopping"]


def test_a_status_cannot_smuggle_an_assignment(manager: tuple[socket.socket, str]) -> None:
    """A line feed or an escape in a status text is replaced: it never becomes a second assignment."""
    bound, address = manager
    Notifier(address).status("a\nREADY=1\x1b[31m" + "x" * 400)
    lines = received(bound)
    assert len(lines) == 1
    assert lines[0].startswith("STATUS=a?READY=1?[31m")
    assert len(lines[0]) <= len("STATUS=") + 200


def test_without_systemd_all_calls_are_silent() -> None:
    """Without NOTIFY_SOCKET, or with one of a kind we cannot reach, nothing happens and nothing is watched."""
    watched = {"WATCHDOG_USEC": "1000000"}
    for environment in ({}, watched, {"NOTIFY_SOCKET": "vsock:2:1234", **watched}):
        notifier = Notifier.from_environment(environment)
        notifier.ready()
        notifier.alive()
        assert notifier.feed_every_s is None


def test_a_manager_that_is_gone_does_not_stop_us(tmp_path: Path) -> None:
    """A socket that nobody serves any more is no reason to fail."""
    Notifier(str(tmp_path / "nobody")).ready()


def test_a_manager_that_does_not_read_does_not_hang_us(tmp_path: Path) -> None:
    """When the socket's buffer is full the call returns at once instead of waiting for the reader."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        notifier = Notifier(str(tmp_path / "notify"))
        for _ in range(1000):
            notifier.alive()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"WATCHDOG_USEC": "180000000"}, 90.0),
        ({"WATCHDOG_USEC": "180000000", "WATCHDOG_PID": "77"}, 90.0),
        ({"WATCHDOG_USEC": "180000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_feeding_interval(variables: dict[str, str], expected: float | None) -> None:
    """Half the watchdog's time, and only when that is a positive number and meant for this very process."""
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": "/run/x", **variables}, pid=77)
    assert notifier.feed_every_s == expected


def test_another_process_reads_it_from_its_environment(manager: tuple[socket.socket, str]) -> None:
    """A started process finds socket and watchdog in its own environment, as under systemd."""
    bound, address = manager
    code = (
        "from agent.runtime.resident.notify import Notifier as N\n"
        "n = N.from_environment(); n.status(str(n.feed_every_s))"
    )
    environment = {**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2500000"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=30)
    assert received(bound) == ["STATUS=1.25"]
