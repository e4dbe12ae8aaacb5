"""HTTP to one server: a total deadline, a cap on the answer, no redirects, no proxy, nothing from the environment.

In:    an address, a login, questions. Out: status, a few headers, and the body of an answer with status 200.
Raise: JmxError with the codes of the other transports; no exception of the library leaves, as it may hold the login.
The only module of the resident process that brings httpx, imported when the first question is asked: it costs memory.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpcore
import httpx

from agent.jmx import tls
from agent.jmx.errors import ConnectionLost, JmxError, ProtocolError
from agent.jmx.jrmp import Deadline, open_tcp, timed_out
from agent.jmx.model import TlsOptions

READ_BYTES = 65536
HEADERS = ("content-type", "retry-after")
WAITING = "waiting for the answer"


@dataclass(frozen=True, slots=True)
class FarSide:
    """Whom a conversation is with; `word` names it in messages.

    `strict`: TLS 1.2 or newer with forward secrecy only, whatever the system's OpenSSL allows.
    """

    url: str
    word: str
    tls: TlsOptions = field(default_factory=TlsOptions)
    most_bytes: int = 16 * 1024 * 1024
    strict: bool = False

    @property
    def secure(self) -> bool:
        """Whether it is spoken to over TLS."""
        return urlsplit(self.url).scheme == "https"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `body` is empty unless the status is 200."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Stream(httpcore.NetworkStream):
    """A socket whose every wait ends with the sample's deadline, so that slow bytes cannot hold it."""

    def __init__(self, sock: Any, far: FarSide, deadline: Deadline) -> None:
        self._socket = sock
        self._far = far
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._socket.settimeout(self._deadline.need_s(WAITING))
            received: bytes = self._socket.recv(max_bytes)
        except OSError as error:
            self._fail(error, WAITING)
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        while view:
            try:
                self._socket.settimeout(self._deadline.need_s("sending"))
                view = view[self._socket.send(view) :]
            except OSError as error:
                self._fail(error, "sending")

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            self._socket.settimeout(self._deadline.need_s("shaking hands"))
            wrapped = tls.wrap(self._socket, server_hostname or "", self._far.tls, "server", ssl_context)
        except BaseException:
            self.close()
            raise
        return _Stream(wrapped, self._far, self._deadline)

    def _fail(self, error: OSError, doing: str) -> NoReturn:
        if isinstance(error, TimeoutError):
            raise timed_out(doing) from None
        if tls.is_tls_error(error):
            raise tls.tls_error(error, self._far.tls, "server") from None
        raise JmxError(
            "connection-lost", f"The {self._far.word} closed the connection.", why=error.strerror or ""
        ) from None

    def close(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        return self._socket if info == "socket" else None


class _Backend(httpcore.NetworkBackend):
    def __init__(self, far: FarSide, deadline: Deadline) -> None:
        self._far = far
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        sock = open_tcp(host, port, "server", self._deadline)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Stream(sock, self._far, self._deadline)


class _Transport(httpx.BaseTransport):
    """Hands requests to a pool of one connection over our own sockets: no proxy, no retry."""

    def __init__(self, context: ssl.SSLContext | None, far: FarSide, deadline: Deadline) -> None:
        backend = _Backend(far, deadline)
        self._pool = httpcore.ConnectionPool(ssl_context=context, max_connections=1, network_backend=backend)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.read(),
            )
        )
        assert isinstance(response.stream, Iterable)  # noqa: S101 - for the type checker: the pool is a blocking one
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response), extensions={})

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Any:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class HttpClient:
    """One connection to one server; a context manager."""

    def __init__(
        self,
        far: FarSide,
        deadline: Deadline,
        *,
        login: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._far = far
        context = None
        if far.secure:
            context = tls.web_context(far.tls) if far.strict else tls.context_of(far.tls)
        self._client = httpx.Client(
            transport=_Transport(context, far, deadline),
            auth=None if login is None else httpx.BasicAuth(*login),
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113 - the deadline covers the whole conversation; these limits are per read
            headers={"Accept-Encoding": "identity", **(headers or {})},
        )

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def send(self, method: str, url: str, *, content: bytes | None = None, accept: str = "*/*") -> Answer:
        """The answer to one request. Raises JmxError when no whole answer came."""
        try:
            with self._client.stream(method, url, content=content, headers={"Accept": accept}) as response:
                kept = {name: response.headers[name] for name in HEADERS if name in response.headers}
                body = self._read(response) if response.status_code == 200 else b""
                return Answer(response.status_code, kept, body)
        except (httpcore.ProtocolError, httpx.HTTPError, httpx.InvalidURL) as error:
            # not chained: the library's exceptions hold the request, and that holds the login
            if isinstance(error, httpcore.RemoteProtocolError) and _ended_early(error):
                raise ConnectionLost(f"The {self._far.word} closed the connection.") from None
            raise JmxError("wrong-port", "What answers there does not speak HTTP.") from None

    def _read(self, response: httpx.Response) -> bytes:
        content = bytearray()
        for piece in response.iter_raw(READ_BYTES):
            content += piece
            if len(content) > self._far.most_bytes:
                size = self._far.most_bytes // 1024**2
                raise ProtocolError(f"The answer is larger than {size} MiB.", code="reply-too-large")
        return bytes(content)


def _ended_early(error: httpcore.RemoteProtocolError) -> bool:
    return "disconnected" in str(error) or "complete message" in str(error)
