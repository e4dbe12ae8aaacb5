"""The app manager over real HTTPS: what is kept of its answers, every way it may fail, whom it is that is contacted."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading
import traceback
import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from starlette.responses import Response

from agent.errors import SourceError
from agent.reasons import REASONS
from agent.settings import Secret
from agent.sources.apps.binding import APP_COLUMNS
from agent.sources.apps.upm import MOST_APPS, MOST_BYTES, AppList, AppManager, parse, read_apps
from tests.support.app_manager import (
    APPS,
    ENDS,
    LICENCES_TYPE,
    LIST_TYPE,
    PASSWORD,
    PERSONAL,
    SEN,
    TOKEN,
    USER,
    AppManagerServer,
    app,
    app_manager,
    licence,
    many,
)
from tests.support.stopwatch import Stopwatch

GROOVY = "com.onresolve.jira.groovy.groovyrunner"
WRONG_TOKEN = "wrong-token-0123456789"
LIST = "/jira/rest/plugins/1.0/"
LICENCES = "/jira/rest/plugins/1.0/installed-marketplace"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AppManagerServer]:
    with app_manager(tmp_path) as running:
        yield running


def manager(server: AppManagerServer, token: str = TOKEN, *, licences: bool = True) -> AppManager:
    """With a personal access token."""
    return AppManager(server.url, lambda: (None, Secret(token)), server.ca_file, licences)


def read(server: AppManagerServer, within_s: float = 10) -> AppList:
    return read_apps(manager(server), within_s)


def refused(server: AppManagerServer, within_s: float = 10) -> SourceError:
    """The error of one read, which has all three facts, a code that may leave, and no secret in any text of it."""
    with pytest.raises(SourceError) as caught:
        read(server, within_s)
    error = caught.value
    assert error.what
    assert error.do
    assert error.reason in REASONS
    text = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
    assert [word for word in (TOKEN, *PERSONAL) if word in text] == []
    return error


def test_apps_with_state_origin_and_licence(server: AppManagerServer) -> None:
    """Each app has version, state and origin; kind and end of the licence where there is one, and the product's SEN."""
    listed = read(server)
    rows = {row["app"]: row for row in listed.rows}
    assert rows[GROOVY] == {
        "app": GROOVY,
        "name": "ScriptRunner",
        "version": "8.20.0",
        "state": "disabled",
        "origin": "user-installed",
        "licence": "commercial",
        "evaluation": "false",
        "licence_ends": ENDS,
    }
    assert {row["app"]: (row["origin"], row["licence"]) for row in listed.rows if row["app"] != GROOVY} == {
        APPS[0]["key"]: ("system", "not-needed"),
        "com.quibble.planted-payroll": ("user-installed", "not-needed"),
        "com.quibble.planted-paid": ("user-installed", "none"),
    }
    assert (listed.sen, listed.more, listed.unread) == (SEN, False, None)
    assert all(set(row) <= set(APP_COLUMNS) for row in listed.rows)


def test_what_is_not_asked_for_is_not_kept(server: AppManagerServer) -> None:
    """Licence texts, organisations, addresses, vendors, links and the apps' own SENs are gone once it is parsed."""
    listed = repr(read(server))
    assert [word for word in (*PERSONAL, "elsewhere.test", "rest/plugins") if word in listed] == []
    kept = parse(json.dumps({"plugins": [app("a", "b", licenseDetails=licence("a"))]}).encode())
    assert "planted-licence-text" not in repr(kept)
    assert "planted.person" not in repr(kept)


def test_two_requests_with_the_media_types_of_the_product(server: AppManagerServer) -> None:
    """One read is two GETs, the second without looking for updates; without licences it is one."""
    read(server)
    assert [(method, path) for method, path, _ in server.requests] == [("GET", LIST), ("GET", LICENCES)]
    assert server.requests[0][2].startswith(LIST_TYPE)
    assert server.requests[1][2].startswith(LICENCES_TYPE)
    server.requests.clear()
    listed = read_apps(manager(server, licences=False), 10)
    assert len(server.requests) == 1
    assert listed.sen is None
    assert {row["licence"] for row in listed.rows} == {"not-needed", None}


