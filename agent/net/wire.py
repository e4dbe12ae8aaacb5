"""Sockets for the HTTP library: one deadline over a whole request, and TLS that is checked before it is used.

The library counts its time limits per read, so a server that sends a byte a minute would hold a request for ever.
Here every step (look-up, connect, handshake, each read and write) gets what is left of one total deadline.
A lost connection is an error and never looks like the end of an answer.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterable
from typing import Any

import httpcore

from agent.net import tls
from agent.system.clock import monotonic_s

Address = tuple[Any, ...]


class InFlight:
    """The request in flight: its deadline, whether any of it left, and what the kernel or OpenSSL said when it failed.

    The connection pool clears the cause of the errors it passes on, so the cause is kept here.
    """

    def __init__(self) -> None:
        self._ends = 0.0
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self.aborted = False
        self.wrote_request = False
        self.cause: OSError | None = None
        self.secured: str | None = None

    def start(self, seconds: float) -> None:
        """Begin the time of one request."""
        self._ends = monotonic_s() + seconds
        self.wrote_request = False
        self.cause = None

    def left_s(self) -> float:
        """Seconds left; raises TimeoutError when none are."""
        left = self._ends - monotonic_s()
        if self.aborted or left <= 0:
            raise TimeoutError("the request's time is over")
        return left

    def holds(self, connection: socket.socket | None) -> None:
        """Remember the socket in use, so that `abort` can wake whoever waits on it."""
        with self._lock:
            self._socket = connection

    def abort(self) -> None:
        """End the request in flight, and every later one, from another thread or a signal handler."""
        self.aborted = True
        connection = self._socket
        if connection is not None:
            try:
                # The plain socket below the TLS layer: its own shutdown() would drop the TLS state without a word.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            except OSError:
                return


class CheckedBackend(httpcore.NetworkBackend):
    """Opens connections for the request in flight."""

    def __init__(self, flight: InFlight) -> None:
        self._flight = flight

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first address of `host` that answers."""
        problem: OSError = OSError("the name has no address")
        addresses = _look_up(host, port, self._flight)
        for number, (family, kind, protocol, _, address) in enumerate(addresses):
            connection = socket.socket(family, kind, protocol)
            try:
                # Each address gets a share: a dead IPv6 route must not use up the time of the IPv4 address behind it.
                connection.settimeout(self._flight.left_s() / (len(addresses) - number))
                self._flight.holds(connection)
                connection.connect(address)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return CheckedStream(connection, self._flight)
            except OSError as error:
                connection.close()
                problem = self._flight.cause = error
        if isinstance(problem, TimeoutError):
            raise httpcore.ConnectTimeout("no connection in time") from problem
        raise httpcore.ConnectError(str(problem)) from problem


class CheckedStream(httpcore.NetworkStream):
    """One connection; `start_tls` gives it back only when version and cipher suite are within the promise."""

    def __init__(self, connection: socket.socket, flight: InFlight) -> None:
        self._connection = connection
        self._flight = flight

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has arrived, at most `max_bytes`; empty only when the other end finished properly."""
        try:
            self._connection.settimeout(self._flight.left_s())
            return self._connection.recv(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout("no complete answer in time") from error
        except OSError as error:
            self._flight.cause = error
            raise httpcore.ReadError("the connection was lost") from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`."""
        try:
            self._connection.settimeout(self._flight.left_s())
            if isinstance(self._connection, ssl.SSLSocket):
                self._flight.wrote_request = True
            view = memoryview(buffer)
            while view:
                self._connection.settimeout(self._flight.left_s())
                view = view[self._connection.send(view[:65536]) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout("not sent in time") from error
        except OSError as error:
            self._flight.cause = error
            # The library then still reads: a server that refuses early (413) has answered before it closed.
            raise httpcore.WriteError("the connection was lost") from error

    def close(self) -> None:
        """Close the connection."""
        self._flight.holds(None)
        self._connection.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """The same connection under TLS; raises before anything was written when it is not safe enough."""
        host = server_hostname or ""
        try:
            self._connection.settimeout(self._flight.left_s())
            secured = ssl_context.wrap_socket(
                self._connection, server_hostname=host, suppress_ragged_eofs=False, do_handshake_on_connect=False
            )
        except OSError as error:
            self._flight.cause = error
            self._connection.close()
            raise httpcore.ConnectError("the connection was lost") from error
        self._flight.holds(secured)
        try:
            secured.settimeout(self._flight.left_s())
            secured.do_handshake()
            tls.check_connection(secured, host)
            self._flight.secured = tls.described(secured)
        except TimeoutError as error:
            secured.close()
            raise httpcore.ConnectTimeout("no TLS handshake in time") from error
        except OSError as error:
            self._flight.cause = error
            secured.close()
            raise httpcore.ConnectError("the TLS handshake failed") from error
        except BaseException:
            secured.close()
            raise
        return CheckedStream(secured, self._flight)

    def get_extra_info(self, info: str) -> Any:
        """What the library asks about a connection."""
        if info == "ssl_object":
            return self._connection if isinstance(self._connection, ssl.SSLSocket) else None
        if info == "is_readable":
            # An idle connection that has something to read was closed by the other end.
            return bool(select.select([self._connection], [], [], 0)[0])
        return None


def _look_up(host: str, port: int, flight: InFlight) -> list[Address]:
    """All addresses of `host`; the resolver knows no time limit of its own, so it is asked in a thread."""
    found: list[Address] = []
    problem: list[OSError] = []

    def ask() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            problem.append(error)
        except UnicodeError:
            problem.append(socket.gaierror(socket.EAI_NONAME, "not a host name"))

    resolver = threading.Thread(target=ask, name="name-look-up", daemon=True)
    resolver.start()
    resolver.join(flight.left_s())
    if resolver.is_alive():
        raise httpcore.ConnectTimeout("the name server does not answer in time")
    if problem:
        flight.cause = problem[0]
        raise httpcore.ConnectError("the name is unknown") from problem[0]
    return found
