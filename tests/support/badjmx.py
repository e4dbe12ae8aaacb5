"""A JMX server that misbehaves on demand: real sockets on 127.0.0.1, no JVM.

In:   beans as plain values, and mischief: where to stall, what to forge, what to forget. Attributes may be changed
while running.
Out:  what a JVM would answer (composed by `javawire`, or bytes captured from one), then the mischief; `calls` records
every call. Left to itself it behaves, so a test shows that the mischief alone made the difference. Leaving the `with`
block ends every thread and raises when one does not end.
"""

from __future__ import annotations

import fnmatch
import re
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.jmx import Target, TlsOptions, TransportName
from tests.support import javawire as wire

DATA = Path(__file__).parent.parent / "jmx" / "data" / "vectors"
RUNTIME = "java.lang:type=Runtime"
TLS_FACTORY = "javax.rmi.ssl.SslRMIClientSocketFactory"
UNSERIALISABLE = object()
THROWS = object()
Value = float | int | str | object


class Stage(StrEnum):
    """Where a client can be left waiting."""

    CONNECT = "connect"  # accepted, then silence: no handshake
    REGISTRY = "registry"
    CONNECTOR = "connector"  # the connector's port accepts, then silence
    LOGIN = "login"
    LEASE = "lease"
    LIST = "list"
    DESCRIBE = "describe"
    READ = "read"
    MID_READ = "mid-read"  # half of an answer, then silence


_STAGE_OF = {
    "lookup": Stage.REGISTRY,
    "newClient": Stage.LOGIN,
    "dirty": Stage.LEASE,
    "queryNames": Stage.LIST,
    "getMBeanInfo": Stage.DESCRIBE,
    "getAttribute": Stage.READ,
    "getAttributes": Stage.READ,
}


def standing_beans(timers: int = 3) -> dict[str, dict[str, Value]]:
    """Beans like those of a product: the JVM's Runtime bean and some timers."""
    beans: dict[str, dict[str, Value]] = {
        RUNTIME: {"StartTime": 1_700_000_000_000, "Uptime": 5_000, "VmName": "Double"}
    }
    for number in range(timers):
        name = f"com.atlassian.jira:type=metrics,category00=double,name=timer{number:02d}"
        beans[name] = {"Count": 1_000 + number, "Mean": number + 0.5, "Max": number + 9.25}
    return beans