def test_user_and_password(server: AppManagerServer) -> None:
    """A password with every odd character arrives as it is; it asks for basic authentication by name."""
    own = AppManager(server.url, lambda: (USER, Secret(PASSWORD)), server.ca_file)
    assert len(read_apps(own, 10).rows) == len(APPS)
    assert [path for _, path, _ in server.requests] == [f"{LIST}?os_authType=basic", f"{LICENCES}?os_authType=basic"]


def test_nobody_else_is_contacted(server: AppManagerServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection of a read goes to the configured address: no proxy, no redirect, no link of an answer."""
    reached: list[object] = []
    active = [True]

    def notice(event: str, arguments: tuple[object, ...]) -> None:
        if active and event == "socket.connect":
            reached.append(arguments[1])

    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    sys.addaudithook(notice)
    try:
        read(server)
        server.always(302, location=f"https://localhost:{server.port}/elsewhere")
        assert refused(server).reason == "protocol-error"
    finally:
        active.clear()
    assert {address[1] for address in reached if isinstance(address, tuple)} == {server.port}
    assert not [path for _, path, _ in server.requests if "elsewhere" in path]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (301, "protocol-error"),
        (401, "login-refused"),
        (403, "permission-denied"),
        (404, "wrong-port"),
        (429, "rate-limited"),
        (500, "remote-failure"),
        (503, "remote-failure"),
        (204, "remote-failure"),
    ],
)
def test_status(server: AppManagerServer, status: int, reason: str) -> None:
    """Each status has its reason, is said in words, and is not followed by a second request."""
    server.always(status, "" if status == 204 else f"planted-licence-text {TOKEN}", "text/html")
    error = refused(server)
    assert error.reason == reason
    assert str(status) in error.why
    assert len(server.requests) == 1


BLOCKED = '{"message":"Basic Authentication has been disabled on this instance."}'


@pytest.mark.parametrize(
    ("body", "login", "reason"),
    [
        (BLOCKED, "password", "password-blocked"),
        ('{"message": "Basic authentication is disabled"}', "password", "password-blocked"),
        (BLOCKED, "token", "permission-denied"),
        ('{"message": "planted.person@example.com may not"}', "password", "permission-denied"),
        ("", "password", "permission-denied"),
    ],
)
def test_passwords_that_are_blocked(server: AppManagerServer, body: str, login: str, reason: str) -> None:
    """The product's own filter says so: then the way on is a token, not a valid password or more rights."""
    server.always(403, body, "application/json")
    own = AppManager(server.url, lambda: (USER if login == "password" else None, Secret(TOKEN)), server.ca_file)
    with pytest.raises(SourceError) as caught:
        read_apps(own, 10)
    assert caught.value.reason == reason
    assert ("token_file" in caught.value.do) is (reason == "password-blocked")
    assert "planted.person" not in str(caught.value)


@pytest.mark.parametrize(
    "headers",
    [{"X-AUSERNAME": "anonymous"}, {"x-ausername": "Anonymous"}, {"X-Seraph-LoginReason": "OUT, AUTHENTICATED_FAILED"}],
)
def test_a_token_that_counts_as_nobody(server: AppManagerServer, headers: dict[str, str]) -> None:
    """Some versions answer a token that has ended with 200, as to anyone: refused, and nothing of it is a list."""
    body = json.dumps({"plugins": [app("com.example.visible-to-all", "Planted vendor")]})
    server.always(200, body, **headers)
    error = refused(server)
    assert error.reason == "login-refused"
    assert "Make a new personal access token" in error.do


def test_a_name_of_somebody_is_no_nobody(server: AppManagerServer) -> None:
    """The header that names the account is looked at and not kept."""
    body = json.dumps({"plugins": [app("com.example.visible-to-all", "Visible")]})
    server.always(200, body, **{"X-AUSERNAME": "planted.person", "X-Seraph-LoginReason": "OK"})
    assert "planted.person" not in repr(read(server))


def test_wrong_token(server: AppManagerServer) -> None:
    """A token the product does not know is a refused login, and nothing says what it was."""
    with pytest.raises(SourceError) as caught:
        read_apps(manager(server, WRONG_TOKEN), 10)
    assert caught.value.reason == "login-refused"
    assert WRONG_TOKEN not in "".join(traceback.format_exception(caught.value))


def test_token_that_no_header_can_carry(server: AppManagerServer) -> None:
    """A token with other characters is refused before anything is sent."""
    with pytest.raises(SourceError) as caught:
        read_apps(manager(server, "plänted token"), 10)
    assert caught.value.reason == "login-unreadable"
    assert server.requests == []


DEEP = '{"plugins":' + "[" * 200_000 + "]" * 200_000 + "}"
WRONG = {
    "login page": ("<html><form>Log in</form></html>", "text/html; charset=utf-8", "login-required"),
    "plain text": ("fine", "text/plain", "protocol-error"),
    "no type": ("{}", "application/octet-stream", "protocol-error"),
    "no JSON": ("{", LIST_TYPE, "protocol-error"),
    "empty": ("", LIST_TYPE, "protocol-error"),
    "a list": ("[]", LIST_TYPE, "protocol-error"),
    "no apps": ('{"apps": []}', LIST_TYPE, "protocol-error"),
    "not even itself": ('{"plugins": []}', LIST_TYPE, "protocol-error"),
    "no list": ('{"plugins": {"key": "a"}}', LIST_TYPE, "protocol-error"),
    "deep": (DEEP, LIST_TYPE, "protocol-error"),
    "long number": ('{"plugins": [' + "1" * 20_000 + "]}", LIST_TYPE, "protocol-error"),
    "not UTF-8": ('{"plugins": "\udcff"}', LIST_TYPE, "protocol-error"),
    "large": ('{"plugins": "' + "x" * (MOST_BYTES + 1) + '"}', LIST_TYPE, "reply-too-large"),
    "many values": ('{"plugins": [' + "[]," * 500_000 + "1]}", LIST_TYPE, "reply-too-large"),
}


@pytest.mark.parametrize("name", WRONG)
def test_hostile_answers(server: AppManagerServer, name: str) -> None:
    """Whatever comes with status 200 is a list of apps or an error in words, in bounded memory."""
    body, media, reason = WRONG[name]
    server.answers[LIST] = Response(body.encode("utf-8", "surrogateescape"), 200, media_type=media)
    tracemalloc.start()
    try:
        assert refused(server).reason == reason
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024**2
    finally:
        tracemalloc.stop()


def test_values_of_wrong_types_cost_only_themselves(server: AppManagerServer) -> None:
    """What is no text, switch or date is left out; words that no licence has are "other"; control signs are gone."""
    odd = app("com.example.\u202eodd\x1b", "n", enabled="yes", userInstalled=None, usesLicensing=1) | {"version": 7}
    key = "com.example.even"
    server.apps = (odd, app(key, "n"), {"key": 5, "name": "x"})
    server.licences = {key: licence(key, "planted words of a vendor", expiryDate=10**30, evaluation="no")}
    listed = read(server)
    assert listed.rows[0]["app"] == "com.example.odd"
    assert {listed.rows[0][name] for name in ("version", "state", "origin")} == {None}
    assert listed.rows[1]["licence"] == "other"
    assert (listed.rows[1]["licence_ends"], listed.rows[1]["evaluation"]) == (None, None)
    assert listed.rows[2]["app"] is None


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        ("SEN-12345678", True),
        ("SEN-L1111111", True),
        ("E-1AB-2CD-3EF-4GH", True),
        ("planted.person@example.com", False),
        ("SEN-1\u202e", False),
        ("SEN-" + "1" * 50, False),
        (7, False),
        (None, False),
    ],
)
def test_shape_of_the_sen(server: AppManagerServer, number: object, kept: bool) -> None:
    """Only what has one of the two shapes of an entitlement number is kept."""
    server.sen = number
    assert read(server).sen == (number if kept else None)


