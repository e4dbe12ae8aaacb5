"""Asking many things of one session: what is under way at a time, and who pays for what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.jmx import calls
from agent.jmx.calls import CallBytes, Method
from agent.jmx.errors import ConnectionLost, JmxError, PeerAborted, ProtocolError, RemoteFailure
from agent.jmx.jrmp import MAX_UNANSWERED
from agent.jmx.sampler import MAX_LOSSES, Outcome, Request, ask_all
from agent.net.deadline import Deadline

REMOTE = "java.rmi.RemoteException"
GONE = RemoteFailure("java.rmi.NoSuchObjectException", "", ("java.rmi.NoSuchObjectException", REMOTE))
REFUSED = RemoteFailure("java.rmi.ServerException", "", ("java.rmi.ServerException", REMOTE))
FAILED = RemoteFailure("javax.management.InstanceNotFoundException", "", ("java.lang.Exception",))


class Wire:
    """Stands for session, channel and templates at once: answers calls in order, or raises what it is told to."""

    def __init__(self, troubles: dict[int, list[JmxError]] | None = None) -> None:
        self.object_id = bytes(22)
        self.troubles = troubles or {}
        self.under_way: list[int] = []
        self.most = 0
        self.sockets = 0
        self.logins = 1
        self.open = False

    def ensure(self, _deadline: Deadline) -> Wire:
        if not self.open:
            self.sockets += 1
            self.under_way.clear()
        self.open = True
        return self

    def drop(self) -> None:
        self.open = False

    def lose_object(self) -> None:
        self.drop()
        self.logins += 1
        self.object_id = bytes([self.logins]) * 22

    def touch(self) -> None:
        assert self.open

    def send_calls(self, made: list[CallBytes]) -> None:
        for call in made:
            assert call[7:29] == self.object_id
            self.under_way.append(len(call))
        self.most = max(self.most, sum(self.under_way))

    def answers(self, number: int) -> Wire:
        return _Templates(self, number)  # type: ignore[return-value]  # a stand-in for a TemplateSet


class _Templates:
    def __init__(self, wire: Wire, number: int) -> None:
        self._wire, self._number = wire, number

    def receive(self, wire: Wire, _method: Method) -> Outcome:
        troubles: Iterator[JmxError] | list[JmxError] = self._wire.troubles.get(self._number, [])
        if troubles:
            trouble = self._wire.troubles[self._number].pop(0)
            if isinstance(trouble, RemoteFailure):
                wire.under_way.pop(0)
                return trouble
            raise trouble
        wire.under_way.pop(0)
        return self._number


def run(wire: Wire, count: int = 6, size: int = 100) -> list[Outcome]:
    outcomes: list[Outcome] = []

    def accept(index: int, outcome: Outcome) -> None:
        assert index == len(outcomes)
        outcomes.append(outcome)

    requests = [
        Request(Method.GET_MBEAN_INFO, calls.bean_arguments(f"d:n={number:0{size}}"), wire.answers(number))  # type: ignore[arg-type]
        for number in range(count)
    ]
    ask_all(wire, requests, accept, Deadline(5))  # type: ignore[arg-type]  # a stand-in for a Session
    return outcomes


def test_the_bytes_under_way_are_bounded() -> None:
    """Both sides' buffers hold what is unanswered, so that nobody blocks in a write while the other writes too."""
    wire = Wire()
    assert run(wire, 500, 300) == list(range(500))
    assert MAX_UNANSWERED / 2 < wire.most <= MAX_UNANSWERED


def test_a_call_larger_than_the_bound_goes_alone() -> None:
    """A long list of attributes is sent when nothing else is under way."""
    wire = Wire()
    assert run(wire, 3, 30_000) == [0, 1, 2]
    assert wire.most < 31_000


def test_a_value_that_breaks_the_stream_costs_itself_and_a_socket() -> None:
    """The requests behind it are asked again on a new socket, without a new login."""
    broken = PeerAborted("x")
    wire = Wire({2: [broken]})
    assert run(wire) == [0, 1, broken, 3, 4, 5]
    assert (wire.sockets, wire.logins) == (2, 1)


def test_an_answered_failure_costs_itself_only() -> None:
    """An exception outside java.rmi comes in order, the socket stays."""
    wire = Wire({2: [FAILED]})
    assert run(wire) == [0, 1, FAILED, 3, 4, 5]
    assert wire.sockets == 1


def test_a_refusal_of_the_rmi_runtime_costs_the_socket() -> None:
    """ServerException may come before the arguments were read: nothing behind it can be trusted."""
    wire = Wire({2: [REFUSED]})
    assert run(wire) == [0, 1, REFUSED, 3, 4, 5]
    assert (wire.sockets, wire.logins) == (2, 1)


def test_a_lost_object_is_made_anew_and_the_request_repeated() -> None:
    """The bytes of every further call carry the new object."""
    wire = Wire({2: [GONE]})
    assert run(wire) == [0, 1, 2, 3, 4, 5]
    assert wire.logins == 2


def test_a_lost_socket_repeats_the_request_once() -> None:
    """One that loses the socket twice is at fault itself, and is skipped."""
    lost = ConnectionLost("x")
    assert run(Wire({2: [lost]})) == [0, 1, 2, 3, 4, 5]
    assert run(Wire({2: [lost, lost]})) == [0, 1, lost, 3, 4, 5]


@pytest.mark.parametrize("trouble", [GONE, ConnectionLost("x"), ProtocolError("x")])
def test_troubles_without_end_are_given_up(trouble: JmxError) -> None:
    """Neither logins nor sockets are made without end in one sample."""
    wire = Wire({number: [trouble] * 9 for number in range(6)})
    with pytest.raises(JmxError):
        run(wire)
    assert wire.sockets <= MAX_LOSSES + 1


def test_a_timeout_drops_the_socket() -> None:
    """Answers still under way would be taken for those of the next sample."""
    wire = Wire({2: [JmxError("timeout", "x")]})
    with pytest.raises(JmxError):
        run(wire)
    assert not wire.open
