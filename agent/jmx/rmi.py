"""One session with a JVM's JMX agent: from the registry to an RMIConnection object, and what keeps that alive.

Wire:  wire note, sections 1 and 5 to 8. lookup("jmxrmi") -> stub -> newClient -> connection object -> dirty, DGCAck.
State: three things are known or not: the server's stub, the connection object, an open channel. What is lost is made
       anew, and nothing else: a lost socket needs no login, a lost object (idle limit) needs no lookup, a restarted
       product (ports and ids change) needs all three.
Time:  a lease is renewed at half of what was granted; getDefaultDomain is called when nothing else was for 90 s, as the
       server ends a connection object after 120 s and a collector comes every two minutes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from agent.jmx import calls
from agent.jmx.calls import Method, VirtualMachineId, call
from agent.jmx.errors import JmxError, ProtocolError, RemoteFailure, clean
from agent.jmx.jrmp import Channel, connect, wrong_port
from agent.jmx.model import Target
from agent.jmx.nodes import JavaObject, Node
from agent.jmx.replies import Return
from agent.jmx.serial import NeedMore, StreamReader
from agent.jmx.values import is_a
from agent.net.deadline import Deadline
from agent.system.clock import monotonic_s

REGISTRY_NAME = "jmxrmi"
TLS_FACTORY = "javax.rmi.ssl.SslRMIClientSocketFactory"
# What Java's own client asks for, and the most that a server grants unless told otherwise.
LEASE_MS = 600_000
KEEP_ALIVE_S = 90.0  # once between two samples of a collector that comes every two minutes: each call wakes the process
CLOSE_WITHIN_S = 2.0
# A server that grants nothing must not be asked in a loop.
LEAST_RENEWAL_S = 1.0


class Stub(NamedTuple):
    """A remote reference: where the server says it is, the object's 22 bytes, whether it wants TLS."""

    host: str
    port: int
    object_id: bytes
    secure: bool


def stub_of(node: Node) -> Stub:
    """Return the reference that a static stub or a proxy carries (section 5). Raises JmxError for other factories."""
    # Servers with -Djava.rmi.server.ignoreStubClasses=true answer a proxy; the reference is in its handler.
    if isinstance(node, JavaObject) and node.desc.chain[-1].name == "<proxy>":
        node = node.fields.get("h")
    if not isinstance(node, JavaObject) or not is_a(node, "java.rmi.server.RemoteObject"):
        raise ProtocolError("A remote reference was expected.")
    notes = next((items for name, items in node.notes if name == "java.rmi.server.RemoteObject"), [])
    # A factory stands between two blocks of the same annotation: joined, they read as if it were not there (section 5).
    blocks = b"".join(item for item in notes if isinstance(item, bytes))
    factories = [item for item in notes if not isinstance(item, bytes) and item is not None]
    reader = StreamReader(blocks)
    try:
        kind = reader.utf()
        if kind not in ("UnicastRef", "UnicastRef2"):
            raise ProtocolError(f"A reference of kind {clean(kind)} cannot be followed.")
        if kind == "UnicastRef2":
            reader.u1()  # whether a factory follows: seen by its being there
        host, port, object_id = reader.utf(), reader.i4(), reader.take(calls.OBJECT_ID_BYTES)
    except NeedMore:
        raise ProtocolError("A remote reference is too short.") from None
    if not 0 < port < 65536:
        raise ProtocolError("A remote reference carries no port.")
    return Stub(host, port, object_id, _wants_tls(factories))


def _wants_tls(factories: Sequence[Node]) -> bool:
    for factory in factories:
        name = factory.desc.name if isinstance(factory, JavaObject) else "unknown"
        # Code of the product's own, which cannot be run here. To guess "plain" instead would send the password in
        # clear.
        if name != TLS_FACTORY:
            raise JmxError(
                "transport-unusable",
                f"The server asks for a socket factory of its own: {clean(name)}.",
                why="Only plain sockets and SslRMIClientSocketFactory are known.",
                do="Use the jolokia transport for this product.",
            )
    return bool(factories)


def look_up(target: Target, deadline: Deadline) -> Stub:
    """Return the stub that the registry gives for `jmxrmi`; its channel is closed again."""
    try:
        answer = _ask_registry(target, Method.LOOKUP, deadline)
    except RemoteFailure as failure:
        if failure.object_gone:
            raise wrong_port("An RMI server answers there, but no registry.", why=str(failure)) from failure
        if failure.involves("NotBoundException"):
            raise wrong_port("The registry there has no JMX agent (no name jmxrmi).") from failure
        if not failure.involves("UnmarshalException"):
            raise
        # a registry without skeleton: it closes the socket and wants the new style (section 5)
        answer = _ask_registry(target, Method.LOOKUP_WITHOUT_SKELETON, deadline)
    return stub_of(answer.value)


