"""One client for every server: whole answers within one deadline, and each way to fail as a fault of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable

import pytest

from agent.net.conversation import MOST_HEAD_BYTES
from agent.net.deadline import Deadline
from agent.net.error import Fault, NetError, Step
from agent.net.http import HttpClient
from agent.net.options import HttpLimits, OptionNames
from tests.net.conftest import Scripted

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CANARY = "canary-0123456789"


def ask(server: Scripted, *, within_s: float = 5.0, limits: HttpLimits = HttpLimits()) -> tuple[int, bytes]:
    with HttpClient(server.url, limits=limits) as client:
        answer = client.request("GET", "/", Deadline(within_s))
        return answer.status, answer.body


def problem_of(server: Scripted, *, within_s: float = 5.0, limits: HttpLimits = HttpLimits()) -> NetError:
    with pytest.raises(NetError) as caught:
        ask(server, within_s=within_s, limits=limits)
    assert caught.value.why
    assert caught.value.do
    # what a library raised may hold the request, and that may hold a key
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    return caught.value


@pytest.mark.parametrize(
    "pieces",
    [
        (OK,),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", OK),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n", b"1\r\n}\r\n0\r\n\r\n"),
        (b"HTTP/1.0 200 OK\r\n\r\n{", b"}"),
        tuple(bytes([octet]) for octet in OK),
    ],
)
def test_whole_answers_in_every_form(pieces: Iterable[bytes], server: Scripted) -> None:
    """By length, in chunks, to the end of the stream, byte by byte, after interim answers: the same answer."""
    server.says(*pieces)
    assert ask(server) == (200, b"{}")


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"", Fault.LOST),
        (b"HTTP/1.1 200", Fault.LOST),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", Fault.LOST),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{", Fault.LOST),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Fault.NOT_HTTP),
        (b"\x15\x03\x03\x00\x02\x02\x50", Fault.NOT_HTTP),
        (b"<html>", Fault.NOT_HTTP),
        (b"HTTP/2 200\r\n\r\n", Fault.NOT_HTTP),
        (b"HTTP/1.1 two hundred\r\n\r\n", Fault.NOT_HTTP),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Fault.NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", Fault.NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Fault.NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * (MOST_HEAD_BYTES + 65536) + b"\r\n\r\n", Fault.NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\n" + b"A: x\r\n" * 30_000 + b"\r\n", Fault.NOT_HTTP),
    ],
)
def test_what_is_no_answer(answer: bytes, fault: Fault, server: Scripted) -> None:
    """Cut off is told apart from another protocol; a head without end is not kept."""
    server.says(answer)
    problem = problem_of(server)
    assert problem.fault is fault
    assert problem.sent


@pytest.mark.parametrize("first", [b"220 mail.example.com ESMTP\r\n", b"\x15", b"<"])
def test_another_protocol_is_told_at_its_first_byte(first: bytes, server: Scripted) -> None:
    """A server that greets and then waits for us is named at once, not when the deadline is over."""
    server.says(first, keep=True)
    began = time.monotonic()
    assert problem_of(server, within_s=20).fault is Fault.NOT_HTTP
    assert time.monotonic() - began < 10


@pytest.mark.fault(80)
@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b""])
def test_slow_bytes_end_with_the_deadline(start: bytes, server: Scripted) -> None:
    """Slow headers, a slow body or silence cost the deadline and no more; the message says within what time."""
    stop = threading.Event()

    def dribble(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(start)
        while not stop.wait(0.05):
            if start:
                connection.sendall(b"x")

    server.handle = dribble
    began = time.monotonic()
    try:
        problem = problem_of(server, within_s=0.7)
    finally:
        stop.set()
    assert (problem.fault, problem.step) == (Fault.TIMEOUT, Step.ANSWER)
    assert "within 1 s (no complete answer in time)" in problem.why
    assert time.monotonic() - began < 3


def test_a_deadline_may_cover_several_requests(server: Scripted) -> None:
    """A deadline that is over before a request begins costs nothing more, and nothing is sent."""
    server.says(OK, keep=True)
    with HttpClient(server.url) as client:
        deadline = Deadline(0.2)
        client.request("GET", "/", deadline)
        threading.Event().wait(0.3)
        with pytest.raises(NetError) as caught:
            client.request("GET", "/", deadline)
    assert caught.value.fault is Fault.TIMEOUT
    assert len(server.heard) == 1


def test_answer_larger_than_the_caller_takes(server: Scripted) -> None:
    """It is dropped while it arrives, by length or in chunks; exactly the limit is taken."""
    server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + b"x" * 10)
    assert ask(server, limits=HttpLimits(10)) == (200, b"x" * 10)
    assert problem_of(server, limits=HttpLimits(9)).fault is Fault.TOO_LARGE


def test_a_body_that_is_not_wanted_is_not_waited_for(server: Scripted) -> None:
    """Where a caller reads bodies of 200 only, an error page that never ends costs nothing."""
    server.says(b"HTTP/1.1 500 Oops\r\nRetry-After: 7\r\nContent-Length: 99999\r\n\r\n<html>", keep=True)
    with HttpClient(server.url, limits=HttpLimits(10, frozenset({200}))) as client:
        answer = client.request("GET", "/", Deadline(5))
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (500, b"", "7")


def test_one_connection_serves_many_requests(server: Scripted) -> None:
    """It is kept between requests, and made anew when the other end said or did otherwise."""
    server.says(OK, keep=True)
    with HttpClient(server.url) as client:
        for _ in range(3):
            client.request("GET", "/", Deadline(5))
        assert server.connections == 1
        server.says(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
    with HttpClient(server.url) as client:
        for _ in range(3):
            client.request("GET", "/", Deadline(5))
    assert server.connections == 4


def test_a_connection_that_was_closed_meanwhile_is_not_used(server: Scripted) -> None:
    """A server that closes an idle connection without a word costs no request."""
    closed = threading.Event()

    def once(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(OK)
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    server.handle = once
    with HttpClient(server.url) as client:
        for _ in range(5):
            closed.clear()
            assert client.request("GET", "/", Deadline(5)).status == 200
            assert closed.wait(5)
    assert server.connections == 5


def test_early_refusal_is_heard(server: Scripted) -> None:
    """A server that refuses before it has read the body (413) and closes has answered."""

    def refuse(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    server.handle = refuse
    with HttpClient(server.url) as client:
        assert client.request("PUT", "/", Deadline(20), body=b"x" * 3_000_000).status == 413


def test_what_is_sent(server: Scripted) -> None:
    """The request line and headers as asked, one length, no compression wanted, nothing of the library's own."""

    def whole(connection: socket.socket) -> None:
        request = b""
        while not request.endswith(b"body"):
            request += connection.recv(65536)
        server.heard.append(request)
        connection.sendall(OK)

    server.handle = whole
    with HttpClient(f"{server.url}/", headers={"User-Agent": "test"}) as client:
        client.request("PUT", "/a b/ä?x=%20", Deadline(5), headers={"X-One": "1"}, body=b"body")
    assert server.heard == [
        b"PUT /a%20b/%C3%A4?x=%20 HTTP/1.1\r\n"
        + f"Host: 127.0.0.1:{server.port}\r\n".encode()
        + b"Accept: */*\r\nUser-Agent: test\r\nX-One: 1\r\n"
        + b"Accept-Encoding: identity\r\nContent-Length: 4\r\n\r\nbody"
    ]


