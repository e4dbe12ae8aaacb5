"""The one HTTP module: one origin, one TLS context, no redirects, no environment, no decompression of answers.

In:   method, path, key, body. Out: a complete CloudAnswer of at most 1 MiB, or PushDeferred in words.
The whole request has one deadline of 60 s: look-up, connect, handshake, sending and reading together.
The key is in one header of requests to that origin and nowhere else: not in CONNECT, log, exception or repr.
`[cloud] proxy` is the only way to a proxy: the variables http_proxy and https_proxy are not read.
"""

from __future__ import annotations

import base64
import logging
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from urllib.parse import urlsplit

import httpcore
import httpx

import agent
from agent.errors import AgentError, ConfigError, KeyUnreadable, PushDeferred
from agent.net import tls
from agent.net.cloud import CloudAnswer
from agent.net.wire import CheckedBackend, InFlight
from agent.settings import CloudSettings, Secret

REQUEST_S = 60.0
LARGEST_ANSWER = 1024 * 1024
KEEP_ALIVE_S = 30.0
LIBRARY_LOGGERS = ("httpx", "httpcore", "h11", "hpack")
_KEY_SHAPE = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")


def open_client(cloud: CloudSettings, *, request_s: float = REQUEST_S) -> HttpClient:
    """A client for `cloud.endpoint`; nothing is connected yet.

    Raises ConfigError for an endpoint that is missing or not https, an unusable CA file or proxy.
    """
    pin_library_loggers()
    origin = _origin(cloud.endpoint)
    context = tls.client_context(cloud.ca_file)
    return HttpClient(origin, context, _proxy(cloud), request_s=request_s)


def pin_library_loggers() -> None:
    """Keep the HTTP libraries from logging requests, whatever level the agent logs at."""
    for name in LIBRARY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


class HttpClient:
    """Speaks to one origin, one request at a time; keeps the connection open between requests for half a minute."""

    def __init__(
        self, origin: str, context: ssl.SSLContext, proxy: _Proxy | None, *, request_s: float = REQUEST_S
    ) -> None:
        self.origin = origin
        self.host = urlsplit(origin).hostname or ""
        self._proxy = proxy
        self._request_s = request_s
        self._flight = InFlight()
        self._lock = threading.Lock()
        self._client = httpx.Client(
            base_url=origin,
            transport=_Transport(context, proxy, self._flight),
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113  the deadline of `wire` covers the whole request; these limits are per read
            headers={"User-Agent": f"portfolio-agent/{agent.__version__}", "Accept": "application/json"},
        )

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def secured(self) -> str | None:
        """Version, cipher suite and certificate of the last TLS connection in words; None before there was one."""
        return self._flight.secured

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def abort(self) -> None:
        """End the request in flight at once, from a signal handler or another thread; later ones fail too."""
        self._flight.abort()

    def request(
        self,
        method: str,
        path: str,
        *,
        key: Secret | None,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
    ) -> CloudAnswer:
        """The complete answer to one request.

        Raises PushDeferred when no complete answer came in time, in words that name the cause.
        """
        if not path.startswith("/") or path.startswith("//"):
            raise ValueError(f"not a path on this origin: {path!r}")
        sent_headers = {**headers, "Accept-Encoding": "identity"}
        if key is not None:
            sent_headers["Authorization"] = f"Bearer {_checked(key)}"
        with self._lock:
            self._client.cookies.clear()  # nothing a server said is told back to it
            self._flight.start(self._request_s)
            try:
                with self._client.stream(method, path, content=body, headers=sent_headers) as response:
                    content = _read(response, self.host)
                    return CloudAnswer(response.status_code, content, dict(response.headers))
            except AgentError as error:
                raise error from None
            except (httpx.HTTPError, httpx.InvalidURL, httpcore.ProxyError) as error:
                # `from None`: a library's exception may carry the request, and the request carries the key.
                raise self._explain(error) from None

    def _explain(self, error: BaseException) -> AgentError:
        sent = self._flight.wrote_request
        if self._flight.aborted:
            return PushDeferred(
                "The request was broken off.", why="The agent was told to stop.", do="Nothing.", sent=sent
            )
        cause = self._flight.cause
        if isinstance(cause, ssl.SSLError) and not sent:
            return tls.explain(cause, self.host)
        why, do = _words(error.__cause__ or error, cause, self.host, self._proxy, self._request_s)
        return PushDeferred(
            f"Cannot reach {self.host}." if not sent else f"No answer from {self.host}.", why=why, do=do, sent=sent
        )


