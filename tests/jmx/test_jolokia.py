"""The Jolokia transport against Jolokia's own code in a JVM, and against servers that are none."""

from __future__ import annotations

import json
import math
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agent.jmx import BeanQuery, JmxError, Target, TlsOptions, TransportName
from agent.jmx.jolokia import BULK, JolokiaTransport
from agent.jmx.jolokia_values import parse_answer
from tests.support.jmx_fixtures import Clock
from tests.support.jolokia import JolokiaFixture, missing_for_jolokia
from tests.support.jvm import PASSWORD, authority, free_port, make_authority
from tests.support.needs import require_packages
from tests.support.stopwatch import Stopwatch

PATIENT_S = 20.0
WIDE = BeanQuery("fixture:type=Wide", ("A01",))
TIMERS = BeanQuery("com.atlassian.jira:type=metrics,category00=fixture,*", ("Count", "Mean"))
MALFORMED = BeanQuery("do\nmain:type=Odd", ("A",))  # well formed to us, refused by Java
Start = Callable[..., JolokiaFixture]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """JVMs of this module, one per kind."""
    require_packages(missing_for_jolokia())
    with ExitStack() as stack:
        running: dict[str, JolokiaFixture] = {}

        def get(**kind: bool) -> JolokiaFixture:
            name = repr(sorted(kind.items()))
            if name not in running:
                running[name] = stack.enter_context(JolokiaFixture(**kind))
            return running[name]

        yield get


def code_of(target: Target, *queries: BeanQuery, deadline_s: float = PATIENT_S) -> str:
    with pytest.raises(JmxError) as caught:
        JolokiaTransport(target, queries or (WIDE,)).sample(deadline_s)
    assert caught.value.what
    assert PASSWORD not in repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value.code


@pytest.mark.parametrize(
    "kind", [{"login": True}, {"secure": True}, {"login": True, "secure": True, "client_auth": True}]
)
def test_modes(start: Start, kind: dict[str, bool]) -> None:
    """Basic auth, TLS with the target's own CA, and a client certificate, each alone and together."""
    assert JolokiaTransport(start(**kind).jolokia_target, [WIDE]).sample(PATIENT_S).beans == {WIDE.name: {"A01": 1}}


def test_login_wrong_or_missing(start: Start) -> None:
    """A wrong password and no password have codes of their own; neither leaves in an exception."""
    target = start(login=True).jolokia_target
    assert code_of(replace(target, password=lambda: PASSWORD + "x")) == "login-refused"
    assert code_of(replace(target, user=None, password=None)) == "login-required"


def test_refused_login_is_not_tried_at_once_again(start: Start, clock: Clock) -> None:
    """Servers lock accounts: the next attempt waits, with the same code."""
    asked: list[int] = []

    def password() -> str:
        asked.append(1)
        return "wrong"

    transport = JolokiaTransport(replace(start(login=True).jolokia_target, password=password), [WIDE], clock=clock)
    for _ in range(3):
        with pytest.raises(JmxError):
            transport.sample(PATIENT_S)
    assert len(asked) == 1


def test_other_authority_is_not_trusted(start: Start, tmp_path: Any) -> None:
    """J22: trust is the target's own; another CA, and the system's, do not do."""
    target = start(secure=True).jolokia_target
    other = make_authority(tmp_path / "other")
    assert code_of(replace(target, tls=TlsOptions(ca_file=other.ca_file))) == "tls-failed"
    assert code_of(replace(target, tls=TlsOptions())) == "tls-failed"


def test_tls_on_one_side_only(start: Start) -> None:
    """https to a plain agent, and http to a TLS agent, are told apart from a firewall or a wrong password."""
    plain, secure = start().jolokia_target, start(secure=True).jolokia_target
    https = replace(plain, url=str(plain.url).replace("http:", "https:"))
    with pytest.raises(JmxError, match="TLS handshake") as caught:
        JolokiaTransport(https, [WIDE]).sample(2.0)
    assert "http://" in caught.value.do
    assert code_of(replace(secure, url=str(secure.url).replace("https:", "http:"))) in ("wrong-port", "connection-lost")


def test_client_certificate_missing(start: Start) -> None:
    """An agent that wants a certificate: the way out is named (the JDK's server ends the stream without a word)."""
    target = start(login=True, secure=True, client_auth=True).jolokia_target
    bare = replace(target, tls=TlsOptions(ca_file=authority().ca_file))
    with pytest.raises(JmxError) as caught:
        JolokiaTransport(bare, [WIDE]).sample(PATIENT_S)
    assert caught.value.code in ("client-certificate-required", "connection-lost", "tls-failed")
    assert "certificate_file" in caught.value.do


