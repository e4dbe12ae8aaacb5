"""One JRMP connection: TCP or TLS, handshake, calls out, replies in, under one deadline for all of it.

Wire:  wire note, section 2. Client 4a524d49 0002 4b; server 4e, UTF, 4-byte port; client UTF (empty), 4-byte port.
Time:  `Deadline` is a moment of the monotonic clock; every wait takes what is left of it, so that a server that sends
       a byte now and then cannot hold the caller.
Raise: JmxError with the code of what failed. After any error the channel is closed and of no further use.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence

from agent.jmx import tls
from agent.jmx.calls import CallBytes, Method
from agent.jmx.errors import ConnectionLost, JmxError, ProtocolError
from agent.jmx.model import TlsOptions
from agent.jmx.replies import Return, read_return
from agent.jmx.serial import StreamReader
from agent.net import resolve
from agent.net.connect import open_tcp as connect_tcp
from agent.net.deadline import Deadline, OutOfTime
from agent.net.error import Fault, NetError
from agent.net.resolve import Address

HANDSHAKE = b"JRMI\x00\x02\x4b"
CLIENT_ENDPOINT = bytes(6)  # an empty host name and port 0, as the server makes no use of them
# 4e takes the stream protocol (4f would refuse it); 15 begins a TLS alert, so a plain call met a TLS port.
ACKNOWLEDGED, TLS_ALERT, DGC_ACK = 0x4E, 0x15, b"\x54"
READ_BYTES = 65536
MAX_UNANSWERED = 24_000  # bytes of calls under way: both sides' buffers hold them, so nobody blocks in a write
MAX_SERVER_NAME = 1024


def timed_out(doing: str) -> JmxError:
    """Return the error of a deadline that passed while `doing`."""
    return JmxError("timeout", f"No answer in time while {doing}.", do="Check the load of the JVM and any firewall.")


def _need_s(deadline: Deadline, doing: str) -> float:
    """Return the seconds left. Raises JmxError `timeout` when there are none."""
    try:
        return deadline.need_s(doing)
    except OutOfTime:
        raise timed_out(doing) from None


class Channel:
    """A connected socket after its handshake."""

    def __init__(self, sock: socket.socket, side: str, options: TlsOptions, deadline: Deadline) -> None:
        self._socket: socket.socket | None = sock
        self._side = side
        self._tls = options
        self.deadline = deadline
        # Replies carry neither length nor number: only parsing tells where one ends, and until then its bytes stay
        # here.
        self.inbox = bytearray()

    def close(self) -> None:
        """Close the socket; may be called again."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    def _open_socket(self, doing: str) -> socket.socket:
        if self._socket is None:
            raise ConnectionLost("The connection is closed.")
        # Anew before each wait, with what is left: a timeout set once begins again with every byte that drips in.
        self._socket.settimeout(_need_s(self.deadline, doing))
        return self._socket

    def fill(self) -> None:
        """Wait for more bytes. Raises ConnectionLost at the end of the stream.

        A method and no attribute: a channel that holds itself keeps 16 MiB until the collector comes.
        """
        sock = self._open_socket("waiting for a reply")
        try:
            received = sock.recv(READ_BYTES)
        except TimeoutError:
            raise timed_out("waiting for a reply") from None
        except OSError as error:
            raise self._broken(error) from error
        if not received:
            raise ConnectionLost("The server closed the connection.")
        self.inbox += received

    def _broken(self, error: OSError) -> JmxError:
        # Not only in the handshake: with TLS 1.3 a missing client certificate shows at the first read after it (section
        # 11).
        if tls.is_tls_error(error):
            return tls.tls_error(error, self._tls, self._side)
        return ConnectionLost("The connection broke.", why=error.strerror or "")

    def _send(self, raw: bytes) -> None:
        view = memoryview(raw)
        while view:
            sock = self._open_socket("sending")
            try:
                view = view[sock.send(view) :]
            except TimeoutError:
                raise timed_out("sending") from None
            except OSError as error:
                raise self._broken(error) from error

    def shake_hands(self) -> None:
        """Exchange the JRMP handshake. Raises JmxError `wrong-port` or one of the TLS codes."""
        try:
            self._send(HANDSHAKE)
            self._read_acknowledgement()
            self._send(CLIENT_ENDPOINT)
        except ConnectionLost as error:
            # A port of the product's own (HTTP, AJP) hangs up on bytes it does not know, and says nothing.
            raise wrong_port(f"The {self._side} ended the handshake.", why=error.what) from error

    def _read_acknowledgement(self) -> None:
        reader = StreamReader(self.inbox, fill=self.fill)
        first = reader.u1()
        if first == TLS_ALERT:
            raise _wants_tls(self._side)
        if first != ACKNOWLEDGED:
            raise wrong_port(f"What answers there is no JMX {self._side}.", why=f"First byte {first:#04x}.")
        length = reader.u2()
        if length > MAX_SERVER_NAME:
            raise wrong_port(f"What answers there is no JMX {self._side}.")
        # Our own address as the server sees it, and our port: of no use here, but the next byte is behind them.
        reader.take(length + 4)
        del self.inbox[: reader.at]

    def send_calls(self, calls: Sequence[CallBytes]) -> None:
        """Send calls; the caller keeps the bytes without an answer below MAX_UNANSWERED."""
        # The second lock: the method was checked where the call was made, and here nothing passes that was not made
        # there.
        if not all(type(call) is CallBytes for call in calls):
            raise ProtocolError("Only calls of the list of read-only methods may be sent.")
        self._send(calls[0] if len(calls) == 1 else b"".join(calls))

    def acknowledge(self, uid: bytes) -> None:
        """Send the DGCAck for a reply that held a remote reference."""
        self._send(DGC_ACK + uid)

    def receive(self, method: Method, *, record: bool = False) -> tuple[Return, StreamReader]:
        """Return the next reply, to `method`, and its reader; the bytes stay in the inbox until `consume`."""
        reader = StreamReader(self.inbox, fill=self.fill, record=record)
        return read_return(reader, method.result), reader

    def consume(self, size: int) -> None:
        """Drop the bytes of a reply that was dealt with."""
        del self.inbox[:size]

    def ask(self, call: CallBytes, method: Method) -> Return:
        """Send one call and return its reply. Raises RemoteFailure when the server answers with an exception."""
        self.send_calls((call,))
        answer, reader = self.receive(method)
        self.consume(reader.at)
        if answer.failure is not None:
            raise answer.failure
        return answer


