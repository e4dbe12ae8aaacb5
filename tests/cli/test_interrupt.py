"""Ctrl-C ends every command with at most one line and 130, whatever it waits for; nothing half done is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.model import ConsentLevel
from tests.support.cloud import KEY, ROOT
from tests.support.site import Agent, link_as, make_site


@pytest.fixture
def silent() -> Iterator[tuple[int, threading.Event]]:
    """A server that takes connections and never says a word; the event tells of the first one."""
    listener = socket.create_server(("127.0.0.1", 0))
    reached = threading.Event()
    kept: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                kept.append(listener.accept()[0])
            except OSError:
                return
            reached.set()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1], reached
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)
    for one in kept:
        one.close()


def interrupted(
    agent: Agent, reached: threading.Event, *arguments: str, number: int = signal.SIGINT
) -> tuple[int, str, str]:
    """The command in a process of its own, ended by a signal once it waits for the silent server."""
    command = [sys.executable, "-m", "agent.cli", *arguments, "--config", str(agent.config)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(KEY.reveal() + "\n")
    process.stdin.close()
    process.stdin = None
    assert reached.wait(30)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.fixture
def agent(tmp_path: Path, silent: tuple[int, threading.Event]) -> Agent:
    """Linked, with an hour that waits for a cloud that says nothing."""
    port, _ = silent
    text = f'endpoint = "https://127.0.0.1:{port}"'
    site = make_site(tmp_path, cloud=text)
    link_as(site, ConsentLevel.BASIC)
    site.tick(at=datetime.now(UTC) - timedelta(hours=2))
    site.tick()
    site.json("deliver", "--no-push")
    return site


@pytest.mark.parametrize(
    "arguments",
    [("deliver",), ("deliver", "--json"), ("unlink", "--yes"), ("link", "--consent", "basic", "--yes"), ("doctor",)],
    ids=" ".join,
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
def test_one_line_at_most(
    agent: Agent, silent: tuple[int, threading.Event], arguments: tuple[str, ...], number: signal.Signals
) -> None:
    """While the cloud is silent: ended at once, no stack, and what waited waits."""
    code, out, err = interrupted(agent, silent[1], *arguments, number=number)
    assert "Traceback" not in out + err
    told = [line for line in err.splitlines() if "nterrupted" in line]
    assert len(told) <= 1
    if arguments[0] == "deliver":  # it ends its run in order and says what waits
        assert code == 3
    else:
        assert code in ((130,) if number == signal.SIGINT else (-signal.SIGTERM, 143))
    assert agent.json("status", code=3 if arguments[0] == "deliver" else 1)["waiting"]["batches"] == 1


def test_while_it_is_still_starting(agent: Agent) -> None:
    """Ctrl-C before the first line of the command: nothing is said at all."""
    program = (
        "import os, signal, sys, importlib.abc\n"
        "class Finder(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'typer':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "import runpy; sys.argv = ['portfolio-agent', 'status']; runpy.run_module('agent.cli', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
    assert os.path.exists(agent.config)
