"""A real CONNECT proxy on loopback, over TCP or TLS, with or without a login: it connects to where it is asked to."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class RunningProxy:
    """Its port, and the head of each request that came to it."""

    port: int = 0
    secure: bool = False
    heads: list[bytes] = field(default_factory=list)


@contextmanager
def connect_proxy(
    *, login: str | None = None, challenges: Sequence[str] = ("Basic realm=proxy",), certificate: Path | None = None
) -> Iterator[RunningProxy]:
    """The proxy; with a `login` (user:password) it answers 407 and these `challenges` to everybody else.

    `certificate`: a PEM file with which it speaks TLS itself.
    """
    running = RunningProxy(secure=certificate is not None)
    wanted = None if login is None else b"Basic " + base64.b64encode(login.encode()) + b"\r\n"
    asked_for = "".join(f"Proxy-Authenticate: {line}\r\n" for line in challenges)
    refusal = f"HTTP/1.1 407 Proxy Authentication Required\r\n{asked_for}Content-Length: 0\r\n\r\n".encode()

    def handle(connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (piece := connection.recv(4096)):
                return
            head += piece
        running.heads.append(head)
        if wanted is not None and wanted not in head:
            connection.sendall(refusal)
            return
        found = re.match(rb"CONNECT (\S+):(\d+) ", head)
        assert found
        with socket.create_connection((found[1].decode(), int(found[2]))) as target:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _relay(connection, target)

    with _serving(handle, certificate) as port:
        running.port = port
        yield running


def _relay(one: socket.socket, other: socket.socket) -> None:
    back = threading.Thread(target=_pump, args=(other, one))
    back.start()
    _pump(one, other)
    back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        # Below TLS: its own shutdown would drop the TLS state that the other direction still reads with.
        socket.socket.shutdown(sink, socket.SHUT_WR)


@contextmanager
def _serving(handle: Callable[[socket.socket], None], certificate: Path | None) -> Iterator[int]:
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    workers: list[threading.Thread] = []

    def work(plain: socket.socket) -> None:
        with plain, suppress(OSError):
            if context is None:
                handle(plain)
            else:
                with context.wrap_socket(plain, server_side=True) as secured:
                    handle(secured)

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                workers.append(threading.Thread(target=work, args=(connection,)))
                workers[-1].start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            server.close()
            acceptor.join()
            for worker in workers:
                worker.join()
