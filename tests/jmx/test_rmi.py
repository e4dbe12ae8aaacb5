"""The session: lookup, stub, login, lease, idle limit, and what is made anew after which loss."""

from __future__ import annotations

import struct

import pytest

from agent.jmx import rmi
from agent.jmx.calls import Method
from agent.jmx.errors import JmxError, ProtocolError, RemoteFailure
from agent.jmx.model import Target, TlsOptions, TransportName
from agent.jmx.replies import Result, read_return
from agent.jmx.rmi import KEEP_ALIVE_S, Session, stub_of
from agent.jmx.serial import StreamReader
from agent.net.deadline import Deadline
from tests.jmx.double import DIRTY_REPLY, GONE, LOOKUP_REPLY, NEW_CLIENT_REPLY, REFUSED_LOGIN, Double, stub_reply
from tests.jmx.vectors import EXPECTED, SESSIONS, records

FACTORY = b"javax.rmi.ssl.SslRMIClientSocketFactory"
TLS_STUB = [raw for side, raw in records("stub-tls") if side == "S"][-1]
NO_SKELETON, PROXY_STUB = [raw for side, raw in records("stub-proxy") if side == "S" and raw[0] == 0x51][:2]
NO_LOGIN = [raw for side, raw in records("auth-none") if side == "S"][-1]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def stub_in(raw: bytes) -> rmi.Stub:
    return stub_of(read_return(StreamReader(raw), Result.OBJECT).value)


def target(double: Double, **changes: object) -> Target:
    return Target("127.0.0.1", double.port, TransportName.RMI, **changes)  # type: ignore[arg-type]  # fields of Target


def open_session(double: Double, clock: Clock | None = None, **changes: object) -> Session:
    session = Session(target(double, **changes), clock or Clock())
    session.ensure(Deadline(5))
    return session


def failure_of(double: Double, **changes: object) -> JmxError:
    with pytest.raises(JmxError) as caught:
        open_session(double, None, **changes)
    return caught.value


def granting(lease_ms: int) -> bytes:
    return DIRTY_REPLY.replace(struct.pack(">q", 600_000), struct.pack(">q", lease_ms))


@pytest.mark.parametrize(
    ("raw", "port", "secure"),
    [(LOOKUP_REPLY, 9102, False), (NEW_CLIENT_REPLY, 9102, False), (PROXY_STUB, 9112, False), (TLS_STUB, 10103, True)],
)
def test_both_forms_of_stubs_are_read(raw: bytes, port: int, secure: bool) -> None:
    """Static stubs and proxies, with and without the TLS factory (section 5)."""
    stub = stub_in(raw)
    assert stub.port == port
    assert stub.secure is secure
    assert len(stub.object_id) == 22


@pytest.mark.parametrize("name", SESSIONS)
def test_every_captured_session_is_understood(name: str) -> None:
    """All replies of OpenJDK 11, 17, 21 and 25, of an application's connector and of refusals are read to their end."""
    replies = [raw for side, raw in records(name) if side == "S" and raw.startswith(b"\x51")]
    asked = [raw for side, raw in records(name) if side == "C" and raw.startswith(b"\x50")]
    assert len(replies) == len(asked)
    assert replies
    for call, raw in zip(asked, replies, strict=True):
        method = next((method for method in Method if method.selector == call[29:41]), Method.GET_DEFAULT_DOMAIN)
        reader = StreamReader(raw)
        answer = read_return(reader, method.result)
        assert reader.at == len(raw)
        expected = EXPECTED.get(name, {}).get("$AuthError")
        if method is Method.NEW_CLIENT and expected:
            assert str(answer.failure) == expected
        elif method in (Method.NEW_CLIENT, Method.LOOKUP) and answer.failure is None:
            assert len(stub_of(answer.value).object_id) == 22


