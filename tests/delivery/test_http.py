"""The one HTTP module: words for each failure, one header for the key, no environment, proxies on request only."""

from __future__ import annotations

import base64
import gc
import logging
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.delivery.http import open_client
from agent.errors import ConfigError, KeyUnreadable, PushDeferred
from agent.settings import CloudSettings, Secret
from tests.support.cloud import KEY, ROOT, Receiver


@contextmanager
def listener(answer: bytes = b"", *, accept: bool = True) -> Iterator[tuple[int, list[bytes]]]:
    """A plain TCP server on loopback: its port, and what each connection sent first."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    try:
                        heard.append(connection.recv(65536))
                        connection.sendall(answer)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        if accept:
            thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            server.shutdown(socket.SHUT_RDWR)
            server.close()
            if accept:
                thread.join()


@contextmanager
def connect_proxy(*, login: str | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A real CONNECT proxy on loopback: its port, and the head of each CONNECT request."""
    heads: list[bytes] = []
    wanted = None if login is None else b"Basic " + base64.b64encode(login.encode())

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def handle(connection: socket.socket) -> None:
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(4096)
            heads.append(head)
            if wanted is not None and wanted not in head:
                connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            found = re.match(rb"CONNECT (\S+):(\d+) ", head)
            assert found
            with socket.create_connection((found[1].decode(), int(found[2]))) as target:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=pump, args=(target, connection))
                back.start()
                pump(connection, target)
                back.join()

    with socket.create_server(("127.0.0.1", 0)) as server:
        workers: list[threading.Thread] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                workers.append(threading.Thread(target=handle, args=(connection,)))
                workers[-1].start()

        acceptor = threading.Thread(target=serve)
        acceptor.start()
        try:
            yield server.getsockname()[1], heads
        finally:
            server.shutdown(socket.SHUT_RDWR)
            server.close()
            acceptor.join()
            for worker in workers:
                worker.join()


def problem_with(settings: CloudSettings, request_s: float = 5.0) -> PushDeferred:
    with open_client(settings, request_s=request_s) as client, pytest.raises(PushDeferred) as caught:
        client.request("GET", "/v1/link", key=KEY)
    assert not caught.value.sent
    assert caught.value.do
    return caught.value


def test_answer_is_complete_and_plain(cloud: Receiver) -> None:
    """Status, body and lower-case headers come back as they were sent."""
    with cloud.client() as client:
        answer = client.request("GET", "/v1/link", key=KEY)
    assert answer.status == 200
    assert answer.body.startswith(b'{"linkId"')
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.fault(70)
def test_unknown_name(cloud: Receiver) -> None:
    """A name nobody knows: the message names it and how to check the name server."""
    problem = problem_with(CloudSettings(endpoint="https://cloud.invalid", ca_file=cloud.settings.ca_file))
    assert "cloud.invalid cannot be resolved" in problem.why
    assert "getent" in problem.do


@pytest.mark.fault(71)
def test_refused(cloud: Receiver) -> None:
    """Nothing listens: the message says refused."""
    problem = problem_with(CloudSettings(endpoint="https://localhost:1", ca_file=cloud.settings.ca_file))
    assert "connection refused" in problem.why


@pytest.mark.fault(71)
def test_silent_port_costs_the_deadline_only(cloud: Receiver) -> None:
    """A port that accepts and never speaks ends at the total deadline, in the handshake."""
    with listener(accept=False) as (port, _):
        settings = CloudSettings(endpoint=f"https://localhost:{port}", ca_file=cloud.settings.ca_file)
        assert "within 1 s (no TLS handshake in time)" in problem_with(settings, request_s=0.7).why