class _Proxy:
    """Where the proxy is and how to log in there; the password is never part of the address."""

    def __init__(self, host: str, port: int, user: str | None, password: Secret | None) -> None:
        self.host = host
        self.port = port
        self.user = user
        self.password = password

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The header for CONNECT requests, which holds this login and never the key."""
        if self.user is None:
            return []
        login = f"{self.user}:{self.password.reveal() if self.password else ''}".encode()
        return [(b"Proxy-Authorization", b"Basic " + base64.b64encode(login))]


class _Transport(httpx.BaseTransport):
    """Hands requests to a connection pool over our own sockets."""

    def __init__(self, context: ssl.SSLContext, proxy: _Proxy | None, flight: InFlight) -> None:
        self._pool: httpcore.ConnectionPool
        if proxy is None:
            self._pool = httpcore.ConnectionPool(
                ssl_context=context,
                max_connections=1,
                keepalive_expiry=KEEP_ALIVE_S,
                http2=False,
                retries=0,
                network_backend=CheckedBackend(flight),
            )
        else:
            self._pool = httpcore.HTTPProxy(
                proxy_url=httpcore.URL(scheme=b"http", host=proxy.host.encode(), port=proxy.port, target=b"/"),
                proxy_headers=proxy.headers(),
                ssl_context=context,
                max_connections=1,
                keepalive_expiry=KEEP_ALIVE_S,
                http2=False,
                retries=0,
                network_backend=CheckedBackend(flight),
            )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request, one response; the library's errors become httpx.TransportError with their cause kept."""
        handed_on = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.read(),
            extensions={},
        )
        try:
            response = self._pool.handle_request(handed_on)
        except _HTTPCORE_ERRORS as error:
            raise httpx.TransportError(str(error)) from error
        return httpx.Response(response.status, headers=response.headers, stream=_Stream(response), extensions={})

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class _Stream(httpx.SyncByteStream):
    """The body of a response as it arrives."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._response.iter_stream()
        except _HTTPCORE_ERRORS as error:
            raise httpx.TransportError(str(error)) from error

    def close(self) -> None:
        self._response.close()


_HTTPCORE_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpcore.ConnectionNotAvailable,
)


def _read(response: httpx.Response, host: str) -> bytes:
    content = bytearray()
    for piece in response.iter_raw():
        content += piece
        if len(content) > LARGEST_ANSWER:
            raise PushDeferred(
                f"The answer from {host} is larger than {LARGEST_ANSWER:,} bytes.",
                why="The receiver's answers are a few hundred bytes; something else answers at this address.",
                do="Check cloud.endpoint and the proxy.",
            )
    return bytes(content)


def _checked(key: Secret) -> str:
    """The key's text, if a header may carry it; libraries put a bad header value into their exceptions."""
    text = key.reveal()
    if not _KEY_SHAPE.fullmatch(text):
        raise KeyUnreadable(
            "The stored security key is not shaped like a key.",
            why="It has characters that no security key has.",
            do="Link again with a new key: portfolio-agent link",
        )
    return text


def _origin(endpoint: str | None) -> str:
    parts = urlsplit(endpoint or "")
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.password or parts.query:
        raise ConfigError(
            "The cloud's address cannot be used.",
            why="cloud.endpoint is missing, or is not of the form https://HOST[:PORT][/PATH] without login or query.",
            do="Set cloud.endpoint in agent.toml.",
        )
    return (endpoint or "").rstrip("/")


def _proxy(cloud: CloudSettings) -> _Proxy | None:
    if cloud.proxy is None:
        return None
    parts = urlsplit(cloud.proxy)
    if parts.scheme != "http" or not parts.hostname or parts.password:
        raise ConfigError(
            "The proxy's address cannot be used.",
            why="cloud.proxy is of the form http://[USER@]HOST:PORT; a password never stands in it.",
            do="Put the password in a file of its own and name it in cloud.proxy_password_file.",
        )
    password = None
    if cloud.proxy_password_file is not None:
        try:
            password = Secret(cloud.proxy_password_file.read_text("utf-8").rstrip("\r\n"))
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigError(
                f"The proxy's password file {cloud.proxy_password_file} cannot be read.",
                why=f"{reason}.",
                do="Make it readable for the service account only (mode 0400).",
            ) from None
    port = parts.port or 3128
    return _Proxy(parts.hostname, port, parts.username, password)


def _words(
    error: BaseException, cause: OSError | None, host: str, proxy: _Proxy | None, request_s: float
) -> tuple[str, str]:
    """Why the request failed and what to do: from the library's `error` and what the kernel said, if it did."""
    where = f"the proxy {proxy.host}:{proxy.port}" if proxy else host
    if isinstance(cause, socket.gaierror):
        name = proxy.host if proxy else host
        return (f"The name {name} cannot be resolved.", f"Check the name server: getent hosts {name}")
    if isinstance(cause, ConnectionRefusedError):
        return (f"Nothing listens at {where} (connection refused).", "Check cloud.endpoint and cloud.proxy.")
    if isinstance(error, httpcore.ProxyError):
        return _proxy_words(str(error), where)
    if isinstance(error, httpcore.TimeoutException):
        return (
            f"{where} did not do its part within {request_s:.0f} s ({error}).",
            "If a firewall drops the packets, allow this host to connect, or set cloud.proxy.",
        )
    if isinstance(error, httpcore.ProtocolError) and cause is None and "disconnected" not in str(error):
        return (f"{where} does not answer in HTTP/1.1.", "Check the port in cloud.endpoint, and cloud.proxy.")
    if cause is not None and not isinstance(cause, ssl.SSLError | ConnectionError) and cause.strerror:
        return (f"{where}: {cause.strerror}.", "Check the network and the routes of this host.")
    return (
        f"The connection to {where} was lost before the answer was complete.",
        "It is tried again; if it lasts, look for a firewall or proxy that cuts connections.",
    )


def _proxy_words(text: str, where: str) -> tuple[str, str]:
    status = text[:3]
    if status == "407":
        return (
            f"{where} wants a login (407).",
            "Set the user in cloud.proxy (http://USER@HOST:PORT) and the password in cloud.proxy_password_file.",
        )
    if status.isdigit():
        return (f"{where} refuses to connect there (status {status}).", "Ask its operator to allow this destination.")
    return (f"{where} does not answer as a proxy does.", "Check cloud.proxy.")
