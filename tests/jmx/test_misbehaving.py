"""What a broken, slow, lying or restarting server may cost: at most the sample's budget, and never a wrong value.

The server is a double (`tests.support.badjmx`); the first test shows that Java's own client takes it for a JVM.
"""

from __future__ import annotations

import gc
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import psutil
import pytest

from agent.jmx import BeanQuery, JmxError, JmxSample, Target, TlsOptions
from agent.jmx.rmi_transport import RmiTransport
from tests.support.badjmx import THROWS, UNSERIALISABLE, BadJmx, Stage, standing_beans, unanswered_port
from tests.support.jmx_fixtures import Clock
from tests.support.jvm import JmxOptions, authority, canonical, free_port, java_reader
from tests.support.stopwatch import Stopwatch

OpenTransport = Callable[..., RmiTransport]
TIMERS = BeanQuery("com.atlassian.jira:type=metrics,*", ("Count", "Mean", "Max"))
RUNTIME = BeanQuery("java.lang:type=Runtime", ("Uptime",))
PATIENT_S = 10.0
BUDGET_S = 0.5
GRACE_S = 0.4  # scheduling on a busy machine of two cores
TIMER_00 = "com.atlassian.jira:type=metrics,category00=double,name=timer00"
MEBIBYTE = 2**20


def values_of(sample: JmxSample) -> dict[str, dict[str, object]]:
    """The sample by canonical bean names."""
    return {canonical(bean): dict(values) for bean, values in sample.beans.items()}


def assert_full(sample: JmxSample, timers: int = 3) -> None:
    """Every timer of the double with all three values."""
    values = values_of(sample)
    expected = {
        canonical(name): dict(beans)
        for name, beans in standing_beans(timers).items()
        if name.startswith("com.atlassian")
    }
    assert {name: values.get(name) for name in expected} == expected


@dataclass
class Watch:
    elapsed_s: float = 0.0


@contextmanager
def timed() -> Iterator[Watch]:
    """Measures the time of the block; the machine's other work is not counted."""
    watch = Watch()
    running = Stopwatch()
    try:
        yield watch
    finally:
        watch.elapsed_s = running.elapsed_s


def sample_within_two(reader: RmiTransport, clock: Clock) -> JmxSample:
    """The sample of the first cycle that succeeds; the second one must."""
    clock.forward()
    try:
        return reader.sample(PATIENT_S)
    except JmxError:
        clock.forward()
        return reader.sample(PATIENT_S)


