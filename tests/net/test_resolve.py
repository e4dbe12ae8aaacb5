"""Names become addresses within the deadline, whatever the name server does."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from agent.net.deadline import Deadline
from agent.net.error import Fault, NetError
from agent.net.resolve import addresses_of
from tests.support.servers import require, require_root

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6), ("192.0.2.7", socket.AF_INET)]
)
def test_addresses_are_not_asked_for(host: str, family: socket.AddressFamily) -> None:
    """An address is itself, even when no time is left to ask for it."""
    assert addresses_of(host, 7, Deadline(0.0)) == [(family, (host, 7))]


def test_names_of_this_machine() -> None:
    """A name gives each of its addresses once, with the port."""
    found = addresses_of("localhost", 7, Deadline(20))
    assert found
    assert len(found) == len(set(found))
    assert {address[1] for _, address in found} == {7}


@pytest.mark.fault(70)
@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..invalid", "x" * 64])
def test_unknown_names(host: str) -> None:
    """Unknown or malformed: one fault, in the resolver's own word."""
    with pytest.raises(NetError) as caught:
        addresses_of(host, 7, Deadline(20))
    assert caught.value.fault is Fault.NAME
    assert caught.value.why


# A name server that takes questions and never answers, in a network of its own.
SILENT = """
    import socket, subprocess, sys, threading, time
    subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
    subprocess.run(["mount", "--bind", sys.argv[2], "/etc/nsswitch.conf"], check=True)
    import fcntl, struct
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: lo up
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    from agent.net.deadline import Deadline
    from agent.net.error import NetError
    from agent.net.http import HttpClient
    for stopped in (False, True):
        client = HttpClient("http://cloud.example.com")
        began = time.monotonic()
        if stopped:
            threading.Timer(0.3, client.abort).start()
        try:
            client.request("GET", "/", Deadline(8.0 if stopped else 1.0))
        except NetError as error:
            late = isinstance(error.cause, TimeoutError)
            print(error.fault, late, round(time.monotonic() - began), error.why, sep="|")
"""


@pytest.mark.fault(70)
def test_silent_name_server_costs_the_deadline_and_hears_a_stop(tmp_path: Path) -> None:
    """The deadline includes the look-up, and a stop does not wait for it; the resolver itself cannot be ended."""
    require_root()
    unshare = require("unshare")
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:1\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: dns\n")
    inside = [str(unshare), "--net", "--mount", sys.executable, "-c", textwrap.dedent(SILENT)]
    done = subprocess.run(
        [*inside, str(tmp_path / "resolv.conf"), str(tmp_path / "nsswitch.conf")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    late, stopped = done.stdout.splitlines()
    assert late.startswith("name|True|1|")
    assert "the name server does not answer in time" in late
    assert stopped.startswith(("aborted|False|0|", "aborted|False|1|"))