def test_wrong_path(start: Start) -> None:
    """Another path of the same server is no Jolokia."""
    target = start().jolokia_target
    assert code_of(replace(target, url=str(target.url).replace("/jolokia", "/other"))) == "wrong-port"


@pytest.mark.parametrize("url", [None, "", "ftp://h/j", "http://u:p@h/j", "http:///j"])
def test_url_that_cannot_be_used(url: str | None) -> None:
    """An address that is missing, of another scheme, or with a login in it, is refused when the transport is opened."""
    with pytest.raises(JmxError) as caught:
        JolokiaTransport(Target("h", 1, TransportName.JOLOKIA, url=url), [WIDE])
    assert caught.value.code == "transport-unusable"


def test_one_malformed_name_costs_itself_alone(start: Start) -> None:
    """J15: Jolokia refuses the whole bulk for it; halved until it is alone, the rest arrives in the same sample."""
    queries = [MALFORMED, WIDE, TIMERS, *(BeanQuery(f"none:type=N{number}", ("A",)) for number in range(40))]
    sample = JolokiaTransport(start().jolokia_target, queries).sample(PATIENT_S)
    assert sample.beans[WIDE.name] == {"A01": 1}
    assert len(sample.beans) == 11
    (failed,) = [item for item in sample.failures if item.bean == MALFORMED.name]
    assert failed.reason == "protocol-error"


# a server in Python, for what Jolokia itself does not do

Respond = Callable[[list[dict[str, Any]]], Any]


