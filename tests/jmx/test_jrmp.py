"""One channel: handshake, deadlines over everything, and a code for each way to fail."""

from __future__ import annotations

import socket
import sys
import threading
import time

import pytest

from agent.jmx.calls import REGISTRY_ID, Method, call, string
from agent.jmx.errors import ConnectionLost, JmxError, ProtocolError
from agent.jmx.jrmp import Channel, connect, windows
from agent.jmx.model import TlsOptions
from agent.net.deadline import Deadline
from tests.jmx.conftest import free_port
from tests.jmx.double import Double, hang

LOOKUP = call(REGISTRY_ID, Method.LOOKUP, string("jmxrmi"))


def open_channel(port: int, within_s: float = 5.0, *, secure: bool = False) -> Channel:
    return connect("127.0.0.1", port, "registry", TlsOptions(), secure=secure, deadline=Deadline(within_s))


def code_of(port: int, *, secure: bool = False, within_s: float = 5.0) -> str:
    with pytest.raises(JmxError) as caught:
        open_channel(port, within_s, secure=secure)
    assert caught.value.do
    return caught.value.code


def test_handshake_and_a_call(double: Double) -> None:
    """The handshake is exchanged as in the captures; a call is answered in order."""
    channel = open_channel(double.port)
    assert channel.ask(LOOKUP, Method.LOOKUP).value is not None
    channel.close()
    assert double.other[0] == bytes.fromhex("4a524d4900024b")
    assert channel.inbox == b""


def test_a_port_where_nothing_listens_is_refused() -> None:
    """J12: refused has its own code."""
    assert code_of(free_port()) == "refused"


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-x\r\n", b"\x4f", b"\x4e\xff\xff"])
def test_another_server_is_a_wrong_port(double: Double, greeting: bytes) -> None:
    """J12: what does not speak JRMP is told as a wrong port, not as a Java exception."""
    double.greeting = greeting
    assert code_of(double.port) == "wrong-port"


def test_a_server_that_closes_at_once_is_a_wrong_port(double: Double) -> None:
    """J12: end of stream in the handshake."""
    double.greeting = None
    assert code_of(double.port) == "wrong-port"


def test_a_tls_alert_means_that_the_registry_wants_tls(double: Double) -> None:
    """J12: registry TLS missing; the first byte of the answer is 15, an alert."""
    double.greeting = b"\x15\x03\x03\x00\x02\x02\x50"
    assert code_of(double.port) == "registry-tls-missing"


def test_a_plain_registry_means_that_tls_is_not_wanted(double: Double) -> None:
    """J12: registry TLS not wanted; the server ends the stream during our handshake."""
    double.greeting = None
    assert code_of(double.port, secure=True) == "registry-tls-unwanted"


def test_an_unknown_host_has_its_own_code() -> None:
    """J12: name resolution is a stage of its own."""
    with pytest.raises(JmxError) as caught:
        connect("no-such-host.invalid", 1, "registry", TlsOptions(), secure=False, deadline=Deadline(20))
    assert caught.value.code == "unknown-host"


@pytest.mark.parametrize("secure", [False, True])
def test_a_server_that_accepts_and_never_answers_costs_the_deadline(secure: bool) -> None:
    """J5: at the handshake, with and without TLS; nothing waits longer than the total."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        begin = time.monotonic()
        assert code_of(listener.getsockname()[1], secure=secure, within_s=0.3) == "timeout"
        assert time.monotonic() - begin < 1.5


def test_a_byte_now_and_then_does_not_hold_the_caller(double: Double) -> None:
    """J5: the deadline is a total, not a timeout per read (section 10, rule 8)."""
    channel = open_channel(double.port)
    double.byte_by_byte_s = 0.02
    channel.deadline = Deadline(0.4)
    begin = time.monotonic()
    with pytest.raises(JmxError) as caught:
        channel.ask(LOOKUP, Method.LOOKUP)
    channel.close()
    assert caught.value.code == "timeout"
    assert time.monotonic() - begin < 1.5


def test_a_call_without_an_answer_costs_the_deadline(double: Double) -> None:
    """J5: the same in mid-session."""
    double.answers[Method.LOOKUP] = hang
    channel = open_channel(double.port, 0.3)
    with pytest.raises(JmxError) as caught:
        channel.ask(LOOKUP, Method.LOOKUP)
    channel.close()
    assert caught.value.code == "timeout"


def test_a_server_that_closes_in_mid_session_is_connection_lost(double: Double) -> None:
    """The socket is gone, and that is told apart from bytes that make no sense."""
    double.answers[Method.LOOKUP] = None
    channel = open_channel(double.port)
    with pytest.raises(ConnectionLost):
        channel.ask(LOOKUP, Method.LOOKUP)
    channel.close()
    with pytest.raises(ConnectionLost):
        channel.ask(LOOKUP, Method.LOOKUP)


def test_a_channel_sends_checked_calls_only(double: Double) -> None:
    """The allow-list holds at the socket: plain bytes are refused, also of a call that would be allowed."""
    channel = open_channel(double.port)
    with pytest.raises(ProtocolError):
        channel.send_calls((bytes(LOOKUP),))  # type: ignore[arg-type]  # what the check is for
    channel.close()
    assert double.calls == []


def test_windows_bound_the_bytes_under_way() -> None:
    """Groups stay within the limit, keep the order, and a call larger than the limit goes alone."""
    large = call(REGISTRY_ID, Method.LOOKUP, string("x" * 500))
    groups = list(windows([LOOKUP, LOOKUP, large, LOOKUP], limit=120))
    assert [len(group) for group in groups] == [2, 1, 1]
    assert [made for group in groups for made in group] == [LOOKUP, LOOKUP, large, LOOKUP]


def test_failed_connects_leave_nothing_behind(double: Double) -> None:
    """J1: descriptors and threads are as before after many failed connects, plain and in the handshake."""
    from pathlib import Path

    if not sys.platform.startswith("linux"):
        pytest.skip("counts descriptors in /proc")
    port = free_port()
    double.greeting = b"HTTP"
    code_of(double.port)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(200):
        code_of(port)
    for _ in range(20):
        code_of(double.port)
    assert threading.active_count() < 50
    left = [len(list(Path("/proc/self/fd").iterdir())) for _ in range(1)]
    assert left[0] <= before + 1  # the double may be closing its side of the last one
