"""HTTP POSTs to one Jolokia agent: a total deadline, a cap on the answer, no redirects, nothing from the environment.

In:    a target with a `url`, JSON texts. Out: JSON texts.
Raise: JmxError in the words of the other transports; no exception of the library leaves, as it may hold the login.
Only `jolokia.py` imports this module, when the first sample is taken: the library costs memory.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpcore
import httpx

from agent.jmx import tls
from agent.jmx.errors import ConnectionLost, JmxError, ProtocolError, clean
from agent.jmx.jrmp import Deadline, open_tcp, timed_out
from agent.jmx.model import Target
from agent.jmx.rmi import read_password

MAX_ANSWER_BYTES = 16 * 1024 * 1024
READ_BYTES = 65536
SIDE = "Jolokia agent"

_WORDS = {
    "refused": ("Nothing listens there.", "Start the product, or correct [jmx] url."),
    "unreachable": ("The address does not answer.", "Open the port of [jmx] url for this host."),
    "unknown-host": ("The name is not known here.", "Correct the host in [jmx] url."),
    "server-tls-unwanted": (
        "What answers there ended the TLS handshake.",
        "If the agent is plain, write http:// in [jmx] url; if it wants a client certificate, set certificate_file.",
    ),
    "client-certificate-required": (
        "The Jolokia agent wants a client certificate that it trusts.",
        "Set certificate_file and key_file in [jmx.tls].",
    ),
}


class _Stream(httpcore.NetworkStream):
    """A socket whose every wait ends with the sample's deadline, so that slow bytes cannot hold it."""

    def __init__(self, sock: Any, target: Target, deadline: Deadline) -> None:
        self._socket = sock
        self._target = target
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._socket.settimeout(self._deadline.need_s("waiting for Jolokia's answer"))
            received: bytes = self._socket.recv(max_bytes)
        except OSError as error:
            self._fail(error, "waiting for Jolokia's answer")
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
            wrapped = tls.wrap(self._socket, server_hostname or self._target.host, self._target.tls, "server")
        except BaseException:
            self.close()
            raise
        return _Stream(wrapped, self._target, self._deadline)

    def _fail(self, error: OSError, doing: str) -> NoReturn:
        if isinstance(error, TimeoutError):
            raise timed_out(doing) from None
        if tls.is_tls_error(error):
            raise tls.tls_error(error, self._target.tls, "server") from None
        raise JmxError(
            "connection-lost", "The Jolokia agent closed the connection.", why=error.strerror or ""
        ) from None

    def close(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        return self._socket if info == "socket" else None


class _Backend(httpcore.NetworkBackend):
    def __init__(self, target: Target, deadline: Deadline) -> None:
        self._target = target
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
        return _Stream(sock, self._target, self._deadline)


class _Transport(httpx.BaseTransport):
    """Hands requests to a pool of one connection over our own sockets: no proxy, no retry."""

    def __init__(self, context: ssl.SSLContext | None, target: Target, deadline: Deadline) -> None:
        backend = _Backend(target, deadline)
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


class JolokiaHttp:
    """The connection of one sample; a context manager. Nothing stays open between samples."""

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self._url = target.url or ""
        self._target = target
        self._secure = urlsplit(self._url).scheme == "https"
        context = tls.context_of(target.tls) if self._secure else None
        password = read_password(target)
        self._client = httpx.Client(
            transport=_Transport(context, target, deadline),
            auth=None if target.user is None else httpx.BasicAuth(target.user, password or ""),
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113 - the deadline covers the whole sample; these limits are per read
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": "agent-jmx"},
        )

    def __enter__(self) -> JolokiaHttp:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def post(self, body: str) -> bytes:
        """Return the body of the answer to one POST. Raises JmxError for everything that is not a whole answer."""
        try:
            with self._client.stream("POST", self._url, content=body.encode()) as response:
                self._check(response.status_code)
                return self._read(response)
        except ConnectionLost:
            raise self._lost() from None
        except JmxError as error:
            raise _worded(error) from None
        except (httpcore.ProtocolError, httpx.HTTPError, httpx.InvalidURL) as error:
            # not chained: the library's exceptions hold the request, and that holds the login
            if isinstance(error, httpcore.RemoteProtocolError) and self._ended_early(error):
                raise self._lost() from None
            raise JmxError(
                "wrong-port",
                "What answers there does not speak HTTP.",
                do="Correct [jmx] url; write https:// if the agent wants TLS.",
            ) from None

    def _lost(self) -> JmxError:
        """Some servers end the stream in place of asking for a certificate that they miss."""
        do = "Nothing: the next sample connects again."
        if self._secure and self._target.tls.certificate_file is None:
            do += " If it lasts and the agent wants a client certificate: set certificate_file in [jmx.tls]."
        return JmxError("connection-lost", "The Jolokia agent closed the connection.", do=do)

    @staticmethod
    def _ended_early(error: httpcore.RemoteProtocolError) -> bool:
        return "disconnected" in str(error) or "complete message" in str(error)

    def _read(self, response: httpx.Response) -> bytes:
        content = bytearray()
        for piece in response.iter_raw(READ_BYTES):
            content += piece
            if len(content) > MAX_ANSWER_BYTES:
                raise ProtocolError("The answer is larger than 16 MiB.", code="reply-too-large")
        return bytes(content)

    def _check(self, status: int) -> None:
        """Jolokia answers 200 and puts errors into the JSON; any other status is said by what stands before it."""
        if status == 200:
            return
        if status == 401:
            known = self._target.user is not None
            raise JmxError(
                "login-refused" if known else "login-required",
                "The Jolokia agent refuses the login." if known else "The Jolokia agent wants a login.",
                why="HTTP status 401.",
                do="Check [jmx] user and its password.",
            )
        if status == 403:
            raise JmxError(
                "permission-denied",
                "The Jolokia agent does not let us read.",
                why="HTTP status 403.",
                do="Allow this host and the commands read, list and search in jolokia-access.xml.",
            )
        if status == 404:
            raise JmxError("wrong-port", "There is no Jolokia agent at that path.", do="Correct [jmx] url.")
        if status == 413:
            raise ProtocolError("The question is too large for the server.", code="reply-too-large")
        if 300 <= status < 400:
            raise JmxError(
                "protocol-error", "The Jolokia agent redirects, which is not followed.", do="Set the final [jmx] url."
            )
        raise JmxError("remote-failure", f"The Jolokia agent answers with HTTP status {status}.", do="Look at its log.")


def _worded(error: JmxError) -> JmxError:
    """The same code in the words of a URL: the causes were written for the JVM's own port."""
    if error.code == "timeout" and "handshake" in error.what:
        # a plain HTTP server waits for the end of a line that never comes
        do = "Write http:// in [jmx] url if the agent is plain."
        return JmxError("timeout", "The TLS handshake did not end in time.", do=do)
    if error.code not in _WORDS:
        return error
    what, do = _WORDS[error.code]
    code = "tls-failed" if error.code == "server-tls-unwanted" else error.code
    return JmxError(code, what, why=clean(error.why) if error.code == "unknown-host" else "", do=do)
