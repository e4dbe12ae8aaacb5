"""The way to the cloud: words for each failure, one header for the key, no environment, proxies on request only."""

from __future__ import annotations

import gc
import gzip
import hashlib
import json
import logging
import os
import re
import socket
import ssl
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent.delivery.http import open_client
from agent.errors import ConfigError, KeyUnreadable, PushDeferred
from agent.settings import CloudSettings, InstanceSettings, ProductType, Secret, Settings, check_places
from agent.settings.address import proxy_problem
from tests.support import tls as make
from tests.support.cloud import KEY, ROOT, Receiver
from tests.support.proxy import RunningProxy, connect_proxy


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


def write_secret(path: Path, text: str) -> Path:
    """A file as a password belongs in one."""
    path.touch(0o600)
    path.write_text(text)
    return path


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


def through(
    proxy: RunningProxy, cloud: Receiver, tmp_path: Path, *, user: str = "", password: str = ""
) -> CloudSettings:
    """[cloud] for the receiver, through this proxy, as this user of the address."""
    scheme = "https" if proxy.secure else "http"
    address = f"{scheme}://{user}@localhost:{proxy.port}" if user else f"{scheme}://localhost:{proxy.port}"
    assert proxy_problem(address) is None
    file = write_secret(tmp_path / "password", password + "\n") if password else None
    return replace(cloud.settings, proxy=address, proxy_password_file=file)


@pytest.mark.fault(88)
@pytest.mark.parametrize("secure", [False, True])
def test_proxy_gets_no_key(secure: bool, cloud: Receiver, tmp_path: Path) -> None:
    """Through a proxy with login, over TCP or TLS: CONNECT carries the proxy's login and never the key."""
    certificate = cloud.folder / "server.pem" if secure else None
    with connect_proxy(login="agent:pr0xy-p@ss:word", certificate=certificate) as proxy:
        settings = through(proxy, cloud, tmp_path, user="agent", password="pr0xy-p@ss:word")
        with open_client(settings) as client:
            for _ in range(2):
                assert client.request("GET", "/v1/link", key=KEY).status == 200
    assert len(proxy.heads) == 1
    assert b"Bearer" not in proxy.heads[0]
    assert KEY.reveal().encode() not in proxy.heads[0]


@pytest.mark.fault(88)
def test_large_body_through_a_proxy_over_tls(cloud: Receiver, tmp_path: Path) -> None:
    """TLS within TLS carries a body of many records, and its answer, whole."""
    batch_id = str(uuid.uuid4())
    document = json.dumps({"batchId": batch_id, "filler": os.urandom(350_000).hex()})
    body = gzip.compress(document.encode(), compresslevel=0)
    sent = {"Content-Encoding": "gzip", "Content-SHA256": hashlib.sha256(body).hexdigest()}
    with (
        connect_proxy(certificate=cloud.folder / "server.pem") as proxy,
        open_client(through(proxy, cloud, tmp_path)) as client,
    ):
        answer = client.request("PUT", f"/v1/batches/{batch_id}", key=KEY, body=body, headers=sent)
    assert answer.status == 202
    assert cloud.body(batch_id) == body


@pytest.mark.fault(88)
def test_proxy_over_tls_proves_its_own_name(cloud: Receiver, tmp_path: Path) -> None:
    """A proxy whose certificate nobody vouches for hears no destination and no login; the message names the proxy."""
    (tmp_path / "stranger.pem").write_bytes(make.server(make.authority()).pem())
    with connect_proxy(certificate=tmp_path / "stranger.pem") as proxy:
        problem = problem_with(through(proxy, cloud, tmp_path, user="agent", password="word"))
    assert f"The proxy localhost:{proxy.port}: It cannot prove who it is" in problem.why
    assert proxy.heads == []


USERS = {
    "svc": "svc",
    "CORP%5Csvc": "CORP\\svc",
    "CORP\\svc": "CORP\\svc",
    "svc%40corp.example": "svc@corp.example",
    "svc@corp.example": "svc@corp.example",
    "first%20last": "first last",
    "a%3Db": "a=b",
    "a+b": "a+b",
    "100%25": "100%",
    "sv%C3%A4c": "sv\u00e4c",
    "a%2Fb%3Fc%23d": "a/b?c#d",
}