def _ask_registry(target: Target, method: Method, deadline: Deadline) -> Return:
    secure = target.tls.registry
    channel = connect(target.host, target.port, "registry", target.tls, secure=secure, deadline=deadline)
    # Closed at once: the registry itself holds the server's stub, so nothing has to be leased for it.
    with contextlib.closing(channel):
        return channel.ask(call(calls.REGISTRY_ID, method, calls.string(REGISTRY_NAME)), method)


def server_address(target: Target, stub: Stub) -> tuple[str, int]:
    """Return where to connect: the user's host unless the stub is to be followed, the forced port if there is one."""
    # What the server thinks of itself is often 127.0.1.1; and following it by default would let whoever answers on the
    # registry's port choose where the credentials go (section 10, rule 10).
    return (stub.host if target.follow_stub_host else target.host), target.connector_port or stub.port


def check_tls(target: Target, stub: Stub) -> None:
    """Raise JmxError when stub and configuration disagree about TLS: a plain registry can be forged (section 10)."""
    if stub.secure and not target.tls.server:
        raise JmxError(
            "server-tls-missing",
            "The server wants TLS.",
            why="com.sun.management.jmxremote.ssl=true",
            do="Switch TLS on for the server of this target.",
        )
    if target.tls.server and not stub.secure:
        raise JmxError(
            "server-tls-unwanted",
            "TLS is configured, but the server does not offer it; no credentials were sent.",
            do="Set -Dcom.sun.management.jmxremote.ssl=true on the JVM, or switch TLS off for the server.",
        )


def connect_server(target: Target, stub: Stub, deadline: Deadline) -> Channel:
    """Return a channel to the server that the stub names."""
    # Before anything else: newClient carries the password, and a plain registry can be forged.
    check_tls(target, stub)
    host, port = server_address(target, stub)
    return connect(host, port, "server", target.tls, secure=stub.secure, deadline=deadline)


def log_in(target: Target, channel: Channel, stub: Stub) -> Return:
    """Return the reply of newClient: the connection object, and the UID to acknowledge it with."""
    # the password lives in this call's bytes alone
    credentials = calls.credentials(target.user, read_password(target))
    try:
        return channel.ask(call(stub.object_id, Method.NEW_CLIENT, credentials), Method.NEW_CLIENT)
    except RemoteFailure as failure:
        if failure.is_security:
            raise login_error(target, failure) from failure
        raise


def read_password(target: Target) -> str | None:
    """Return what the target's password callable answers. Raises JmxError `transport-unusable` when it cannot."""
    if target.user is None or target.password is None:
        return None
    try:
        return target.password()
    except OSError as error:
        raise JmxError(
            "transport-unusable",
            "The password cannot be read.",
            why=error.strerror or "",
            do="Check the password file.",
        ) from error


def login_error(target: Target, failure: RemoteFailure) -> JmxError:
    """Return what a refusal of newClient means (section 6: only the text of the SecurityException tells)."""
    if "Access denied" in failure.message:
        return permission_denied(failure)
    if target.user is None or "Credentials required" in failure.message:
        do = "Give user and password of an entry in the JVM's jmxremote.password file."
        return JmxError("login-required", "The JVM wants a login.", why=failure.message, do=do)
    do = "Check user and password against the JVM's jmxremote.password file."
    return JmxError("login-refused", "The JVM refuses the login.", why=failure.message, do=do)


def permission_denied(failure: RemoteFailure) -> JmxError:
    """Return the error of a login that may not read."""
    return JmxError(
        "permission-denied",
        "The login may not read MBeans.",
        why=failure.message,
        do="Give the user `readonly` in the JVM's jmxremote.access file.",
    )