def server_context() -> ssl.SSLContext:
    """TLS with the session's server certificate, as a JVM with jmxremote.ssl has it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().ca.issue_cert("127.0.0.1").configure_cert(context)
    return context


def tls_target(bad: BadJmx) -> Target:
    """The target of a double with TLS on both sides."""
    return replace(bad.target, tls=TlsOptions(server=True, registry=True, ca_file=authority().ca_file))


def test_java_client_takes_the_double_for_a_jvm(java: None) -> None:
    """The double's answers decode in Java's own client to the values it was given."""
    with BadJmx() as bad, java_reader(JmxOptions(port=bad.port)) as reader:
        assert reader.read(["*:*"]) == {canonical(name): dict(values) for name, values in bad.beans.items()}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("stage", list(Stage))
def test_server_that_never_answers_costs_the_budget(
    stage: Stage, tls: bool, transport: OpenTransport, clock: Clock
) -> None:
    """J5: silence at any stage, TLS or not, ends the sample at its deadline; the next starts on time, and heals."""
    context = server_context() if tls else None
    with BadJmx(stall=stage, server_tls=context, registry_tls=context) as bad:
        reader = transport(tls_target(bad) if tls else bad.target, TIMERS)
        with timed() as watch, pytest.raises(JmxError) as caught:
            reader.sample(BUDGET_S)
        assert caught.value.code == "timeout"
        assert watch.elapsed_s < BUDGET_S + GRACE_S
        clock.forward()
        with timed() as watch, pytest.raises(JmxError):
            reader.sample(BUDGET_S)
        assert watch.elapsed_s < BUDGET_S + GRACE_S
        bad.stall = None
        assert_full(sample_within_two(reader, clock))


def test_byte_by_byte_is_bounded_by_the_whole_sample(transport: OpenTransport) -> None:
    """J5: the deadline is one for the sample, so that a server that sends a byte now and then cannot hold the agent."""
    with BadJmx(drip_s=0.02) as bad:
        with timed() as watch, pytest.raises(JmxError) as caught:
            transport(bad.target, TIMERS).sample(BUDGET_S)
        assert caught.value.code == "timeout"
        assert watch.elapsed_s < BUDGET_S + GRACE_S


def test_dropped_connection_requests_cost_the_budget(transport: OpenTransport) -> None:
    """J5, J12: a filtered port (no answer to SYN) is named as such within the budget."""
    with BadJmx() as bad, unanswered_port() as port:
        with timed() as watch, pytest.raises(JmxError) as caught:
            transport(replace(bad.target, port=port), TIMERS).sample(BUDGET_S)
        assert caught.value.code in ("timeout", "unreachable")
        assert watch.elapsed_s < BUDGET_S + GRACE_S


def test_dead_target_changes_nothing_for_the_others(transport: OpenTransport) -> None:
    """J6: while one target hangs, another one's sample is full and comes at once."""
    with BadJmx(stall=Stage.READ) as dead, BadJmx() as alive, ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(transport(dead.target, TIMERS).sample, 3.0)
        reader = transport(alive.target, TIMERS)
        with timed() as watch:
            for _ in range(5):
                assert_full(reader.sample(PATIENT_S))
        assert not hanging.done()
        assert watch.elapsed_s < 2.0
        dead.hang_up()
        assert isinstance(hanging.exception(), JmxError)


def test_dead_target_yields_no_old_values(transport: OpenTransport, clock: Clock) -> None:
    """J9: after the target's death a sample raises; nothing read before is handed out again."""
    with BadJmx() as bad:
        reader = transport(bad.target, TIMERS)
        assert_full(reader.sample(PATIENT_S))
        bad.stop_listening()
        bad.hang_up()
        for _ in range(3):
            with pytest.raises(JmxError) as caught:
                reader.sample(BUDGET_S)
            assert caught.value.code in ("connection-lost", "refused")
            clock.forward()


def test_vanished_bean_is_absent_and_named(transport: OpenTransport, clock: Clock) -> None:
    """J9: a bean that is gone is not in the sample and named as a failure; the other beans arrive; it may come back."""
    with BadJmx() as bad:
        reader = transport(bad.target, TIMERS)
        assert_full(reader.sample(PATIENT_S))
        gone = bad.beans.pop(TIMER_00)
        sample = reader.sample(PATIENT_S)
        assert canonical(TIMER_00) not in values_of(sample)
        assert len(sample.beans) == 2
        assert canonical(TIMER_00) in {canonical(failure.bean) for failure in sample.failures}
        bad.beans[TIMER_00] = gone
        clock.forward(3600)
        reader.sample(PATIENT_S)
        assert_full(reader.sample(PATIENT_S))


def test_twenty_restarts_heal_within_two_cycles(transport: OpenTransport, clock: Clock) -> None:
    """J10, J20: restarted 20 times (other ports, other object ids), full values return within two cycles, and the start
    time tells.
    """
    with BadJmx() as bad:
        reader = transport(bad.target, TIMERS)
        started = [reader.sample(PATIENT_S).started_ms]
        for _ in range(20):
            bad.restart()
            sample = sample_within_two(reader, clock)
            assert_full(sample)
            started.append(sample.started_ms)
        known = [moment for moment in started if moment is not None]
        assert known == sorted(set(known))
        assert len(known) == 21


