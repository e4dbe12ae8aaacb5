"""HTTP/1.1 to one server: one deadline over a whole request, a cap on the answer, nothing that happens by itself.

In:    an address, whom to trust, perhaps a proxy; then method, target, headers, body and a deadline.
Out:   a complete answer with its headers, or NetError. No redirect, no cookie, no login of our own making, no
       decompression, nothing from the environment (proxy variables, netrc). One connection, kept half a minute.
Proxy: only the one that is given. Its login is in CONNECT and nowhere else, and nothing of a request is in CONNECT.
"""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote, urlsplit

from agent.net import tls
from agent.net.answer import HttpAnswer
from agent.net.connect import open_tcp
from agent.net.conversation import Conversation
from agent.net.deadline import Deadline
from agent.net.error import Fault, NetError, Step
from agent.net.options import HttpLimits, OptionNames, Proxy, TlsTrust
from agent.net.stream import Flight, Stream, TcpStream, TlsStream
from agent.net.words import refused_by_proxy, why_and_do

KEEP_ALIVE_S = 30.0
PORTS = {"http": 80, "https": 443}
# What may stand in a request line as it is; `%` stays, since who wrote an address may have encoded it already.
_TARGET_SAFE = "/%:@!$&'()*+,;=~?-._[]"


class HttpClient:
    """Speaks to the server of `url`, one request at a time; a context manager. Nothing is connected until asked.

    Raises NetError `tls-files` at once for certificate files that cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        trust: TlsTrust = TlsTrust(),
        proxy: Proxy | None = None,
        limits: HttpLimits = HttpLimits(),
        names: OptionNames = OptionNames(),
        headers: Mapping[str, str] = {},
    ) -> None:
        parts = urlsplit(url)
        self.host = _ascii(parts.hostname or "")
        self._port = parts.port or PORTS[parts.scheme]
        self._authority = _authority(self.host, None if self._port == PORTS[parts.scheme] else self._port)
        self._trust = trust
        self._context = tls.client_context(trust) if parts.scheme == "https" else None
        self._proxy = proxy
        self._proxy_context = tls.client_context(_proxy_trust(trust)) if proxy is not None and proxy.secure else None
        self._limits = limits
        self._names = names
        self._headers = dict(headers)
        self._flight = Flight()
        self._lock = threading.Lock()
        self._connection: Conversation | None = None
        self.secured: str | None = None

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.stream.close()

    def abort(self) -> None:
        """End the request in flight at once, from a signal handler or another thread; later ones fail too."""
        self._flight.abort()

    def request(
        self,
        method: str,
        target: str,
        deadline: Deadline,
        *,
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
    ) -> HttpAnswer:
        """The complete answer to one request; `target` is path and query. Raises NetError.

        A header that HTTP cannot carry is a ValueError that does not repeat it.
        """
        with self._lock:
            self._flight.start(deadline)
            try:
                connection = self._connected()
                return self._ask(connection, method, target, {**self._headers, **headers}, body)
            # Whatever it was: on this connection an answer may still be under way, and would be taken for the next
            # request's.
            except BaseException as error:
                self.close()
                if isinstance(error, OSError | NetError):
                    # `from None`: what a library raises may carry the request, and that carries a key.
                    raise self._explained(error) from None
                raise

    # connecting

    def _connected(self) -> Conversation:
        connection = self._connection
        if connection is not None and (connection.idle_s() > KEEP_ALIVE_S or connection.stream.ended()):
            self.close()
        if self._connection is None:
            self._connection = Conversation(self._open())
        return self._connection

    def _open(self) -> Stream:
        self.secured = None
        stream = self._tcp(*self._first_hop())
        try:
            if self._proxy is not None:
                stream = self._through(stream, self._proxy)
            if self._context is None:
                return stream
            secured = self._tls(stream, self._context, self._trust.expected_name or self.host, self._names)
        except BaseException:
            stream.close()
            raise
        self.secured = secured.described
        return secured

    def _first_hop(self) -> tuple[str, int]:
        if self._proxy is None:
            return self.host, self._port
        return _ascii(self._proxy.host), self._proxy.port

    def _through(self, stream: Stream, proxy: Proxy) -> Stream:
        """The stream to the destination that the proxy at the other end of `stream` opens."""
        if self._proxy_context is not None:
            names = replace(self._names, address=self._names.proxy)
            stream = self._tls(stream, self._proxy_context, _ascii(proxy.host), names, f"The proxy {proxy}: ")
        self._ask_proxy(stream, proxy)
        return stream

    def _tcp(self, host: str, port: int) -> Stream:
        flight = self._flight
        # The name look-up and the connection know no other way to end than their deadline and these two.
        connection = open_tcp(host, port, flight.deadline, stopped=lambda: flight.aborted, holding=flight.holds)
        return TcpStream(connection, flight)

    def _tls(
        self, lower: Stream, context: ssl.SSLContext, host: str, names: OptionNames, before: str = ""
    ) -> TlsStream:
        self._flight.step = Step.HANDSHAKE
        try:
            return TlsStream(lower, context, host)
        except TimeoutError:
            raise
        except OSError as error:
            raise tls.explain(error, self._trust, names, before=before) from None
        except ValueError:
            raise NetError(
                Fault.TLS,
                "The name to check is no host name.",
                f"Check the host in {names.address}.",
                step=Step.HANDSHAKE,
            ) from None

    def _ask_proxy(self, stream: Stream, proxy: Proxy) -> None:
        """CONNECT: the destination and the proxy's own login, and nothing of what is sent through it later."""
        self._flight.step = Step.PROXY
        destination = _authority(self.host, self._port)
        headers = {"Host": destination}
        if proxy.user is not None:
            login = f"{proxy.user}:{proxy.password.reveal() if proxy.password else ''}".encode()
            headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login).decode('ascii')}"
        connection = Conversation(stream)
        try:
            connection.send_head("CONNECT", destination, headers)
            head = connection.read_head()
        except NetError as error:
            if error.fault is Fault.NOT_HTTP:
                raise refused_by_proxy(proxy, None, self.host, self._names) from None
            raise
        # A proxy that says more than its answer would be heard as the server behind it.
        if not 200 <= head.status < 300 or connection.left_over:
            raise refused_by_proxy(proxy, head, self.host, self._names)

    # asking

    def _ask(
        self, connection: Conversation, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpAnswer:
        # No compression asked for, and none undone: a bomb of a few kilobytes unpacks to gigabytes.
        whole = {"Host": self._authority, "Accept": "*/*", **headers, "Accept-Encoding": "identity"}
        if body is not None or method in ("POST", "PUT"):
            whole["Content-Length"] = str(len(body or b""))
        lost = self._send(connection, method, target, whole, body or b"")
        self._flight.step = Step.ANSWER
        try:
            head = connection.read_head()
            if self._limits.bodies_of and head.status not in self._limits.bodies_of:
                self.close()  # its body is not wanted and would have to be read first
                return HttpAnswer(head.status, b"", head.joined())
            content = connection.read_body(self._limits.most_bytes)
        except (OSError, NetError) as error:
            raise (lost if lost is not None and not isinstance(error, TimeoutError) else error) from None
        if not connection.is_free():
            self.close()
        return HttpAnswer(head.status, content, head.joined())

    def _send(
        self, connection: Conversation, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> OSError | None:
        """Send it; a connection that broke meanwhile is given back: who refuses early (413) has answered before."""
        self._flight.step = Step.SEND
        try:
            # Before the first byte: whether it arrived is not known from here on, and what may have left counts as
            # having left.
            self._flight.wrote_request = True
            connection.send_head(method, quote(target, safe=_TARGET_SAFE), headers)
            connection.send_body(body)
        except TimeoutError:
            raise
        except OSError as error:
            return error
        return None

    # words

    def _explained(self, error: OSError | NetError) -> NetError:
        """What happened, in words, with whether anything of the request left."""
        found = error if isinstance(error, NetError) else self._found(error)
        if self._flight.aborted:
            found = NetError(Fault.ABORTED, "The agent was told to stop.", "Nothing.", step=self._flight.step)
        within_s = self._flight.deadline.within_s
        words = why_and_do(found, self.host, self._proxy, self._names, within_s)
        why, do = (found.why, found.do) if found.do else words
        return NetError(found.fault, why, do, step=found.step, sent=self._flight.wrote_request, cause=found.cause)

    def _found(self, error: OSError) -> NetError:
        step = self._flight.step
        if isinstance(error, TimeoutError):
            return NetError(Fault.TIMEOUT, step=step, cause=error)
        late = isinstance(error, ssl.SSLError) and tls.fault_of(error, self._trust) is Fault.CERTIFICATE_WANTED
        return NetError(Fault.CERTIFICATE_WANTED if late else Fault.LOST, step=step, cause=error)


def _ascii(host: str) -> str:
    """The name as the network knows it; one that cannot be encoded stays as it is, and is not found."""
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def _authority(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _proxy_trust(trust: TlsTrust) -> TlsTrust:
    """The proxy proves its own name to the same authorities, and gets no certificate of ours."""
    return TlsTrust(ca_file=trust.ca_file, common_name=trust.common_name, strict_chain=trust.strict_chain)