@pytest.mark.fault(88)
@pytest.mark.parametrize("written", USERS)
def test_proxy_user_is_decoded_before_it_is_sent(written: str, cloud: Receiver, tmp_path: Path) -> None:
    """Percent-codes of the user in the address are read as in any URL; the password in its file is taken as it is."""
    with connect_proxy(login=f"{USERS[written]}:p%40ss w\u00f6rd=") as proxy:
        settings = through(proxy, cloud, tmp_path, user=written, password="p%40ss w\u00f6rd=")
        with open_client(settings) as client:
            assert client.request("GET", "/v1/link", key=KEY).status == 200


@pytest.mark.fault(88)
def test_proxy_wants_a_login(cloud: Receiver, tmp_path: Path) -> None:
    """407 names the proxy and the two settings that mend it."""
    with connect_proxy(login="agent:secret") as proxy:
        problem = problem_with(through(proxy, cloud, tmp_path))
    assert "wants a login (407)" in problem.why
    assert "cloud.proxy_password_file" in problem.do


@pytest.mark.fault(88)
def test_proxy_does_not_take_the_login(cloud: Receiver, tmp_path: Path) -> None:
    """407 to a login that was sent is a wrong login; neither user nor password is repeated."""
    with connect_proxy(login="agent:secret") as proxy:
        problem = problem_with(through(proxy, cloud, tmp_path, user="canary-user", password="canary-word"))
    assert "does not accept the login (407)" in problem.why
    assert "canary" not in str(problem)


@pytest.mark.fault(88)
@pytest.mark.parametrize(
    ("challenges", "named"),
    [
        (["NTLM"], "NTLM"),
        (["Negotiate", "NTLM"], "Negotiate, NTLM"),
        (["Negotiate, NTLM"], "Negotiate, NTLM"),
        (['Digest realm="Basic, for all", nonce="x", qop="auth"'], "Digest"),
    ],
)
@pytest.mark.parametrize("user", ["", "svc"])
def test_proxy_whose_way_to_log_in_is_not_spoken(
    user: str, challenges: list[str], named: str, cloud: Receiver, tmp_path: Path
) -> None:
    """A proxy that takes only NTLM, Negotiate or Digest: the message says so, with or without a user."""
    with connect_proxy(login="nobody:nothing", challenges=challenges) as proxy:
        problem = problem_with(through(proxy, cloud, tmp_path, user=user, password="word" if user else ""))
    assert f"only by {named}: this agent does not speak that" in problem.why
    assert "Basic" in problem.do


@pytest.mark.fault(88)
def test_proxy_with_several_ways_takes_basic(cloud: Receiver, tmp_path: Path) -> None:
    """Where Basic is one of the ways, a refusal is about the login and not about the way."""
    with connect_proxy(login="a:b", challenges=["Negotiate", "NTLM", 'basic realm="x"']) as proxy:
        problem = problem_with(through(proxy, cloud, tmp_path, user="svc", password="word"))
    assert "does not accept the login" in problem.why


@pytest.mark.fault(88)
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "refuses to connect there (status 403)"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://portal.example.com/\r\n\r\n",
            "refuses to connect there (status 302)",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer as a proxy does"),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>", "does not answer as a proxy does"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "middle of the TLS handshake"),
        (b"", "lost"),
    ],
)
def test_proxy_that_lies(answer: bytes, words: str, cloud: Receiver, tmp_path: Path) -> None:
    """Whatever comes in place of a tunnel is named, and never gets the key."""
    with listener(answer) as (port, heard):
        problem = problem_with(through(RunningProxy(port), cloud, tmp_path))
    assert words in problem.why
    assert all(KEY.reveal().encode() not in first for first in heard)


@pytest.mark.fault(88)
def test_dead_proxy_is_named(cloud: Receiver) -> None:
    """When the proxy is down the message names the proxy, not the cloud."""
    problem = problem_with(replace(cloud.settings, proxy="http://localhost:1"))
    assert "the proxy localhost:1" in problem.why