def test_an_unknown_factory_is_refused_by_name() -> None:
    """A socket factory of the server's own is named, cleaned, and never followed."""
    evil = FACTORY[:-4] + b"\x1b[2J"
    with pytest.raises(JmxError) as caught:
        stub_in(TLS_STUB.replace(FACTORY, evil))
    assert caught.value.code == "transport-unusable"
    assert "javax.rmi.ssl.SslRMIClientSocketFac\ufffd[2J" in caught.value.what


def test_a_stub_without_a_port_or_with_a_short_annotation_is_refused() -> None:
    """A reference is taken apart with the same care as all else."""
    with pytest.raises(ProtocolError):
        stub_in(stub_reply(LOOKUP_REPLY, 70_000))
    with pytest.raises(ProtocolError):
        stub_in(LOOKUP_REPLY.replace(b"\x77\x32\x00\x0aUnicastRef", b"\x77\x32\x00\x30UnicastRef"))


def test_a_session_sends_what_a_java_client_sends(double: Double) -> None:
    """Lookup, newClient, dirty, then the acknowledgement of newClient's reply; close at the end (section 1)."""
    session = open_session(double)
    session.close()
    assert [method for method, _ in double.calls] == [Method.LOOKUP, Method.NEW_CLIENT, Method.DIRTY, Method.CLOSE]
    assert double.other[-1] == NEW_CLIENT_REPLY[8:22]


def test_the_stubs_host_is_not_followed(double: Double) -> None:
    """J11: the host that the user gave is used, and only the port is taken from the stub."""
    double.answers[Method.LOOKUP] = stub_reply(LOOKUP_REPLY, double.port, "10.99.99.99")
    open_session(double).close()


def test_the_stubs_host_is_followed_when_asked_for(double: Double) -> None:
    """J11: following is an explicit choice."""
    double.answers[Method.LOOKUP] = stub_reply(LOOKUP_REPLY, double.port, "no-such-host.invalid")
    assert failure_of(double, follow_stub_host=True).code == "unknown-host"


def test_the_port_can_be_forced(double: Double) -> None:
    """J11: for forwarded ports the port of the stub is not used."""
    double.answers[Method.LOOKUP] = stub_reply(LOOKUP_REPLY, 1)
    assert failure_of(double).code == "refused"
    open_session(double, connector_port=double.port).close()


def test_a_registry_without_skeleton_is_asked_in_the_new_style(double: Double) -> None:
    """Such a server refuses the old lookup and closes; a new socket and the method hash follow (section 5)."""
    double.answers[Method.LOOKUP] = NO_SKELETON
    double.answers[Method.LOOKUP_WITHOUT_SKELETON] = stub_reply(LOOKUP_REPLY, double.port)
    open_session(double).close()


def test_an_rmi_port_without_registry_is_a_wrong_port(double: Double) -> None:
    """J12: the connector's port given in place of the registry's."""
    double.answers[Method.LOOKUP] = GONE
    assert failure_of(double).code == "wrong-port"


def test_no_credentials_are_sent_to_a_server_without_the_tls_that_was_asked_for(double: Double) -> None:
    """A plain registry can be forged: the check comes before newClient (section 10, rule 10)."""
    error = failure_of(double, tls=TlsOptions(server=True), user="monitor", password=lambda: "s3cret")
    assert error.code == "server-tls-unwanted"
    assert double.count(Method.NEW_CLIENT) == 0


def test_a_server_that_wants_tls_says_so(double: Double) -> None:
    """J12: the stub carries the TLS factory, the configuration has no TLS."""
    double.answers[Method.LOOKUP] = TLS_STUB
    assert failure_of(double).code == "server-tls-missing"


@pytest.mark.parametrize(
    ("answer", "user", "code"),
    [(NO_LOGIN, None, "login-required"), (REFUSED_LOGIN, "monitor", "login-refused")],
)
def test_a_refused_login_has_its_own_code(double: Double, answer: bytes, user: str | None, code: str) -> None:
    """J12: no credentials and wrong credentials are told apart."""
    double.answers[Method.NEW_CLIENT] = answer
    assert failure_of(double, user=user, password=lambda: "wrong").code == code