def test_licences_that_cannot_be_read_cost_only_themselves(server: AppManagerServer) -> None:
    """The apps are there without licences, and why is said; no frame of the attempt is kept."""
    server.answers[LICENCES] = Response("", 403)
    listed = read(server)
    assert len(listed.rows) == len(APPS)
    assert listed.unread is not None
    assert listed.unread.reason == "permission-denied"
    assert listed.unread.__traceback__ is None
    assert listed.rows[1]["licence"] is None


def test_more_apps_than_are_taken(server: AppManagerServer) -> None:
    """The first 5,000 are taken, and that there were more is known."""
    server.apps = many(MOST_APPS + 1)
    listed = read_apps(manager(server, licences=False), 30)
    assert (len(listed.rows), listed.more) == (MOST_APPS, True)


def test_nothing_listens(tmp_path: Path) -> None:
    """A closed port, an unknown host: each has its reason."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url, reason in ((f"https://127.0.0.1:{port}", "refused"), ("https://no-such-host.invalid", "unknown-host")):
        with pytest.raises(SourceError) as caught:
            read_apps(AppManager(url, lambda: (None, Secret(TOKEN))), 10)
        assert caught.value.reason == reason


def test_slow_answer_ends_at_the_deadline() -> None:
    """A server that takes the request and says nothing holds nobody longer than was given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        watch = Stopwatch()
        with pytest.raises(SourceError) as caught:
            read_apps(AppManager(url, lambda: (None, Secret(TOKEN))), 0.5)
        assert watch.elapsed_s < 3
    assert caught.value.reason == "timeout"