@dataclass
class BadJmx:
    """The server; `stall`, `drip_s`, `flood` and the rest may be set before or while it runs."""

    beans: dict[str, dict[str, Value]] = field(default_factory=standing_beans)
    server_tls: ssl.SSLContext | None = None
    registry_tls: ssl.SSLContext | None = None
    credentials: tuple[str, str] | None = None
    stall: Stage | None = None
    drip_s: float | None = None  # pause before each byte of an answer
    flood: str | None = None  # "endless": an answer without end; "claimed": one that says it is 2 GiB long
    greeting: bytes | None = None  # in place of the JRMP handshake's answer
    stub_host: str = "127.0.0.1"
    stub_port: int | None = None
    stub_factory: str | None = None
    breaks_off: bool = False  # every read is broken off as by a JVM that has no memory left to write an answer
    denied: str | None = None  # message of a SecurityException for every read
    hang_up_in_reads: int = 0  # so many reads are cut in mid-answer, then all is well
    lease_ms: int = 600_000
    calls: list[wire.Call] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._arrived = threading.Condition()
        self._listeners: list[socket.socket] = []
        self._ids = count(1)
        self._server_id = self._new_id()
        self._connection_ids: set[bytes] = set()
        self.port = 0
        self.connector_port = 0

    def __enter__(self) -> Self:
        self.port = self._listen(0, registry=True)
        self.connector_port = self._listen(0, registry=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self.stop_listening()
        self.hang_up()
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(5)
        left = [thread.name for thread in threads if thread.is_alive()]
        if left:
            raise AssertionError(f"Threads of the double are still alive: {left}")

    @property
    def target(self) -> Target:
        """The target that reads this server, without secrets or TLS."""
        user, password = self.credentials or (None, "")
        return Target(
            host="127.0.0.1",
            port=self.port,
            transport=TransportName.RMI,
            user=user,
            password=(lambda: password) if user else None,
            tls=TlsOptions(server=self.server_tls is not None, registry=self.registry_tls is not None),
        )

    def count(self, operation: str) -> int:
        """How often clients called `operation`."""
        return sum(call.operation == operation for call in list(self.calls))

    def wait_for(self, operation: str, times: int, limit_s: float) -> bool:
        """Waits until clients have called `operation` so often; False when they did not within the limit."""
        with self._arrived:
            return self._arrived.wait_for(lambda: self.count(operation) >= times, limit_s)

    def counts(self) -> Counter[str]:
        return Counter(call.operation for call in list(self.calls))

    # -- mischief that is an act rather than a state

    def hang_up(self) -> None:
        """Closes every socket of every client, as an idle firewall would."""
        with self._lock:
            open_sockets = list(self._sockets)
        for connection in open_sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def forget_clients(self) -> None:
        """Drops every RMIConnection and keeps the sockets: the idle limit of 120 s has passed."""
        with self._lock:
            self._connection_ids.clear()

    def restart(self) -> None:
        """Becomes another JVM at the same registry port: new object ids, new connector port, later start time."""
        self.hang_up()
        with self._lock:
            self._connection_ids.clear()
            self._server_id = self._new_id()
        self.connector_port = self._listen(0, registry=False)
        self.beans[RUNTIME]["StartTime"] = int(str(self.beans[RUNTIME]["StartTime"])) + 60_000

    def stop_listening(self) -> None:
        """Refuses new connections from now on."""
        for listener in self._listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    # -- sockets and threads

    def _new_id(self) -> bytes:
        return struct.pack(">qiqh", next(self._ids) << 32 | 7, 1, 1_700_000_000_000, 1)

    def _listen(self, port: int, *, registry: bool) -> int:
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._listeners.append(listener)
        chosen: int = listener.getsockname()[1]
        self._spawn(f"accept-{chosen}", lambda: self._accept(listener, registry=registry))
        return chosen

    def _spawn(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=f"badjmx-{name}", daemon=True)
        with self._lock:
            self._threads = [known for known in self._threads if known.is_alive() or not known.ident]
            self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, *, registry: bool) -> None:
        while not self._closing.is_set():
            try:
                connection, address = listener.accept()
            except OSError:
                return
            self.connections += 1
            self._spawn(f"client-{address[1]}", lambda taken=connection: self._serve(taken, registry=registry))  # type: ignore[misc]

    def _serve(self, connection: socket.socket, *, registry: bool) -> None:
        context = self.registry_tls if registry else self.server_tls
        with self._lock:
            self._sockets.add(connection)
        try:
            if self._closing.is_set():
                return
            if self.stall == (Stage.CONNECT if registry else Stage.CONNECTOR):
                _wait_for_end(connection)
                return
            if context is not None:
                plain = connection
                connection = context.wrap_socket(plain, server_side=True)
                with self._lock:
                    self._sockets.discard(plain)
                    self._sockets.add(connection)
            self._converse(connection)
        except (OSError, ValueError):
            return  # the client went away, or speaks another protocol: a JVM closes too
        finally:
            with self._lock:
                self._sockets.discard(connection)
            connection.close()

    def _converse(self, connection: socket.socket) -> None:
        buffer = bytearray()

        def more() -> None:
            data = connection.recv(65536)
            if not data:
                raise ConnectionResetError
            buffer.extend(data)

        def take(size: int) -> bytes:
            while len(buffer) < size:
                more()
            taken = bytes(buffer[:size])
            del buffer[:size]
            return taken

        if take(7) != bytes.fromhex("4a524d4900024b"):
            return
        if self.greeting is not None:
            connection.sendall(self.greeting)
            _wait_for_end(connection)
            return
        connection.sendall(b"\x4e" + wire.text_bytes("127.0.0.1") + struct.pack(">i", connection.getpeername()[1]))
        take(int.from_bytes(take(2), "big") + 4)
        while True:
            kind = take(1)
            if kind == b"\x52":
                connection.sendall(b"\x53")
            elif kind == b"\x54":
                take(14)
            elif kind == b"\x50":
                if not self._reply(connection, self._read_call(buffer, more)):
                    return
            else:
                return

    @staticmethod
    def _read_call(buffer: bytearray, more: Callable[[], None]) -> wire.Call:
        while True:
            reader = wire.CallReader(bytes(buffer))
            try:
                call = reader.call()
            except wire.Incomplete:
                more()
            else:
                del buffer[: reader.at]
                return call

    # -- answers

    def _reply(self, connection: socket.socket, call: wire.Call) -> bool:
        """Answers one call; False when the server ends the connection after it, as a JVM does."""
        with self._arrived:
            self.calls.append(call)
            self._arrived.notify_all()
        stage = _STAGE_OF.get(call.operation)
        if stage is not None and self.stall == stage:
            _wait_for_end(connection)
            return False
        answer, goes_on = self._answer(call)
        if stage == Stage.READ:
            if self.flood is not None:
                self._flood(connection)
                return False
            if self.stall == Stage.MID_READ or self.hang_up_in_reads > 0:
                connection.sendall(answer[: len(answer) // 2])
                if self.stall == Stage.MID_READ:
                    _wait_for_end(connection)
                self.hang_up_in_reads -= 1
                return False
        if self.drip_s is None:
            connection.sendall(answer)
        else:
            for position in range(len(answer)):
                if self._closing.wait(self.drip_s):
                    return False
                connection.sendall(answer[position : position + 1])
        return goes_on

    def _flood(self, connection: socket.socket) -> None:
        if self.flood == "claimed":
            connection.sendall(_returned(b"\x7c" + struct.pack(">q", 2**31) + b"x" * 1000))
            _wait_for_end(connection)
            return
        connection.sendall(_returned(wire.attribute_list({}).removesuffix(b"\x78")))
        while not self._closing.is_set():  # each string is of fair length; it is their number that has no end
            connection.sendall(wire.string("y" * 1000) * 64)

    def _answer(self, call: wire.Call) -> tuple[bytes, bool]:
        if call.operation == "lookup":
            factory = self.stub_factory or (TLS_FACTORY if self.server_tls else None)
            port = self.stub_port or self.connector_port
            return _returned(wire.stub("RMIServerImpl", self.stub_host, port, self._server_id, factory)), True
        if call.operation == "dirty":
            return _returned(wire.lease(self.lease_ms)), True
        with self._lock:
            known = call.object_id == self._server_id or call.object_id in self._connection_ids
        if not known:
            return _captured("closed.rep.bin"), False
        handlers = {
            "newClient": self._new_client,
            "getVersion": lambda _: _returned(wire.string("1.0 java_runtime_17")),
            "getConnectionId": lambda _: _returned(wire.string("rmi://127.0.0.1  1")),
            "getDefaultDomain": lambda _: _returned(wire.string("DefaultDomain")),
            "getDomains": lambda _: _returned(wire.array("[Ljava.lang.String;", [wire.string("java.lang")])),
            "getMBeanCount": lambda _: _returned(wire.integer(len(self.beans))),
            "isRegistered": lambda asked: _returned_primitive(asked.bean in self.beans),
            "isInstanceOf": lambda _: _returned_primitive(False),
            "queryNames": self._query_names,
            "close": self._close_client,
        }
        if self.denied is not None and call.operation in ("queryNames", "getMBeanCount", "isRegistered"):
            return _thrown(wire.throwable(wire.SECURITY_EXCEPTION, self.denied)), True
        if call.operation in handlers:
            return handlers[call.operation](call), True
        if call.operation in ("getMBeanInfo", "getAttribute", "getAttributes"):
            return self._read(call)
        return _thrown(wire.throwable(wire.SECURITY_EXCEPTION, f"the double has no {call.operation}")), True

    def _new_client(self, call: wire.Call) -> bytes:
        given = call.arguments[0]
        if self.credentials is not None and given != list(self.credentials):
            message = "Credentials required" if given is None else "Invalid username or password"
            return _thrown(wire.throwable(wire.SECURITY_EXCEPTION, f"Authentication failed! {message}"))
        with self._lock:
            made = self._new_id()
            self._connection_ids.add(made)
        factory = TLS_FACTORY if self.server_tls else None
        port = self.stub_port or self.connector_port
        return _returned(wire.stub("RMIConnectionImpl", self.stub_host, port, made, factory))

    def _close_client(self, call: wire.Call) -> bytes:
        with self._lock:
            self._connection_ids.discard(call.object_id)
        return _returned(b"")

    def _query_names(self, call: wire.Call) -> bytes:
        pattern = call.bean or "*:*"
        return _returned(wire.name_set(name for name in list(self.beans) if matches(pattern, name)))

    def _read(self, call: wire.Call) -> tuple[bytes, bool]:
        if self.denied is not None:
            return _thrown(wire.throwable(wire.SECURITY_EXCEPTION, self.denied)), True
        if self.breaks_off:
            return _captured("not-serializable.rep.bin"), False
        attributes = self.beans.get(call.bean)
        if attributes is None:
            return _captured("no-bean.rep.bin"), True
        if call.operation == "getMBeanInfo":
            return _returned(wire.bean_info({name: wire.java_type(value) for name, value in attributes.items()})), True
        asked = call.arguments[1]
        names = [str(name) for name in asked] if isinstance(asked, list) else [str(asked)]
        values = {name: attributes[name] for name in names if name in attributes and attributes[name] is not THROWS}
        if any(value is UNSERIALISABLE for value in values.values()):
            return _captured("not-serializable.rep.bin"), False
        if call.operation == "getAttributes":
            return _returned(wire.attribute_list({name: wire.boxed(value) for name, value in values.items()})), True
        if not values:
            return _thrown(wire.throwable((("javax.management.AttributeNotFoundException", "0" * 16),), names[0])), True
        return _returned(wire.boxed(values[names[0]])), True


def matches(pattern: str, name: str) -> bool:
    """Whether an ObjectName matches a pattern: wildcards in the domain, in values, and `,*` for further keys."""
    pattern_domain, _, pattern_keys = pattern.partition(":")
    domain, _, keys = name.partition(":")
    have: Mapping[str, str] = dict(pair.split("=", 1) for pair in keys.split(","))
    listed = pattern_keys.split(",")
    wanted = dict(pair.split("=", 1) for pair in listed if pair != "*")
    return (
        fnmatch.fnmatchcase(domain, pattern_domain)
        and ("*" in listed or wanted.keys() == have.keys())
        and all(
            key in have and fnmatch.fnmatchcase(have[key], re.sub(r"([\[])", "[[]", value))
            for key, value in wanted.items()
        )
    )


def _wait_for_end(connection: socket.socket) -> None:
    """Says nothing until the client or the test closes."""
    with suppress(OSError):
        while connection.recv(65536):
            continue


_UID = struct.pack(">iqh", 0x2A090088, 0x1A204BF85C8, -1)


def _returned(value: bytes) -> bytes:
    return b"\x51" + wire.STREAM + b"\x77\x0f\x01" + _UID + value


def _returned_primitive(value: bool) -> bytes:
    return b"\x51" + wire.STREAM + b"\x77\x10\x01" + _UID + bytes([value])


def _thrown(value: bytes) -> bytes:
    return b"\x51" + wire.STREAM + b"\x77\x0f\x02" + _UID + value


def _captured(name: str) -> bytes:
    return (DATA / name).read_bytes()


@contextmanager
def unanswered_port() -> Iterator[int]:
    """Yields a port whose queue of connections is full: the client's SYN is dropped, as by a firewall."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        try:
            for _ in range(3):
                filler = socket.socket()
                filler.setblocking(False)
                with suppress(BlockingIOError):
                    filler.connect(listener.getsockname())
                fillers.append(filler)
            yield listener.getsockname()[1]
        finally:
            for filler in fillers:
                filler.close()