@pytest.mark.parametrize("value", [f"{CANARY}\r\nX: y", f"{CANARY}\n", f"{CANARY}ä", f"\x00{CANARY}"])
def test_header_that_cannot_be_sent_is_not_repeated(value: str, server: Scripted) -> None:
    """No header is split or smuggled in, and the error does not hold what a header held."""
    server.says(OK)
    with HttpClient(server.url) as client, pytest.raises(ValueError, match="header") as caught:
        client.request("GET", "/", Deadline(5), headers={"Authorization": value})
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert all(CANARY.encode() not in heard for heard in server.heard)


def test_cookies_and_redirects_are_only_headers(server: Scripted) -> None:
    """Nothing a server said is followed or told back to it; a repeated header is joined."""
    server.says(
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
        b"Content-Length: 0\r\n\r\n",
        keep=True,
    )
    with HttpClient(server.url) as client:
        for _ in range(2):
            answer = client.request("GET", "/", Deadline(5))
    assert (answer.status, answer.headers["set-cookie"]) == (302, "a=1, b=2")
    assert all(b"ookie" not in request for request in server.heard)


def test_refused_and_nothing_sent() -> None:
    """Nothing listens: said with the option's own name, and that no byte left."""
    with (
        HttpClient("http://127.0.0.1:1", names=OptionNames(address="the.address")) as client,
        pytest.raises(NetError) as caught,
    ):
        client.request("GET", "/", Deadline(5))
    assert (caught.value.fault, caught.value.sent) == (Fault.REFUSED, False)
    assert "the.address" in caught.value.do


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 64 + ".invalid", "a..invalid"])
def test_names_that_are_none(host: str) -> None:
    """An unknown or malformed name is an unknown name, never a stray exception."""
    with HttpClient(f"http://{host}") as client, pytest.raises(NetError) as caught:
        client.request("GET", "/", Deadline(20))
    assert (caught.value.fault, caught.value.sent) == (Fault.NAME, False)
    assert host in caught.value.why


def test_abort_ends_what_is_in_flight_and_all_later(server: Scripted) -> None:
    """Another thread's word ends the wait at once, long before the deadline; nothing is sent afterwards."""
    arrived = threading.Event()

    def hang(connection: socket.socket) -> None:
        connection.recv(65536)
        arrived.set()
        connection.recv(65536)

    server.handle = hang
    client = HttpClient(server.url)

    def stop() -> None:
        assert arrived.wait(10)
        client.abort()

    helper = threading.Thread(target=stop)
    helper.start()
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(NetError) as caught:
            client.request("GET", "/", Deadline(60))
        assert caught.value.fault is Fault.ABORTED
    helper.join()
    client.close()
    assert time.monotonic() - began < 15
    assert server.connections == 1