def test_certificate_of_another_authority(server: AppManagerServer) -> None:
    """Without the CA that signed it the certificate is not trusted, and no request is sent."""
    own = AppManager(server.url, lambda: (None, Secret(TOKEN)))
    with pytest.raises(SourceError) as caught:
        read_apps(own, 10)
    assert caught.value.reason == "tls-failed"
    assert "ca_file" in caught.value.do
    assert server.requests == []


def test_certificate_of_another_name(server: AppManagerServer) -> None:
    """The certificate must name the host that was asked."""
    own = AppManager(server.url.replace("localhost", "127.0.0.1"), lambda: (None, Secret(TOKEN)), server.ca_file)
    with pytest.raises(SourceError) as caught:
        read_apps(own, 10)
    assert caught.value.reason == "tls-failed"
    assert server.requests == []


@pytest.mark.parametrize("weakness", ["version", "no forward secrecy"])
def test_weak_tls_is_refused(tmp_path: Path, weakness: str) -> None:
    """TLS 1.1 and key exchange without forward secrecy end in the handshake, whatever the system allows."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", key_type=trustme.KeyType.RSA).configure_cert(context)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if weakness == "version":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    else:
        context.set_ciphers("AES256-GCM-SHA384")
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            plain, _ = listener.accept()
            with plain:
                try:
                    with context.wrap_socket(plain, server_side=True) as wrapped:
                        heard.append(wrapped.recv(100))
                except OSError:
                    pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"https://localhost:{listener.getsockname()[1]}"
        with pytest.raises(SourceError) as caught:
            read_apps(AppManager(url, lambda: (None, Secret(TOKEN)), tmp_path / "ca.pem"), 5)
        thread.join(5)
    assert caught.value.reason in ("tls-failed", "connection-lost")
    assert heard == []


def test_plain_http_on_this_machine(tmp_path: Path) -> None:
    """http is spoken where the address says so; that it is loopback is the configuration's check."""
    with app_manager(tmp_path, secure=False) as running:
        listed = read_apps(AppManager(running.url, lambda: (None, Secret(TOKEN))), 10)
    assert len(listed.rows) == len(APPS)


def test_a_thousand_apps(server: AppManagerServer) -> None:
    """1,000 apps with licences are read in two requests, within seconds and 64 MiB."""
    server.apps = many(1000)
    server.licences = {item["key"]: licence(item["key"]) for item in server.apps}
    tracemalloc.start()
    try:
        listed = read(server, 30)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(listed.rows) == 1000
    assert {row["licence"] for row in listed.rows} == {"commercial"}
    assert len(server.requests) == 2
    assert peak < 64 * 1024**2
