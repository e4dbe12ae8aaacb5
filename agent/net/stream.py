"""Sockets under one deadline, and TLS on top of any of them: over TCP, through a proxy, through a proxy over TLS.

A lost connection is an error and never looks like the end of an answer: only TLS's own goodbye ends a TLS stream.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

from agent.net import tls
from agent.net.deadline import Deadline
from agent.net.error import Fault, NetError, Step

READ_BYTES = 65536
T = TypeVar("T")


class Flight:
    """The request in flight: its deadline, what is being done, whether any of it left, and a way to end it at once."""

    def __init__(self) -> None:
        self.deadline = Deadline(0.0)
        self.step = Step.CONNECT
        self.wrote_request = False
        self._socket: socket.socket | None = None
        self._aborted = threading.Event()

    def start(self, deadline: Deadline) -> None:
        """Begin the time of one request."""
        self.deadline = deadline
        self.step = Step.CONNECT
        self.wrote_request = False

    @property
    def aborted(self) -> bool:
        """Whether `abort` was called, ever."""
        return self._aborted.is_set()

    def left_s(self) -> float:
        """Seconds left; raises NetError `aborted`, or OutOfTime when none are."""
        if self.aborted:
            raise NetError(Fault.ABORTED, step=self.step)
        return self.deadline.need_s(self.step)

    def holds(self, connection: socket.socket | None) -> None:
        """Remember the socket in use, so that `abort` can wake whoever waits on it."""
        self._socket = connection
        if connection is not None and self.aborted:
            raise NetError(Fault.ABORTED, step=self.step)  # it came between the last look and this line

    def abort(self) -> None:
        """End the request in flight, and every later one, from another thread or a signal handler: takes no lock."""
        self._aborted.set()
        connection = self._socket
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Stream(Protocol):
    """Bytes to and from the other end, each wait ending with the flight's deadline."""

    def receive(self) -> bytes:
        """What has arrived; empty only when the other end finished properly."""

    def send(self, content: bytes) -> None:
        """Send all of it."""

    def close(self) -> None:
        """Let go of the socket."""

    def ended(self) -> bool:
        """Whether an idle connection has something to read: then the other end has closed it."""


class TcpStream:
    """A connected socket."""

    def __init__(self, connection: socket.socket, flight: Flight) -> None:
        self._connection = connection
        self._flight = flight

    def receive(self) -> bytes:
        """What has arrived; empty when the other end closed."""
        self._connection.settimeout(self._flight.left_s())
        return self._connection.recv(READ_BYTES)

    def send(self, content: bytes) -> None:
        """Send all of it."""
        view = memoryview(content)
        while view:
            self._connection.settimeout(self._flight.left_s())
            view = view[self._connection.send(view[:READ_BYTES]) :]

    def close(self) -> None:
        """Close the socket."""
        self._flight.holds(None)
        self._connection.close()

    def ended(self) -> bool:
        """Whether there is something to read."""
        return bool(select.select([self._connection], [], [], 0)[0])


class TlsStream:
    """TLS over another stream, which may itself be TLS: Python's sockets cannot do that, its memory buffers can.

    Raises what the handshake raises, and NetError for a connection outside the policy, before a byte of a request.
    """

    def __init__(self, lower: Stream, context: ssl.SSLContext, host: str) -> None:
        self._lower = lower
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._drive(self._tls.do_handshake)
        tls.check_connection(self._tls)
        self.described = tls.described(self._tls)

    def receive(self) -> bytes:
        """What has arrived; empty after TLS's goodbye only."""
        try:
            return self._drive(lambda: self._tls.read(READ_BYTES))
        # Python's own TLS sockets make a TCP reset an empty read as well (`suppress_ragged_eofs`), so a cut answer
        # looks like a whole one (measured). Over memory buffers only the goodbye gets here.
        except ssl.SSLZeroReturnError:
            return b""

    def send(self, content: bytes) -> None:
        """Send all of it, in pieces: the buffer below has no limit of its own."""
        view = memoryview(content)
        while view:
            piece = view[:READ_BYTES]
            view = view[self._drive(lambda piece=piece: self._tls.write(piece)) :]  # type: ignore[misc]  # a default argument in a lambda

    def _drive(self, step: Callable[[], T]) -> T:
        """Do one step of TLS, moving bytes between its buffers and the stream below as it asks."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
                if arrived := self._lower.receive():
                    self._incoming.write(arrived)
                else:
                    self._incoming.write_eof()  # the next step raises: a stream that ends without goodbye is cut
                continue
            except ssl.SSLError:
                with suppress(OSError, NetError):
                    self._flush()  # the alert that tells the other end why
                raise
            self._flush()
            return result

    def _flush(self) -> None:
        if waiting := self._outgoing.read():
            self._lower.send(waiting)

    def close(self) -> None:
        """Close the stream below."""
        self._lower.close()

    def ended(self) -> bool:
        """Whether there is something to read."""
        return self._lower.ended()