@pytest.mark.fault(89)
def test_plain_http_on_the_port(cloud: Receiver) -> None:
    """A plain HTTP server gets a ClientHello and nothing else, and is called what it is."""
    with listener(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (port, heard):
        settings = CloudSettings(endpoint=f"https://localhost:{port}", ca_file=cloud.settings.ca_file)
        assert "does not speak TLS" in problem_with(settings).why
    assert all(first.startswith(b"\x16\x03") for first in heard)


def test_handshake_cut_off(cloud: Receiver) -> None:
    """A firewall that closes in the handshake is named as such."""
    with listener() as (port, _):
        settings = CloudSettings(endpoint=f"https://localhost:{port}", ca_file=cloud.settings.ca_file)
        why = problem_with(settings).why
        assert "middle of the TLS handshake" in why or "lost" in why


@pytest.mark.fault(79)
@pytest.mark.parametrize("head", [b"", b"Content-Length: 100\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_end_of_stream_is_not_the_end_of_an_answer(head: bytes, cloud: Receiver) -> None:
    """A connection cut without a TLS goodbye is an error, even where HTTP would take the end of stream as the end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cloud.folder / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            raw, _ = server.accept()
            with context.wrap_socket(raw, server_side=True) as connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + b'{"batchId": "')
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

        thread = threading.Thread(target=serve)
        thread.start()
        settings = CloudSettings(
            endpoint=f"https://localhost:{server.getsockname()[1]}", ca_file=cloud.settings.ca_file
        )
        with open_client(settings, request_s=5) as client, pytest.raises(PushDeferred) as caught:
            client.request("GET", "/v1/link", key=KEY)
        thread.join()
    assert "lost before the answer was complete" in caught.value.why
    assert caught.value.sent


def test_cookies_are_not_told_back(cloud: Receiver) -> None:
    """A cookie a server sets is forgotten: requests carry the key and nothing that could follow an instance."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cloud.folder / "server.pem")
    heads: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            raw, _ = server.accept()
            with context.wrap_socket(raw, server_side=True) as connection:
                for _ in range(2):
                    heads.append(connection.recv(65536))
                    connection.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: seen=1\r\nContent-Length: 2\r\n\r\n{}")

        thread = threading.Thread(target=serve)
        thread.start()
        settings = CloudSettings(
            endpoint=f"https://localhost:{server.getsockname()[1]}", ca_file=cloud.settings.ca_file
        )
        with open_client(settings, request_s=5) as client:
            for _ in range(2):
                assert client.request("GET", "/v1/link", key=KEY).body == b"{}"
        thread.join()
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


@pytest.mark.fault(88)
def test_proxy_gets_no_key(cloud: Receiver, tmp_path: Path) -> None:
    """Through a proxy with login: the request arrives, CONNECT carries the proxy's login and never the key."""
    (tmp_path / "password").write_text("pr0xy-p@ss:word\n")
    with connect_proxy(login="agent:pr0xy-p@ss:word") as (port, heads):
        settings = CloudSettings(
            endpoint=cloud.settings.endpoint,
            ca_file=cloud.settings.ca_file,
            proxy=f"http://agent@localhost:{port}",
            proxy_password_file=tmp_path / "password",
        )
        with open_client(settings) as client:
            assert client.request("GET", "/v1/link", key=KEY).status == 200
    assert len(heads) == 1
    assert b"Bearer" not in heads[0]
    assert KEY.reveal().encode() not in heads[0]


@pytest.mark.fault(88)
def test_proxy_wants_a_login(cloud: Receiver) -> None:
    """407 names the proxy and the two settings that mend it."""
    with connect_proxy(login="agent:secret") as (port, _):
        settings = CloudSettings(
            endpoint=cloud.settings.endpoint, ca_file=cloud.settings.ca_file, proxy=f"http://localhost:{port}"
        )
        problem = problem_with(settings)
    assert "wants a login (407)" in problem.why
    assert "cloud.proxy_password_file" in problem.do


@pytest.mark.fault(88)
def test_dead_proxy_is_named(cloud: Receiver) -> None:
    """When the proxy is down the message names the proxy, not the cloud."""
    settings = CloudSettings(
        endpoint=cloud.settings.endpoint, ca_file=cloud.settings.ca_file, proxy="http://localhost:1"
    )
    assert "the proxy localhost:1" in problem_with(settings).why


def test_environment_is_not_asked(cloud: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No proxy variable and no netrc file changes where a request goes or what it carries (P1)."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://localhost:1")
    (tmp_path / ".netrc").write_text("machine localhost login someone password else\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with cloud.client() as client:
        assert client.request("GET", "/v1/link", key=KEY).status == 200


@pytest.mark.fault(83)
def test_redirect_is_not_followed(cloud: Receiver) -> None:
    """A redirect comes back as an answer; nobody else ever sees the key."""
    cloud.control(mode="redirect")
    with cloud.client() as client:
        assert client.request("GET", "/v1/link", key=KEY).status == 307


def test_key_is_in_no_log(cloud: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """With everything at debug level the libraries log nothing about requests, and nobody logs the key."""
    for name in LIBRARY_LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG), cloud.client() as client:
        client.request("GET", "/v1/link", key=KEY)
        cloud.control(mode="reset_before")
        with pytest.raises(PushDeferred) as caught:
            client.request("PUT", "/v1/batches/1", key=KEY, body=b"x")
    assert KEY.reveal() not in caplog.text
    assert not [entry for entry in caplog.records if entry.name.split(".")[0] in LIBRARY_LOGGERS]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("text", ["line\nbreak-0123456789abcdef", "smörgås-0123456789abcdef", "", "x" * 5000])
def test_key_of_wrong_shape_never_reaches_a_library(text: str, cloud: Receiver) -> None:
    """A key that no header can carry is refused here: a library would put it into its exception."""
    with cloud.client() as client, pytest.raises(KeyUnreadable) as caught:
        client.request("GET", "/v1/link", key=Secret(text))
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint", [None, "", "http://localhost", "https://", "https://user:pw@localhost", "ftp://localhost", "localhost"]
)
def test_endpoint_must_be_https(endpoint: str | None) -> None:
    """Anything but https without a login is refused before a socket is opened."""
    with pytest.raises(ConfigError, match=r"cloud\.endpoint"):
        open_client(CloudSettings(endpoint=endpoint))


@pytest.mark.parametrize("proxy", ["https://proxy.example.com", "socks5://proxy.example.com", "http://u:pw@p.example"])
def test_proxy_password_never_in_its_address(proxy: str) -> None:
    """A proxy address that holds a password, or is no http proxy, is refused without repeating it."""
    with pytest.raises(ConfigError) as caught:
        open_client(CloudSettings(endpoint="https://localhost", proxy=proxy))
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("path", ["v1/link", "//elsewhere.example.com/", "https://elsewhere.example.com/"])
def test_path_stays_on_the_origin(path: str, cloud: Receiver) -> None:
    """No path leads to another origin."""
    with cloud.client() as client, pytest.raises(ValueError, match="not a path"):
        client.request("GET", path, key=KEY)


def test_failures_leave_no_socket_open(cloud: Receiver) -> None:
    """A hundred failed requests leave no descriptor behind."""
    cloud.control(mode="reset_before")
    with cloud.client() as client:
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(100):
            with pytest.raises(PushDeferred):
                client.request("PUT", "/v1/batches/1", key=KEY, body=b"x")
        gc.collect()
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


def test_one_module_speaks_http() -> None:
    """No other module of the agent imports an HTTP client (P2); what asks the product never asks the cloud."""
    clients = re.compile(
        r"^\s*(?:import|from) (httpx|httpcore|urllib\.request|urllib3|requests|http\.client|aiohttp)\b", re.M
    )
    found = {
        str(path.relative_to(ROOT)): set(clients.findall(path.read_text("utf-8")))
        for path in (ROOT / "agent").rglob("*.py")
    }
    assert {name: used for name, used in found.items() if used} == {
        "agent/delivery/http.py": {"httpx", "httpcore"},
        "agent/net/wire.py": {"httpcore"},
        "agent/jmx/http.py": {"httpx", "httpcore"},
    }
