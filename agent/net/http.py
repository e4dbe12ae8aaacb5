"""HTTP/1.1 to one server: one deadline over a whole request, a cap on the answer, nothing that happens by itself.

In:    an address, whom to trust, perhaps a proxy; then method, target, headers, body and a deadline.
Out:   a complete answer with its headers, or NetError. No redirect, no cookie, no login of our own making, no
       decompression, nothing from the environment (proxy variables, netrc). One connection, kept half a minute.
Proxy: only the one that is given. Its login is in CONNECT and nowhere else, and nothing of a request is in CONNECT.
h11 speaks HTTP over our own sockets: it does no input and output itself, and costs 2 MiB where httpx costs 14.
"""

from __future__ import annotations

import base64
import re
import ssl
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import NoReturn
from urllib.parse import quote, urlsplit

import h11

from agent.net import tls
from agent.net.answer import HttpAnswer
from agent.net.connect import open_tcp
from agent.net.deadline import Deadline
from agent.net.error import Fault, NetError, Step
from agent.net.options import HttpLimits, OptionNames, Proxy, TlsTrust
from agent.net.stream import Flight, Stream, TcpStream, TlsStream
from agent.system.clock import monotonic_s

KEEP_ALIVE_S = 30.0
MOST_HEAD_BYTES = 64 * 1024
PORTS = {"http": 80, "https": 443}
# What may stand in a request line as it is; `%` stays, since who wrote an address may have encoded it already.
_TARGET_SAFE = "/%:@!$&'()*+,;=~?-._[]"
# One header may list several ways to log in, each with parameters: a scheme begins an item and has no "=" behind it.
_QUOTED = re.compile(r'"[^"]*"')
_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z][\w-]*)(?=\s*,|\s*$|\s+[^\s=])")


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
        self._connection: _Connection | None = None
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
            except BaseException as error:
                self.close()
                if isinstance(error, OSError | NetError | h11.ProtocolError):
                    # `from None`: what a library raises may carry the request, and that carries a key.
                    raise self._explained(error) from None
                raise

    # connecting

    def _connected(self) -> _Connection:
        connection = self._connection
        if connection is not None and (connection.idle_s() > KEEP_ALIVE_S or connection.stream.ended()):
            self.close()
        if self._connection is None:
            self._connection = _Connection(self._open())
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
        connection = _Connection(stream)
        try:
            connection.send_head("CONNECT", destination, headers)
            head = connection.read_head()
        except h11.RemoteProtocolError:
            raise NetError(
                Fault.PROXY, f"the proxy {proxy} does not answer as a proxy does.", f"Check {self._names.proxy}."
            ) from None
        if not 200 <= head.status_code < 300 or connection.wire.trailing_data[0]:
            raise self._refused_by(proxy, head)

    def _refused_by(self, proxy: Proxy, head: h11.Response | h11.InformationalResponse) -> NetError:
        status = head.status_code
        if status == 407:
            why, do = _login_words(proxy, _schemes(head), self.host, self._names)
            return NetError(Fault.PROXY_LOGIN, why, do, step=Step.PROXY)
        if 200 <= status < 300:
            why, do = f"the proxy {proxy} does not answer as a proxy does.", f"Check {self._names.proxy}."
        else:
            why = f"the proxy {proxy} refuses to connect there (status {status})."
            do = "Ask its operator to allow this destination."
        return NetError(Fault.PROXY, why, do, step=Step.PROXY)

    # asking

    def _ask(
        self, connection: _Connection, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpAnswer:
        whole = {"Host": self._authority, "Accept": "*/*", **headers, "Accept-Encoding": "identity"}
        if body is not None or method in ("POST", "PUT"):
            whole["Content-Length"] = str(len(body or b""))
        lost = self._send(connection, method, target, whole, body or b"")
        self._flight.step = Step.ANSWER
        try:
            head = connection.read_head()
            if self._limits.bodies_of and head.status_code not in self._limits.bodies_of:
                self.close()  # its body is not wanted and would have to be read first
                return HttpAnswer(head.status_code, b"", _headers(head))
            content = connection.read_body(self._limits.most_bytes)
        except (OSError, h11.RemoteProtocolError) as error:
            raise (lost if lost is not None and not isinstance(error, TimeoutError) else error) from None
        if not connection.free():
            self.close()
        return HttpAnswer(head.status_code, content, _headers(head))

    def _send(
        self, connection: _Connection, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> OSError | None:
        """Send it; a connection that broke meanwhile is given back: who refuses early (413) has answered before."""
        self._flight.step = Step.SEND
        try:
            self._flight.wrote_request = True
            connection.send_head(method, quote(target, safe=_TARGET_SAFE), headers)
            connection.send_body(body)
        except (h11.LocalProtocolError, UnicodeEncodeError):
            # Both hold the header, and a header may hold a key.
            raise ValueError("a header of this request cannot be sent") from None
        except TimeoutError:
            raise
        except OSError as error:
            return error
        return None

    # words

    def _explained(self, error: OSError | NetError | h11.ProtocolError) -> NetError:
        """What happened, in words, with whether anything of the request left."""
        found = error if isinstance(error, NetError) else self._found(error)
        if self._flight.aborted:
            found = NetError(Fault.ABORTED, "The agent was told to stop.", "Nothing.", step=self._flight.step)
        why, do = (found.why, found.do) if found.do else self._words(found)
        return NetError(found.fault, why, do, step=found.step, sent=self._flight.wrote_request, cause=found.cause)

    def _found(self, error: OSError | h11.ProtocolError) -> NetError:
        step = self._flight.step
        if isinstance(error, h11.ProtocolError):
            return NetError(Fault.NOT_HTTP, step=step)
        if isinstance(error, TimeoutError):
            return NetError(Fault.TIMEOUT, step=step, cause=error)
        late = isinstance(error, ssl.SSLError) and tls.fault_of(error, self._trust) is Fault.CERTIFICATE_WANTED
        return NetError(Fault.CERTIFICATE_WANTED if late else Fault.LOST, step=step, cause=error)

    def _words(self, found: NetError) -> tuple[str, str]:
        where = f"the proxy {self._proxy}" if self._proxy is not None else self.host
        names = self._names
        if isinstance(found.cause, TimeoutError):
            return (
                f"{where} did not do its part within {self._flight.deadline.within_s:.0f} s ({_LATE[found.step]}).",
                f"If a firewall drops the packets, allow this host to connect, or set {names.proxy}.",
            )
        if found.fault is Fault.NAME:
            name = self._first_hop()[0]
            return f"The name {name} cannot be resolved ({found.why}).", f"Check the name server: getent hosts {name}"
        if found.fault is Fault.REFUSED:
            return f"Nothing listens at {where} (connection refused).", f"Check {names.address} and {names.proxy}."
        if found.fault is Fault.UNREACHABLE:
            return f"{where}: {found.why}.", "Check the network and the routes of this host."
        if found.fault is Fault.NOT_HTTP:
            return f"{where} does not answer in HTTP/1.1.", f"Check the port in {names.address}, and {names.proxy}."
        if found.fault is Fault.TOO_LARGE:
            return found.why, f"See what answers there: {names.address}."
        if found.fault is Fault.CERTIFICATE_WANTED:
            return f"{where} wants a client certificate that it trusts.", "Ask whoever runs it to do without."
        return (
            f"The connection to {where} was lost before the answer was complete.",
            "It is tried again; if it lasts, look for a firewall or proxy that cuts connections.",
        )


_LATE = {
    Step.NAME: "the name server does not answer in time",
    Step.CONNECT: "no connection in time",
    Step.PROXY: "no answer of the proxy in time",
    Step.HANDSHAKE: "no TLS handshake in time",
    Step.SEND: "not sent in time",
    Step.ANSWER: "no complete answer in time",
}


class _Connection:
    """One stream and where HTTP stands on it."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD_BYTES)
        self._since_s = monotonic_s()

    def idle_s(self) -> float:
        """Seconds since the last answer."""
        return monotonic_s() - self._since_s

    def send_head(self, method: str, target: str, headers: Mapping[str, str]) -> None:
        """The request line and its headers."""
        pairs = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        self._send(h11.Request(method=method.encode("ascii"), target=target.encode("ascii"), headers=pairs))

    def send_body(self, body: bytes) -> None:
        """The body, and the end of the request."""
        if body:
            self._send(h11.Data(data=body))
        self._send(h11.EndOfMessage())

    def _send(self, event: h11.Event) -> None:
        if raw := self.wire.send(event):
            self.stream.send(raw)

    def read_head(self) -> h11.Response:
        """The head of the answer; what comes before it (100 Continue) is passed over."""
        while True:
            event = self._next()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                self._broken()

    def read_body(self, most_bytes: int) -> bytes:
        """All of the body. Raises NetError `too-large` before more than `most_bytes` are kept."""
        content = bytearray()
        while not isinstance(event := self._next(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                self._broken()
            content += event.data
            if len(content) > most_bytes:
                raise NetError(Fault.TOO_LARGE, f"The answer is larger than {most_bytes:,} bytes.", step=Step.ANSWER)
        return bytes(content)

    def _next(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            if self.wire.their_state is h11.SEND_RESPONSE and not b"HTTP/".startswith(self.wire.trailing_data[0][:5]):
                self._broken()  # said at the first byte, not when the deadline is over
            try:
                event = self.wire.next_event()
            except h11.RemoteProtocolError:
                if self.wire.trailing_data[1]:
                    raise ConnectionAbortedError("it ended before the answer was complete") from None
                raise
            if not isinstance(event, type) or event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # NEED_DATA is excluded, which a sentinel type cannot show
            self.wire.receive_data(self.stream.receive())

    def _broken(self) -> NoReturn:
        raise h11.RemoteProtocolError("not an answer")

    def free(self) -> bool:
        """Whether another request may follow on this connection; then it is ready for it."""
        if self.wire.our_state is not h11.DONE or self.wire.their_state is not h11.DONE:
            return False
        self.wire.start_next_cycle()
        self._since_s = monotonic_s()
        return True


def _headers(head: h11.Response | h11.InformationalResponse) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in head.headers:
        text = value.decode("latin-1")
        key = name.decode("ascii")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


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


def _schemes(head: h11.Response | h11.InformationalResponse) -> list[str]:
    """The ways to log in that a proxy names, as it spells them."""
    lines = [value.decode("latin-1") for name, value in head.headers if name == b"proxy-authenticate"]
    return list(dict.fromkeys(scheme for line in lines for scheme in _SCHEME.findall(_QUOTED.sub('""', line))))


def _login_words(proxy: Proxy, schemes: list[str], destination: str, names: OptionNames) -> tuple[str, str]:
    where = f"the proxy {proxy}"
    if schemes and "basic" not in {scheme.lower() for scheme in schemes}:
        shown = ", ".join(scheme[:20] for scheme in schemes[:5])
        return (
            f"{where} wants a login (407), and only by {shown}: this agent does not speak that, it logs in by Basic.",
            f"Ask its operator to let this host reach {destination} without a login, or to allow Basic for an account; "
            f"or name in {names.proxy} a relay on this host that speaks it.",
        )
    if proxy.user is not None:
        return (
            f"{where} does not accept the login (407).",
            f"Check the user in {names.proxy} and the password in {names.proxy_password}.",
        )
    return (
        f"{where} wants a login (407).",
        f"Set the user in {names.proxy} (http://USER@HOST:PORT) and the password in {names.proxy_password}.",
    )