class Session:
    """Holds stub, connection object and channel of one target, and makes anew what was lost. Not safe for threads."""

    def __init__(self, target: Target, clock: Callable[[], float] = monotonic_s) -> None:
        self._target = target
        self._clock = clock
        self._holder = VirtualMachineId()
        self._sequence = 0
        self._server: Stub | None = None
        self._renew_at = 0.0
        self._keep_alive_at = 0.0
        self.object_id = b""
        self.channel: Channel | None = None
        self.lookups = 0

    def __repr__(self) -> str:
        return f"<Session with {self._target.host}:{self._target.port}>"

    def ensure(self, deadline: Deadline) -> Channel:
        """Return a channel for calls on `object_id`, making whatever is missing."""
        # The shortest way first. A new socket goes on with the same object; a login costs the target 5 ms of CPU, 22
        # with TLS, 33 with a client certificate; only a restarted product needs a look-up too, as its ports and ids are
        # new.
        if self.channel is None and self.object_id:
            self._try(self._reconnect, deadline)
        if self.channel is None and self._server is not None:
            self._try(self._log_in, deadline)
        if self.channel is None:
            self.forget()
            self._server = look_up(self._target, deadline)
            self.lookups += 1
            self._log_in(deadline)
        assert self.channel is not None  # noqa: S101 - for the type checker
        self.channel.deadline = deadline
        return self.channel

    def _try(self, step: Callable[[Deadline], None], deadline: Deadline) -> None:
        """Take a shorter way; when it fails for another reason than login or time, the longer way follows."""
        try:
            step(deadline)
        except JmxError as error:
            # The longer way would log in again, and servers lock accounts; or there is no time for it.
            if error.code in ("timeout", "login-required", "login-refused", "permission-denied", "transport-unusable"):
                raise
            self.drop()
            self.object_id = b""

    def _reconnect(self, deadline: Deadline) -> None:
        assert self._server is not None  # noqa: S101 - an object is known only with its server
        self.channel = connect_server(self._target, self._server, deadline)

    def _log_in(self, deadline: Deadline) -> None:
        assert self._server is not None  # noqa: S101 - callers looked it up
        channel = connect_server(self._target, self._server, deadline)
        try:
            # The order is what keeps the object: the reply that was not acknowledged yet holds it on the server, then
            # the lease does. Acknowledged before the lease, it was gone at the next collection (NoSuchObjectException;
            # seen, section 7).
            answer = log_in(self._target, channel, self._server)
            object_id = stub_of(answer.value).object_id
            self._lease(channel, object_id)
            channel.acknowledge(answer.uid)
        except BaseException:
            channel.close()
            raise
        self.channel, self.object_id = channel, object_id
        self.touch()

    def _lease(self, channel: Channel, object_id: bytes) -> None:
        """Say that the object is in use; to be renewed at half of the time that the server grants (section 7)."""
        self._sequence += 1
        arguments = calls.dirty_arguments(object_id, self._sequence, LEASE_MS, self._holder)
        lease = channel.ask(call(calls.DGC_ID, Method.DIRTY, arguments), Method.DIRTY).value
        granted = lease.fields.get("value") if isinstance(lease, JavaObject) else None
        if not isinstance(granted, int):
            raise ProtocolError("A lease was expected.")
        # Half of what was granted, by the clock and between samples too. A lease that runs out is worse than none: the
        # server closes the object although it is in use (seen: after 10 s, with calls every 2 s).
        self._renew_at = self._clock() + max(min(granted, LEASE_MS) / 2000, LEAST_RENEWAL_S)

    def touch(self) -> None:
        """Note that a call on the object was answered: the idle limit begins anew."""
        self._keep_alive_at = self._clock() + KEEP_ALIVE_S

    def due_s(self) -> float | None:
        """Return in how many seconds `tend` is wanted, None when there is nothing to keep alive."""
        if self.channel is None:
            return None
        return max(min(self._renew_at, self._keep_alive_at) - self._clock(), 0.0)

    def tend(self, deadline: Deadline) -> None:
        """Renew the lease and keep the idle limit away, as far as due; a failure drops the socket and is raised."""
        if self.channel is None:
            return
        self.channel.deadline = deadline
        try:
            if self._clock() >= self._renew_at:
                self._lease(self.channel, self.object_id)
            if self._clock() >= self._keep_alive_at:
                # This call and no cheaper one: with getConnectionId, a ping or the lease every 25 s the object died
                # after 120 s all the same (seen), and the lease went on to succeed: it proves nothing about the object.
                domain = call(self.object_id, Method.GET_DEFAULT_DOMAIN, calls.NULL_ARGUMENT)
                self.channel.ask(domain, Method.GET_DEFAULT_DOMAIN)
                self.touch()
        except JmxError as error:
            if isinstance(error, RemoteFailure) and error.object_gone:
                self.lose_object()
            else:
                self.drop()
            raise

    def drop(self) -> None:
        """Close the socket; the connection object may live on (section 4)."""
        channel, self.channel = self.channel, None
        if channel is not None:
            channel.close()

    def lose_object(self) -> None:
        """Forget the connection object: the next `ensure` logs in again."""
        self.drop()
        self.object_id = b""

    def forget(self) -> None:
        """Forget everything: the next `ensure` begins at the registry."""
        self.lose_object()
        self._server = None

    def close(self) -> None:
        """End the connection object on the server, as far as it answers, and close the socket."""
        if self.channel is not None and self.object_id:
            self.channel.deadline = Deadline(CLOSE_WITHIN_S)
            # Said goodbye, the server frees the object now; unsaid, its idle limit does two minutes later.
            with contextlib.suppress(JmxError):
                self.channel.ask(call(self.object_id, Method.CLOSE), Method.CLOSE)
        self.forget()