class Server:
    """Answers each POST with what `respond` makes of it: JSON, or (status, headers, bytes)."""

    def __init__(self, respond: Respond) -> None:
        self.posts: list[list[dict[str, Any]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.posts.append(body)
                found = respond(body)
                status, headers, content = found if isinstance(found, tuple) else (200, {}, json.dumps(found).encode())
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(content)
                except OSError:
                    return

            def log_message(self, *_: Any) -> None:
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.target = Target("h", 0, TransportName.JOLOKIA, url=f"http://127.0.0.1:{self._http.server_port}/jolokia")

    def stop(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@contextmanager
def serving(respond: Respond) -> Iterator[Server]:
    server = Server(respond)
    try:
        yield server
    finally:
        server.stop()


def good(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As Jolokia with every bean that is asked for, all attributes long and 7."""
    answers = {
        "search": lambda item: [item["mbean"]],
        "list": lambda item: {"attr": {"A01": {"type": "long"}, "StartTime": {"type": "long"}}},
        "read": lambda item: dict.fromkeys(item["attribute"], 7),
    }
    return [{"status": 200, "value": answers[item["type"]](item)} for item in requests]


def test_only_reading_commands_are_sent() -> None:
    """The server sees read, list and search, nothing else, and never a stack trace asked for."""
    with serving(good) as server:
        transport = JolokiaTransport(server.target, [WIDE])
        for _ in range(2):
            assert transport.sample(PATIENT_S).beans == {WIDE.name: {"A01": 7}}
    assert {item["type"] for post in server.posts for item in post} == {"read", "list", "search"}
    assert len(server.posts) == 4  # search, list, and one bulk a sample


def test_names_are_searched_hourly(clock: Clock) -> None:
    """J17: between two plans nothing is listed; after an hour the search comes again."""
    with serving(good) as server:
        transport = JolokiaTransport(server.target, [WIDE], clock=clock)
        for _ in range(31):
            transport.sample(PATIENT_S)
            clock.forward(120)
    kinds = [post[0]["type"] for post in server.posts]
    assert kinds.count("search") == 2
    assert kinds.count("read") == 31


def test_bad_moment_quarantines_nothing(clock: Clock) -> None:
    """A server that refuses every bulk for one sample is read in full at the next: the moment was bad."""
    spell = [False]

    def respond(requests: list[dict[str, Any]]) -> Any:
        return {"status": 500, "error": "out of memory"} if spell[0] else good(requests)

    with serving(respond) as server:
        transport = JolokiaTransport(server.target, [WIDE, BeanQuery("a:b=c", ("A01",))], clock=clock)
        transport.sample(PATIENT_S)
        spell[0] = True
        with pytest.raises(JmxError):
            transport.sample(PATIENT_S)
        spell[0] = False
        clock.forward(120)
        assert len(transport.sample(PATIENT_S).beans) == 2
        assert transport.quarantined == ()


def test_bean_that_breaks_the_bulk_is_left_alone(clock: Clock) -> None:
    """A bean whose read breaks the whole answer is halved out once, then not asked for, and listed, for an hour."""

    def respond(requests: list[dict[str, Any]]) -> Any:
        bad = any(item["type"] == "read" and item["mbean"] == "bad:x=1" for item in requests)
        return (200, {}, b'[{"status": 200, "val') if bad else good(requests)

    queries = [*(BeanQuery(f"many:x={number}", ("A01",)) for number in range(30)), BeanQuery("bad:x=1", ("A01",))]
    with serving(respond) as server:
        transport = JolokiaTransport(server.target, queries, clock=clock)
        assert len(transport.sample(PATIENT_S).beans) == 30
        seen = len(server.posts)
        sample = transport.sample(PATIENT_S)
    assert len(sample.beans) == 30
    assert len(server.posts) == seen + 1
    assert [item.bean for item in transport.quarantined] == ["bad:x=1"]
    assert any(item.bean == "bad:x=1" for item in sample.failures)


def test_server_that_refuses_everything_is_not_asked_without_end() -> None:
    """The halvings of one sample are counted: a server that refuses all 1,000 names costs some hundred questions."""
    queries = [BeanQuery(f"many:x={number}", ("A",)) for number in range(2 * BULK)]
    with serving(lambda _: {"status": 400, "error": "no"}) as server:
        assert code_of(server.target, *queries) == "protocol-error"
        assert len(server.posts) < 400


def test_a_number_that_no_machine_writes_costs_itself() -> None:
    """Python refuses to read 5,000 digits; the answer is read all the same, and that value is beyond all numbers."""
    answer = parse_answer(b'[{"a": ' + b"9" * 5000 + b', "b": -' + b"9" * 5000 + b', "c": 12345678901234567890}]')
    assert answer == [{"a": math.inf, "b": -math.inf, "c": 12345678901234567890}]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "protocol-error"),
        ((500, {}, b"oops"), "remote-failure"),
        ((403, {}, b""), "permission-denied"),
        ((200, {}, b"<html>"), "protocol-error"),
        ((200, {}, b"[" * 100_000), "protocol-error"),
        ((200, {}, b'{"status": 200}'), "protocol-error"),
        ((200, {"Content-Length": "999"}, b"[]"), "connection-lost"),
    ],
)
def test_answers_that_are_none(answer: Any, code: str) -> None:
    """Redirects are not followed; pages, half answers and hostile JSON are named errors, never a stray exception."""
    with serving(lambda _: (answer[0], {**answer[1], "Connection": "close"}, answer[2])) as server:
        assert code_of(server.target, deadline_s=3.0) in (code, "timeout" if code == "connection-lost" else code)
        assert len(server.posts) <= 2


def test_answer_without_end_is_cut() -> None:
    """J3: an answer larger than 16 MiB is refused, and the memory for it is not taken."""
    with serving(lambda _: (200, {}, b" " * (17 * 1024 * 1024))) as server:
        assert code_of(server.target) == "reply-too-large"


def test_denied_everywhere_is_an_error() -> None:
    """J12: a policy that forbids every read is permission-denied, not an empty sample."""
    with serving(lambda requests: [{"status": 403, "error": "no access"} for _ in requests]) as server:
        assert code_of(server.target) == "permission-denied"


def test_read_without_the_right_to_list() -> None:
    """Where `search` and `list` are forbidden, beans and attributes given by name are still read."""

    def respond(requests: list[dict[str, Any]]) -> Any:
        return [
            answer if item["type"] == "read" else {"status": 403, "error": "no"}
            for item, answer in zip(requests, good(requests), strict=True)
        ]

    with serving(respond) as server:
        assert JolokiaTransport(server.target, [WIDE]).sample(PATIENT_S).beans == {WIDE.name: {"A01": 7}}


def test_secrets_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies of the environment are not asked."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    with serving(good) as server:
        assert JolokiaTransport(server.target, [WIDE]).sample(PATIENT_S).beans


@pytest.mark.parametrize("how", ["silent", "slow-head", "slow-body", "silent-tls"])
def test_server_that_never_answers_ends_in_time(how: str) -> None:
    """J5: accepting and keeping silent, or a byte now and then, costs the deadline and no more, with TLS as well."""
    stop = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" if how == "slow-body" else b""
            try:
                connection.sendall(head)
                while not stop.wait(0.1):
                    if how.startswith("slow"):
                        connection.sendall(b"H")
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        scheme = "https" if how == "silent-tls" else "http"
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/jolokia"
        watch = Stopwatch()
        try:
            code = code_of(Target("h", 0, TransportName.JOLOKIA, url=url), deadline_s=1.0)
            assert code in ("timeout", "wrong-port")
            assert watch.elapsed_s < 2.0
        finally:
            stop.set()
            thread.join()


def test_tls_is_checked_with_a_real_stranger() -> None:
    """A TLS server whose certificate nobody vouches for gets not one byte of a question."""
    received = bytearray()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    keys = authority()
    context.load_cert_chain(keys.certificate_file, keys.key_file)

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    received.extend(secure.recv(100))
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/jolokia"
        assert code_of(Target("h", 0, TransportName.JOLOKIA, url=url)) == "tls-failed"
        thread.join()
    assert received == b""