@pytest.mark.parametrize("cuts", [1, 3])
def test_answer_cut_in_the_middle_heals_within_two_cycles(cuts: int, transport: OpenTransport, clock: Clock) -> None:
    """J10: a server that dies in mid-answer costs no more than the cycles in which it does so."""
    with BadJmx() as bad:
        reader = transport(bad.target, TIMERS)
        reader.sample(PATIENT_S)
        bad.hang_up_in_reads = cuts
        for _ in range(cuts):
            with suppress(JmxError):
                assert_full(reader.sample(PATIENT_S))
            clock.forward()
        bad.hang_up_in_reads = 0
        assert_full(sample_within_two(reader, clock))


def test_forgotten_client_is_no_gap(transport: OpenTransport) -> None:
    """J8: when the server's idle limit ended our connection object, the very next sample is full all the same."""
    with BadJmx() as bad:
        reader = transport(bad.target, TIMERS)
        for _ in range(3):
            assert_full(reader.sample(PATIENT_S))
            bad.forget_clients()
        assert bad.count("newClient") == 3


def test_socket_closed_between_samples_is_no_gap(transport: OpenTransport) -> None:
    """J8: a socket closed by a firewall between two samples is replaced in the sample that finds out."""
    with BadJmx() as bad:
        reader = transport(bad.target, TIMERS)
        for _ in range(3):
            assert_full(reader.sample(PATIENT_S))
            bad.hang_up()


def test_host_in_the_stub_is_not_followed(transport: OpenTransport) -> None:
    """J11: the server may call itself what it likes; we go to the host that the admin gave."""
    with BadJmx(stub_host="192.0.2.1") as bad:
        assert_full(transport(bad.target, TIMERS).sample(PATIENT_S))


def test_port_in_the_stub_can_be_overruled(transport: OpenTransport) -> None:
    """J11: with forwarded ports the connector's port is the one that the admin gave."""
    with BadJmx(stub_port=free_port()) as bad:
        target = replace(bad.target, connector_port=bad.connector_port)
        assert_full(transport(target, TIMERS).sample(PATIENT_S))
        with pytest.raises(JmxError) as caught:
            transport(bad.target, TIMERS).sample(PATIENT_S)
        assert caught.value.code == "refused"


@pytest.mark.parametrize(
    ("greeting", "codes"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", {"wrong-port"}),
        (b"\x15\x03\x03\x00\x02\x02\x50", {"registry-tls-missing"}),
        (b"\x4f", {"wrong-port", "protocol-error"}),
        (b"\x00" * 64, {"wrong-port", "protocol-error"}),
    ],
    ids=["http", "tls-alert", "jrmp-refusal", "zeros"],
)
def test_other_protocols_have_their_own_code(greeting: bytes, codes: set[str], transport: OpenTransport) -> None:
    """J12: what answers without JRMP is named, not shown as an unreadable exception."""
    with BadJmx(greeting=greeting) as bad:
        with pytest.raises(JmxError) as caught:
            transport(bad.target, TIMERS).sample(PATIENT_S)
        assert caught.value.code in codes


def test_refused_and_unknown_host_have_their_own_codes(transport: OpenTransport) -> None:
    """J12: nothing listens, and no such host."""
    with BadJmx() as bad:
        with pytest.raises(JmxError) as caught:
            transport(replace(bad.target, port=free_port()), TIMERS).sample(PATIENT_S)
        assert caught.value.code == "refused"
        with pytest.raises(JmxError) as caught:
            transport(replace(bad.target, host="no-such-host.invalid"), TIMERS).sample(PATIENT_S)
        assert caught.value.code in ("unknown-host", "timeout")


def test_login_faults_have_their_own_codes(transport: OpenTransport) -> None:
    """J12: login missing, login wrong and permission missing are three sentences, and none holds the password."""
    with BadJmx(credentials=("monitor", "canary-right")) as bad:
        for user, code in ((None, "login-required"), ("monitor", "login-refused")):
            target = replace(bad.target, user=user, password=(lambda: "canary-wrong") if user else None)
            with pytest.raises(JmxError) as caught:
                transport(target, TIMERS).sample(PATIENT_S)
            error = caught.value
            assert error.code == code
            assert "canary" not in f"{error} {error.what} {error.why} {error.do} {target!r}"


