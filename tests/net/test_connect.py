"""TCP to the first address that answers, each given its share of the time."""

from __future__ import annotations

import socket

import pytest

from agent.net.connect import open_tcp
from agent.net.deadline import Deadline
from agent.net.error import Fault, NetError
from tests.net.conftest import Scripted


def test_connected_and_nothing_sent(server: Scripted) -> None:
    """The socket is connected and has no delay of its own; whoever asked is told of it before."""
    held: list[socket.socket] = []
    with open_tcp("localhost", server.port, Deadline(5), holding=held.append) as connection:
        assert connection in held
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert server.heard == []


def test_refused() -> None:
    """Nothing listens: the kernel's word is kept as the cause."""
    with pytest.raises(NetError) as caught:
        open_tcp("127.0.0.1", 1, Deadline(5))
    assert caught.value.fault is Fault.REFUSED
    assert isinstance(caught.value.cause, ConnectionRefusedError)


def test_a_full_backlog_is_no_answer() -> None:
    """A port whose packets are dropped is unreachable once the time is over, with a timeout as the cause."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(address)
            with pytest.raises(NetError) as caught:
                open_tcp("127.0.0.1", address[1], Deadline(0.5))
        finally:
            for one in waiting:
                one.close()
    assert caught.value.fault is Fault.UNREACHABLE
    assert isinstance(caught.value.cause, TimeoutError)


def test_no_time_left_connects_nowhere(server: Scripted) -> None:
    """A deadline that is over is said before a packet leaves."""
    with pytest.raises(NetError) as caught:
        open_tcp("127.0.0.1", server.port, Deadline(0.0))
    assert caught.value.fault is Fault.TIMEOUT
    assert server.connections == 0


def test_a_stop_connects_nowhere(server: Scripted) -> None:
    """Whoever was told to stop does not look a name up."""
    with pytest.raises(NetError) as caught:
        open_tcp("localhost", server.port, Deadline(5), stopped=lambda: True)
    assert caught.value.fault is Fault.ABORTED