def test_the_password_is_read_at_connect_and_kept_nowhere(double: Double) -> None:
    """J21: it is in no repr, no exception and no attribute of the session; each login reads it again."""
    asked = []

    def password() -> str:
        asked.append(1)
        return "s3cret"

    session = open_session(double, user="monitor", password=password)
    assert b"s3cret" in double.calls[1][1]
    shown = repr(session) + repr(target(double, user="monitor", password=password))
    assert "s3cret" not in shown
    assert not any(
        isinstance(value, bytes | str) and b"s3cret" in str(value).encode() for value in vars(session).values()
    )
    session.lose_object()
    session.ensure(Deadline(5))
    session.close()
    assert len(asked) == 2
    double.answers[Method.NEW_CLIENT] = REFUSED_LOGIN
    error = failure_of(double, user="monitor", password=password)
    assert "s3cret" not in str(error) + error.do + repr(error)


def test_a_password_file_that_cannot_be_read_is_told(double: Double) -> None:
    """An unreadable secret is the admin's to mend: what and why, not a traceback."""

    def password() -> str:
        raise PermissionError(13, "Permission denied")

    assert failure_of(double, user="monitor", password=password).why == "Permission denied"


def test_the_lease_is_renewed_at_half_of_what_was_granted(double: Double) -> None:
    """A lease that is not renewed is worse than none: the server closes an object in use (section 7)."""
    clock = Clock()
    double.answers[Method.DIRTY] = granting(40_000)
    session = open_session(double, clock)
    assert session.due_s() == 20.0
    clock.now += 19
    session.tend(Deadline(5))
    assert double.count(Method.DIRTY) == 1
    clock.now += 1
    session.tend(Deadline(5))
    assert double.count(Method.DIRTY) == 2
    first, second = [raw for method, raw in double.calls if method is Method.DIRTY]
    assert second == first.replace(b"\x77\x08" + struct.pack(">q", 1), b"\x77\x08" + struct.pack(">q", 2))
    session.close()


def test_the_idle_limit_is_kept_away(double: Double) -> None:
    """getDefaultDomain goes out when no other call was answered for 90 s, as 120 s end the object (section 8)."""
    clock = Clock()
    session = open_session(double, clock)
    clock.now += 30
    session.touch()
    assert session.due_s() == KEEP_ALIVE_S
    clock.now += KEEP_ALIVE_S
    session.tend(Deadline(5))
    assert double.count(Method.GET_DEFAULT_DOMAIN) == 1
    assert session.due_s() == KEEP_ALIVE_S
    session.close()
    assert session.due_s() is None


def test_a_lost_socket_needs_no_new_login(double: Double) -> None:
    """Dropping the socket does not end the object: only a handshake is made anew (section 4)."""
    session = open_session(double)
    session.drop()
    session.ensure(Deadline(5))
    session.close()
    assert double.count(Method.NEW_CLIENT) == 1
    assert double.count(Method.LOOKUP) == 1


def test_a_lost_object_needs_a_new_login_and_no_lookup(double: Double) -> None:
    """NoSuchObject at a keep-alive: newClient again (section 4)."""
    clock = Clock()
    session = open_session(double, clock)
    double.answers[Method.GET_DEFAULT_DOMAIN] = GONE
    clock.now += KEEP_ALIVE_S
    with pytest.raises(RemoteFailure):
        session.tend(Deadline(5))
    session.ensure(Deadline(5))
    session.close()
    assert double.count(Method.NEW_CLIENT) == 2
    assert double.count(Method.LOOKUP) == 1


def test_a_restarted_product_is_looked_up_again(double: Double) -> None:
    """After a restart the server's object is unknown too: the registry is asked for the new one."""
    session = open_session(double)
    session.lose_object()
    answers = iter([GONE])
    double.answers[Method.NEW_CLIENT] = lambda _double: next(answers, NEW_CLIENT_REPLY)
    session.ensure(Deadline(5))
    session.close()
    assert double.count(Method.LOOKUP) == 2
    assert double.count(Method.NEW_CLIENT) == 3