@pytest.mark.fault(88)
@pytest.mark.parametrize("how", ["0644", "pipe", "link", "hard link", "two lines", "empty", "missing"])
def test_proxy_password_is_read_as_carefully_as_any_secret(how: str, cloud: Receiver, tmp_path: Path) -> None:
    """What `config check` refuses in a password file delivery refuses as well, in the same words."""
    file = write_secret(tmp_path / "password", {"two lines": "one\ntwo\n", "empty": ""}.get(how, "word\n"))
    if how == "0644":
        file.chmod(0o644)
    elif how == "pipe":
        file.unlink()
        os.mkfifo(file, 0o600)
    elif how == "link":
        file.rename(tmp_path / "real")
        file.symlink_to(tmp_path / "real")
    elif how == "hard link":
        os.link(file, tmp_path / "second")
    elif how == "missing":
        file.unlink()
    settings = replace(cloud.settings, proxy="http://svc@localhost:1", proxy_password_file=file)
    whole = Settings(InstanceSettings(ProductType.JIRA, tmp_path, tmp_path), cloud=settings)
    (checked,) = check_places(whole, "agent.toml")
    with pytest.raises(ConfigError) as caught:
        open_client(settings)
    assert checked.key == "cloud.proxy_password_file"
    assert caught.value.why in checked.problem


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
    """With everything at debug level nobody logs the key, and no exception carries it or the request."""
    with caplog.at_level(logging.DEBUG), cloud.client() as client:
        client.request("GET", "/v1/link", key=KEY)
        cloud.control(mode="reset_before")
        with pytest.raises(PushDeferred) as caught:
            client.request("PUT", "/v1/batches/1", key=KEY, body=b"x")
    assert KEY.reveal() not in caplog.text
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("text", ["line\nbreak-0123456789abcdef", "smörgås-0123456789abcdef", "", "x" * 5000])
def test_key_of_wrong_shape_never_reaches_a_library(text: str, cloud: Receiver) -> None:
    """A key that no header can carry is refused here: a library would put it into its exception."""
    with cloud.client() as client, pytest.raises(KeyUnreadable) as caught:
        client.request("GET", "/v1/link", key=Secret(text))
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        *(None, "", "http://localhost", "https://", "https://user:pw@localhost", "https://user@localhost"),
        *("ftp://localhost", "localhost", "https://localhost:0", "https://localhost:99999", "https://localhost?a"),
    ],
)
def test_endpoint_must_be_https(endpoint: str | None) -> None:
    """Anything but https without a login is refused before a socket is opened."""
    with pytest.raises(ConfigError, match=r"cloud\.endpoint") as caught:
        open_client(CloudSettings(endpoint=endpoint))
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://proxy.example.com:3128",
        "http://proxy.example.com",
        "https://proxy.example.com",
        "http://svc@proxy.example.com/",
        "http://[2001:db8::1]:3128",
        "socks5://proxy.example.com",
        "proxy.example.com:3128",
        "http://u:pw@p.example",
        "http://u:@p.example",
        "http://@p.example",
        "http://p.example/proxy.pac",
        "http://p.example:0",
        "http://p.example:99999",
        "http://a%3Apw@p.example",
        "http://a%0Apw@p.example",
        "http://a%FFpw@p.example",
        "http://p.example?pw",
        "http://",
        "http:///p.example",
    ],
)
def test_check_and_delivery_read_a_proxy_alike(proxy: str) -> None:
    """What passes `config check` is used by delivery, what is refused there is refused here; nothing is repeated."""
    problem = proxy_problem(proxy)
    settings = CloudSettings(endpoint="https://localhost", proxy=proxy)
    if problem is None:
        open_client(settings).close()
        return
    with pytest.raises(ConfigError) as caught:
        open_client(settings)
    assert problem in caught.value.why
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
    """No other module of the agent imports an HTTP library (P2): cloud, app manager and Jolokia share one client."""
    clients = re.compile(
        r"^\s*(?:import|from) (h11|httpx|httpcore|urllib\.request|urllib3|requests|http\.client|aiohttp)\b", re.M
    )
    found = {
        str(path.relative_to(ROOT)): set(clients.findall(path.read_text("utf-8")))
        for path in (ROOT / "agent").rglob("*.py")
    }
    assert {name: used for name, used in found.items() if used} == {"agent/net/conversation.py": {"h11"}}