@pytest.mark.parametrize(
    "known",
    [
        True,
        False,
    ],
    ids=["plan-known", "first-sample"],
)
def test_denied_reads_raise(known: bool, transport: OpenTransport, clock: Clock) -> None:
    """J12: a login that may read nothing ends in permission-denied, at first as later; never in an empty sample."""
    with BadJmx() as bad:
        reader = transport(bad.target, TIMERS)
        if known:
            reader.sample(PATIENT_S)
        bad.denied = "Access denied! Invalid access level for requested MBeanServer operation."
        with pytest.raises(JmxError) as caught:
            reader.sample(PATIENT_S)
        assert caught.value.code == "permission-denied"
        bad.denied = None
        assert_full(sample_within_two(reader, clock))


def test_spell_of_broken_answers_heals_within_two_cycles(transport: OpenTransport, clock: Clock) -> None:
    """J10: a JVM that breaks off every answer for one sample (no memory left) is read in full within two cycles."""
    with BadJmx() as bad:
        reader = transport(bad.target, TIMERS)
        reader.sample(PATIENT_S)
        bad.breaks_off = True
        with pytest.raises(JmxError):
            reader.sample(PATIENT_S)
        bad.breaks_off = False
        assert_full(sample_within_two(reader, clock))


def test_unknown_socket_factory_is_refused_before_login(transport: OpenTransport) -> None:
    """J13: a stub with a factory that we do not know is named; the credentials are not sent."""
    with BadJmx(stub_factory="example.EvilFactory", credentials=("monitor", "canary")) as bad:
        with pytest.raises(JmxError, match="EvilFactory"):
            transport(bad.target, TIMERS).sample(PATIENT_S)
        assert bad.count("newClient") == 0


def test_tls_wanted_and_plain_offered_is_refused_before_login(transport: OpenTransport) -> None:
    """J13: who asked for TLS never sends a password in clear because a (forged) registry says so."""
    with BadJmx(credentials=("monitor", "canary")) as bad:
        target = replace(bad.target, tls=TlsOptions(server=True, ca_file=authority().ca_file))
        with pytest.raises(JmxError):
            transport(target, TIMERS).sample(PATIENT_S)
        assert bad.count("newClient") == 0


@pytest.mark.parametrize("kind", ["claimed", "endless"])
def test_huge_answer_is_refused_in_bounded_memory(kind: str, transport: OpenTransport) -> None:
    """J3: neither an answer that claims 2 GiB nor one without end costs more than the limit of one reply."""
    process = psutil.Process()
    with BadJmx(flood=kind) as bad:
        before = process.memory_info().rss
        with timed() as watch, suppress(JmxError):
            assert not any(transport(bad.target, TIMERS).sample(3.0).beans.values())
        assert watch.elapsed_s < 3.0 + GRACE_S
        assert process.memory_info().rss - before < 40 * MEBIBYTE


def test_unserialisable_attribute_costs_itself_alone(transport: OpenTransport) -> None:
    """J14: one value that breaks the reply is named; the rest arrives in the same sample; it is not asked for again."""
    with BadJmx() as bad:
        bad.beans[TIMER_00]["Broken"] = UNSERIALISABLE
        reader = transport(bad.target, BeanQuery(TIMERS.name, (*TIMERS.attributes, "Broken")))
        sample = reader.sample(PATIENT_S)
        assert_full(sample)
        named = [(canonical(failure.bean), failure.attribute) for failure in sample.failures]
        assert (canonical(TIMER_00), "Broken") in named
        seen = len(bad.calls)
        assert_full(reader.sample(PATIENT_S))
        assert not any("Broken" in str(call.arguments) for call in bad.calls[seen:] if call.bean == TIMER_00)


def test_attribute_that_throws_is_named_and_the_rest_arrives(transport: OpenTransport) -> None:
    """J14: an attribute left out of the answer is a named failure, not a missing bean."""
    with BadJmx() as bad:
        bad.beans[TIMER_00]["Max"] = THROWS
        sample = transport(bad.target, TIMERS).sample(PATIENT_S)
        values = values_of(sample)
        assert values[canonical(TIMER_00)] == {"Count": 1_000, "Mean": 0.5}
        assert [(canonical(failure.bean), failure.attribute) for failure in sample.failures] == [
            (canonical(TIMER_00), "Max")
        ]


