"""A server that speaks as much of SQL Server's protocol as shows whether a client trusts its certificate.

It answers PRELOGIN with "encryption on", does the TLS handshake inside TDS packets, and says whether a login came.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PRELOGIN, LOGIN, REPLY = 0x12, 0x10, 0x04
# VERSION and ENCRYPTION (on), each with offset and length; 0xff ends the list.
_ANSWER = bytes([0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xFF]) + bytes([16, 0, 0, 0, 0, 0]) + bytes([1])


@dataclass(slots=True)
class TdsServer:
    """Where it listens, and what each client did: "refused" (no login came) or "login"."""

    port: int = 0
    seen: list[str] = field(default_factory=list)


@contextmanager
def tds_server(pem: Path, *, strict: bool = False) -> Iterator[TdsServer]:
    """A server on a free loopback port with the certificate and key in `pem`; `strict` does TLS first (TDS 8)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = TdsServer()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        server.port = listener.getsockname()[1]
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = listener.accept()
                    with connection:
                        connection.settimeout(5)
                        server.seen.append(_talk(connection, context, strict=strict))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server
        finally:
            stop.set()
            thread.join()


def _talk(connection: socket.socket, context: ssl.SSLContext, *, strict: bool) -> str:
    try:
        if strict:
            with context.wrap_socket(connection, server_side=True) as secure:
                return "login" if secure.recv(4096) else "refused"
        _read_packet(connection)
        _write_packet(connection, REPLY, _ANSWER)
        return "login" if _handshake(connection, context) else "refused"
    except (OSError, ssl.SSLError):
        return "refused"


def _handshake(connection: socket.socket, context: ssl.SSLContext) -> bool:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            done = False
        if outgoing.pending:
            _write_packet(connection, PRELOGIN, outgoing.read())
        if done:
            break
        incoming.write(_read_packet(connection))
    # From here on TLS is bare, and what comes is the login, or nothing.
    data = connection.recv(4096)
    incoming.write(data)
    try:
        return bool(data) and bool(tls.read(8))
    except ssl.SSLError:
        return False


def _read_packet(connection: socket.socket) -> bytes:
    header = _exactly(connection, 8)
    return _exactly(connection, struct.unpack(">H", header[2:4])[0] - 8)


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionError("the client hung up")
        data += piece
    return data


def _write_packet(connection: socket.socket, kind: int, body: bytes) -> None:
    connection.sendall(struct.pack(">BBHHBB", kind, 1, len(body) + 8, 0, 1, 0) + body)
