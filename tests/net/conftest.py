"""A server on loopback that says exactly the bytes it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

Handle = Callable[[socket.socket], None]


class Scripted:
    """Answers each connection with `handle`; `port` is where, `heard` what each sent first."""

    def __init__(self) -> None:
        self.handle: Handle = lambda _: None
        self.heard: list[bytes] = []
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._workers: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    @property
    def url(self) -> str:
        """Its address in clear."""
        return f"http://127.0.0.1:{self.port}"

    def says(self, *pieces: bytes, keep: bool = False) -> None:
        """From now on each request is answered with these bytes; then the connection is closed, unless `keep`."""

        def handle(connection: socket.socket) -> None:
            while request := connection.recv(65536):
                self.heard.append(request)
                for piece in pieces:
                    connection.sendall(piece)
                if not keep:
                    return

        self.handle = handle

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._workers.append(threading.Thread(target=self._work, args=(connection,)))
            self._workers[-1].start()

    def _work(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self.handle(connection)

    def stop(self) -> None:
        """End it, and every connection."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._acceptor.join()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for worker in self._workers:
            worker.join()


@pytest.fixture
def server() -> Iterator[Scripted]:
    """A server of this test's own."""
    running = Scripted()
    yield running
    running.stop()