def test_malformed_name_is_refused_at_once(transport: OpenTransport) -> None:
    """J15: a name that is no ObjectName never reaches the wire, where it would spoil a bulk: refused at once."""
    with BadJmx() as bad:
        with pytest.raises(ValueError, match="no colon"):
            transport(bad.target, TIMERS, BeanQuery("no colon and no keys", ("Value",)))
        assert not bad.calls


def test_cap_on_beans_says_what_it_cut(transport: OpenTransport) -> None:
    """J16: a cap that cuts names how many beans it left out and the first of them."""
    with BadJmx(beans=standing_beans(20)) as bad:
        sample = transport(replace(bad.target, max_beans=5), TIMERS).sample(PATIENT_S)
        count, names = sample.cut
        assert len(sample.beans) == 5
        assert count == 15
        assert names
        assert not set(map(canonical, names)) & set(values_of(sample))


def test_sampling_lists_nothing_and_reads_only_what_was_asked(transport: OpenTransport) -> None:
    """J17: discovery happens once; later samples ask for no names, and no call ever leaves the allow-list."""
    with BadJmx() as bad:
        for number in range(50):
            bad.beans[f"filler:type=Cache,name=n{number}"] = {"Value": number}
        reader = transport(bad.target, TIMERS, RUNTIME)
        reader.sample(PATIENT_S)
        before = bad.counts()
        for _ in range(10):
            assert_full(reader.sample(PATIENT_S))
        after = bad.counts()
        assert after["queryNames"] == before["queryNames"]
        assert after["getMBeanInfo"] == before["getMBeanInfo"]
        reads = [call for call in bad.calls if call.operation in ("getAttributes", "getAttribute", "getMBeanInfo")]
        assert not [call.bean for call in reads if not call.bean.startswith(("com.atlassian.jira:", "java.lang:type="))]
        assert not [call for call in bad.calls if call.operation == "queryNames" and call.bean in ("", "*:*")]
        assert set(after) <= {
            "lookup", "newClient", "dirty", "getVersion", "getConnectionId", "getDefaultDomain", "getMBeanCount",
            "isRegistered", "queryNames", "getMBeanInfo", "getAttribute", "getAttributes", "close",
        }  # fmt: skip


def test_excluded_bean_is_never_read(transport: OpenTransport) -> None:
    """J18: a bean that works when read (a data source) is excluded by pattern: not read, not described, not in the
    sample.
    """
    costly = "com.atlassian.jira:connectionpool=connections,connection=main,name=BasicDataSource"
    with BadJmx() as bad:
        bad.beans[costly] = {"NumActive": 3}
        query = BeanQuery(
            "com.atlassian.jira:*",
            excluding=("com.atlassian.jira:connectionpool=connections,connection=*,name=BasicDataSource",),
        )
        sample = transport(bad.target, query).sample(PATIENT_S)
        assert_full(sample)
        assert canonical(costly) not in values_of(sample)
        assert not [
            call for call in bad.calls if call.operation.startswith("get") and call.arguments and call.bean == costly
        ]


def test_lease_is_renewed_before_it_ends(transport: OpenTransport, clock: Clock) -> None:
    """J8: the DGC lease is renewed by the clock, at half of what was granted, and the object is never left idle."""
    with BadJmx(lease_ms=400_000) as bad:
        reader = transport(bad.target, TIMERS)
        reader.sample(PATIENT_S)
        for renewals in range(2, 5):
            clock.forward(150)
            assert_full(reader.sample(PATIENT_S))
            assert bad.count("dirty") < renewals
            clock.forward(51)
            assert_full(reader.sample(PATIENT_S))
            assert bad.count("dirty") == renewals
        assert bad.count("newClient") == 1


