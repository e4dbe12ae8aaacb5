"""A JMX server in Python, for what a real one cannot be made to do: answers are bytes of the vectors, or trouble.

Keeps every call that it received, so that a test can say what a client sent.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable

from agent.jmx.calls import Method
from agent.jmx.serial import StreamReader
from tests.jmx.vectors import records, reply

ARGUMENTS = {  # how many objects follow the head of a call; a dirty call has a block of 8 bytes among them
    Method.LOOKUP: 1,
    Method.LOOKUP_WITHOUT_SKELETON: 1,
    Method.DIRTY: 2,
    Method.NEW_CLIENT: 1,
    Method.CLOSE: 0,
    Method.GET_CONNECTION_ID: 0,
    Method.GET_DEFAULT_DOMAIN: 1,
    Method.GET_MBEAN_COUNT: 1,
    Method.IS_REGISTERED: 2,
    Method.QUERY_NAMES: 3,
    Method.GET_MBEAN_INFO: 2,
    Method.GET_ATTRIBUTE: 3,
    Method.GET_ATTRIBUTES: 3,
}
REPLY_HEAD = b"\x51\xac\xed\x00\x05\x77\x0f\x01" + bytes(range(14))
DOMAIN = REPLY_HEAD + b"\x74\x00\x01d"
VOID = REPLY_HEAD
LOOKUP_REPLY, NEW_CLIENT_REPLY, DIRTY_REPLY = [
    raw for side, raw in records("session-auth") if side == "S" and raw.startswith(b"\x51")
][:3]
REFUSED_LOGIN = [raw for side, raw in records("auth-bad-password") if side == "S"][-1]
GONE = reply("closed")
STUB_PORT = bytes.fromhex("0000238e")

Answer = bytes | None | Callable[["Double"], bytes]


def stub_reply(raw: bytes, port: int, host: str = "127.0.0.1") -> bytes:
    """A captured stub with another address."""
    old = b"\x00\x09127.0.0.1" + STUB_PORT
    new = struct.pack(">H", len(host)) + host.encode() + struct.pack(">i", port)
    begin = raw.index(b"\x77\x32\x00\x0aUnicastRef") + 1
    block = raw[begin + 1 : begin + 1 + raw[begin]].replace(old, new)
    return raw[:begin] + bytes([len(block)]) + block + raw[begin + 1 + raw[begin] :]


class Double:
    """Serves on a free loopback port until `stop`; `answers` may be changed while it runs.

    An answer of None closes the socket; a function gives the bytes or blocks; `greeting` replaces the handshake.
    """

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.calls: list[tuple[Method, bytes]] = []
        self.other: list[bytes] = []
        self.greeting: bytes | None = b"\x4e\x00\x09127.0.0.1\x00\x00\x9a\xec"
        self.byte_by_byte_s = 0.0
        self.answers: dict[Method, Answer] = {
            Method.LOOKUP: stub_reply(LOOKUP_REPLY, self.port),
            Method.NEW_CLIENT: NEW_CLIENT_REPLY,
            Method.DIRTY: DIRTY_REPLY,
            Method.GET_DEFAULT_DOMAIN: DOMAIN,
            Method.CLOSE: VOID,
        }
        self.stopping = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def count(self, method: Method) -> int:
        return sum(1 for called, _ in self.calls if called is method)

    def _accept(self) -> None:
        self.listener.settimeout(0.05)
        while not self.stopping.is_set():
            try:
                sock, _ = self.listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            try:
                self._talk(sock)
            except OSError:
                return

    def _talk(self, sock: socket.socket) -> None:
        sock.settimeout(10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as a JVM does
        inbox = bytearray()

        def fill() -> None:
            received = sock.recv(65536)
            if not received:
                raise ConnectionResetError
            inbox.extend(received)

        while len(inbox) < 7:
            fill()
        self.other.append(bytes(inbox[:7]))
        if self.greeting is None:
            return
        self._send(sock, self.greeting)
        while len(inbox) < 13:
            fill()
        del inbox[:13]
        while not self.stopping.is_set():
            if not self._answer_one(sock, inbox, fill):
                return

    def _answer_one(self, sock: socket.socket, inbox: bytearray, fill: Callable[[], None]) -> bool:
        reader = StreamReader(inbox, fill=fill)
        if reader.u1() == 0x54:
            self.other.append(reader.take(14))
            del inbox[: reader.at]
            return True
        reader.magic()
        head = reader.block()
        method = next(method for method in Method if method.selector == head[22:34])
        for position in range(ARGUMENTS[method]):
            if method is Method.DIRTY and position == 1:
                reader.block()
            reader.value()
        self.calls.append((method, bytes(inbox[: reader.at])))
        del inbox[: reader.at]
        answer = self.answers.get(method)
        raw = answer(self) if callable(answer) else answer
        if raw is None:
            return False
        self._send(sock, raw)
        return True

    def _send(self, sock: socket.socket, raw: bytes) -> None:
        if not self.byte_by_byte_s:
            sock.sendall(raw)
            return
        for byte in raw:
            sock.sendall(bytes([byte]))
            time.sleep(self.byte_by_byte_s)

    def stop(self) -> None:
        self.stopping.set()
        self.listener.close()
        for thread in self._threads:
            thread.join(10)


def hang(double: Double) -> bytes:
    """An answer that never comes while the server runs."""
    double.stopping.wait(30)
    raise ConnectionResetError