def windows(calls: Iterable[CallBytes], limit: int = MAX_UNANSWERED // 2) -> Iterable[list[CallBytes]]:
    """Yield the calls in groups of at most `limit` bytes (but at least one call): two groups may be under way."""
    # Half of what may be unanswered: one group is answered while the next is under way, and the two together still fit
    # into the buffers of both sides.
    group: list[CallBytes] = []
    size = 0
    for call in calls:
        if group and size + len(call) > limit:
            yield group
            group, size = [], 0
        group.append(call)
        size += len(call)
    if group:
        yield group


def connect(host: str, port: int, side: str, options: TlsOptions, *, secure: bool, deadline: Deadline) -> Channel:
    """Return a channel after its handshake; `side` is registry or server."""
    plain = open_tcp(host, port, side, deadline)
    channel = None
    try:
        plain.settimeout(_need_s(deadline, f"connecting to the {side}"))
        sock = tls.wrap(plain, host, options, side) if secure else plain
        channel = Channel(sock, side, options, deadline)
        channel.shake_hands()
    # Whatever it was, an interrupt too: half a handshake would hold a thread of the target for a minute (section 8).
    except BaseException:
        plain.close()
        if channel is not None:
            channel.close()
        raise
    return channel


def addresses_of(host: str, port: int, deadline: Deadline) -> list[Address]:
    """Return the addresses to try. Raises JmxError `unknown-host`."""
    try:
        return resolve.addresses_of(host, port, deadline)
    except NetError as error:
        raise _not_connected(error, host, port, "") from None


def open_tcp(host: str, port: int, side: str, deadline: Deadline) -> socket.socket:
    """Return a connected socket, not a byte sent. Raises JmxError `unknown-host`, `refused` or `unreachable`."""
    try:
        return connect_tcp(host, port, deadline)
    except NetError as error:
        raise _not_connected(error, host, port, side) from error


def _not_connected(error: NetError, host: str, port: int, side: str) -> JmxError:
    silent = isinstance(error.cause, TimeoutError)
    if error.fault is Fault.TIMEOUT:
        return timed_out(f"connecting to the {side}")
    if error.fault is Fault.NAME:
        why = "The resolver does not answer." if silent else f"Resolver: {error.why}."
        return JmxError("unknown-host", f"The host name {host} cannot be resolved.", why=why, do="Check host and DNS.")
    if error.fault is Fault.REFUSED:
        return JmxError(
            "refused",
            f"Nothing listens on port {port} ({side}).",
            do="Check that the product runs with -Dcom.sun.management.jmxremote.port, and the port number."
            if side == "registry"
            else "Set -Dcom.sun.management.jmxremote.rmi.port to a fixed, open port.",
        )
    return JmxError(
        "unreachable",
        f"Port {port} ({side}) cannot be reached.",
        why="No answer: a firewall may drop the packets." if silent else error.why,
        do="Open the port for this host."
        if side == "registry"
        else "Set -Dcom.sun.management.jmxremote.rmi.port to a fixed port and open it for this host.",
    )


def wrong_port(what: str, *, why: str = "") -> JmxError:
    """Return the error of a port that belongs to something else."""
    return JmxError("wrong-port", what, why=why, do="Give the port of -Dcom.sun.management.jmxremote.port.")


def _wants_tls(side: str) -> JmxError:
    return JmxError(
        "registry-tls-missing" if side == "registry" else "server-tls-missing",
        f"The {side} wants TLS.",
        why="com.sun.management.jmxremote.registry.ssl=true" if side == "registry" else "jmxremote.ssl=true",
        do=f"Switch TLS on for the {side} of this target.",
    )