def test_lease_is_renewed_between_samples(transport: OpenTransport) -> None:
    """J8: when no sample comes for long, the lease is renewed all the same, before it ends."""
    with BadJmx(lease_ms=2_500) as bad:
        transport(bad.target, TIMERS).sample(PATIENT_S)
        with timed() as watch:
            assert bad.wait_for("dirty", 2, PATIENT_S)
        assert watch.elapsed_s < 2.5


@pytest.mark.parametrize("interval_s", [10, 59, 60, 61, 120, 3600])
def test_every_interval_runs_three_cycles(interval_s: int, transport: OpenTransport, clock: Clock) -> None:
    """J8: at any interval, with a server that forgets clients after 120 s of silence, three cycles are full."""
    with BadJmx() as bad:
        reader = transport(bad.target, TIMERS)
        for _ in range(3):
            assert_full(reader.sample(PATIENT_S))
            clock.forward(interval_s)
            if interval_s >= 120:
                bad.forget_clients()


def test_close_says_goodbye_and_can_be_undone(transport: OpenTransport) -> None:
    """J2: close ends the server's object and the socket; a later sample connects again."""
    with BadJmx() as bad:
        reader = transport(bad.target, TIMERS)
        reader.sample(PATIENT_S)
        reader.close()
        assert bad.count("close") == 1
        reader.close()
        assert_full(reader.sample(PATIENT_S))


def test_one_target_costs_no_process_and_at_most_one_thread(
    transport: OpenTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """J2, J4, J24: no child process (nothing on PATH is needed), at most one thread, one connection however often we
    sample.
    """
    monkeypatch.setenv("PATH", "")
    with BadJmx() as bad:
        reader = transport(bad.target, TIMERS)
        before = {thread for thread in threading.enumerate() if not thread.name.startswith("badjmx")}
        children = psutil.Process().children()
        for _ in range(20):
            reader.sample(PATIENT_S)
        after = {thread for thread in threading.enumerate() if not thread.name.startswith("badjmx")}
        assert len(after - before) <= 1
        assert psutil.Process().children() == children
        assert bad.connections == 2
        reader.close()
        left = [thread for thread in threading.enumerate() if not thread.name.startswith("badjmx")]
        assert set(left) <= before


def test_two_samples_at_once_share_nothing_broken(transport: OpenTransport) -> None:
    """J2: a sample that starts while another runs waits or is refused; both never mix their answers."""
    with BadJmx() as bad, ThreadPoolExecutor(4) as pool:
        reader = transport(bad.target, TIMERS)
        for taken in [pool.submit(reader.sample, PATIENT_S) for _ in range(12)]:
            error = taken.exception()
            assert error is None or isinstance(error, JmxError)
            if error is None:
                assert_full(taken.result())


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_failed_connects_leave_nothing_behind(transport: OpenTransport, clock: Clock) -> None:
    """J1: hundreds of failed connects (refused, other protocol, login refused) leave memory, descriptors and threads as
    they were.
    """
    process = psutil.Process()
    with BadJmx(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n") as other, BadJmx(credentials=("a", "b")) as locked:
        targets = [
            replace(other.target, port=free_port()),
            other.target,
            replace(locked.target, user=None, password=None),
        ]
        readers = [transport(target, TIMERS) for target in targets]

        def fail(times: int) -> None:
            for _ in range(times):
                for reader in readers:
                    with pytest.raises(JmxError):
                        reader.sample(PATIENT_S)
                clock.forward(1000)
            other.hang_up()
            locked.hang_up()
            locked.calls.clear()
            gc.collect()

        fail(70)
        threads = {thread.name for thread in threading.enumerate() if not thread.name.startswith("badjmx")}
        open_before, rss_before = descriptors(), process.memory_info().rss
        fail(170)
        assert process.memory_info().rss - rss_before < 2 * MEBIBYTE
        assert descriptors() <= open_before + 2  # the double's own sockets may be on their way out
        assert {thread.name for thread in threading.enumerate() if not thread.name.startswith("badjmx")} == threads
