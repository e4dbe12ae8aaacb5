"""The RMI transport against a JVM: what it reads, how it heals, what it never does."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from agent.jmx.calls import Method
from agent.jmx.errors import JmxError
from agent.jmx.model import BeanQuery, JmxSample, Target, TransportName
from agent.jmx.rmi import KEEP_ALIVE_S
from agent.jmx.rmi_transport import RmiTransport
from agent.jmx.transport import open_transport
from agent.net.deadline import Deadline
from tests.jmx.conftest import AGENT, Jvm, free_port
from tests.jmx.double import DIRTY_REPLY, GONE, REFUSED_LOGIN, Double, hang
from tests.jmx.vectors import EXPECTED, reply
from tests.support.stopwatch import Stopwatch

TIMERS = BeanQuery("fixture:type=timer,*")
POOL = "com.atlassian.jira:connectionpool=connections,connection=*,name=BasicDataSource"
BROKEN, WIDE, LATE = "fixture:type=broken", "fixture:type=wide", "fixture:type=late"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def open_rmi() -> object:
    opened: list[RmiTransport] = []

    def start(target: Target, *queries: BeanQuery, clock: Callable[[], float] = time.monotonic) -> RmiTransport:
        opened.append(RmiTransport(target, queries, clock=clock))
        return opened[-1]

    yield start
    for transport in opened:
        transport.close()


Open = Callable[..., RmiTransport]


def failed(sample: JmxSample, bean: str) -> dict[str, str]:
    return {failure.attribute: failure.reason for failure in sample.failures if failure.bean == bean}


def code_of(transport: RmiTransport, within_s: float = 5.0) -> str:
    with pytest.raises(JmxError) as caught:
        transport.sample(within_s)
    return caught.value.code


def test_a_sample_has_every_attribute_and_the_start_time(fixture_jvm: Jvm, open_rmi: Open) -> None:
    """All plain attributes of all beans of a pattern; the second sample has new values, same start time."""
    transport = open_rmi(fixture_jvm.target(), TIMERS)
    first, second = transport.sample(20), transport.sample(20)
    assert len(first.beans) == 40
    assert all(len(values) == 14 for values in first.beans.values())
    assert first.failures == ()
    assert first.started_ms == second.started_ms
    assert first.started_ms is not None
    assert abs(first.started_ms / 1000 - time.time()) < 600
    assert first.beans.keys() == second.beans.keys()
    assert first.beans != second.beans


def test_attributes_that_throw_cost_themselves_only(fixture_jvm: Jvm, open_rmi: Open) -> None:
    """J14: a bean with 90 attributes of which 2 throw gives 88 values and 2 named failures."""
    sample = open_rmi(fixture_jvm.target(), BeanQuery(WIDE)).sample(20)
    assert len(sample.beans[WIDE]) == 88
    assert failed(sample, WIDE) == {"a13": "not-answered", "a77": "not-answered"}


def test_attributes_that_break_a_reply_are_found_and_left_alone(fixture_jvm: Jvm, open_rmi: Open) -> None:
    """J14: tried one by one, quarantined by name with the reason, and the rest of the same sample arrives."""
    transport = open_rmi(fixture_jvm.target(), BeanQuery("fixture:*", excluding=("fixture:type=slow",)))
    for _ in range(2):
        sample = transport.sample(20)
        assert sample.beans[BROKEN] == {"Good": 1, "Number": 5.5}
        assert len(sample.beans) == 45
        reasons = failed(sample, BROKEN)
        assert reasons.pop("Throws") in ("remote-failure", "not-answered")
        assert reasons == {"Thread": "not-serializable", "Ext": "not-serializable", "Custom": "not-plain"}
    assert {failure.attribute for failure in transport.quarantined} == {"Thread", "Ext", "Custom"}
    assert "java.lang.Thread" in next(f.detail for f in transport.quarantined if f.attribute == "Thread")


def test_an_attribute_that_turns_bad_costs_itself_only(start_jvm: Callable[..., Jvm], open_rmi: Open) -> None:
    """J15: a bulk read that breaks is split within the same sample; after an hour the attribute is tried again."""
    jvm, clock = start_jvm(), Clock()
    transport = open_rmi(jvm.target(), TIMERS, BeanQuery(LATE), clock=clock)
    assert transport.sample(20).beans[LATE] == {"Fine": 2, "Turns": 9}
    jvm.command("break")
    for _ in range(2):
        sample = transport.sample(20)
        assert sample.beans[LATE] == {"Fine": 2}
        assert failed(sample, LATE) == {"Turns": "not-serializable"}
        assert len(sample.beans) == 4
    clock.now += 3601
    assert failed(transport.sample(20), LATE) == {"Turns": "not-serializable"}


def test_what_an_unused_sample_left_alone_is_asked_for_again(fixture_jvm: Jvm, open_rmi: Open) -> None:
    """Thrown away because it came too late: the next sample finds out anew what breaks, and all the rest is there."""
    transport = open_rmi(fixture_jvm.target(), BeanQuery(BROKEN))
    transport.sample(20)
    assert transport.quarantined
    transport.take_back()
    assert transport.quarantined == ()
    sample = transport.sample(20)
    assert sample.beans[BROKEN] == {"Good": 1, "Number": 5.5}
    transport.sample(20)
    transport.take_back()
    assert {failure.attribute for failure in transport.quarantined} == {"Thread", "Ext", "Custom"}, "of used ones"


def test_named_attributes_and_absent_beans(fixture_jvm: Jvm, open_rmi: Open) -> None:
    """What was asked for and is not there is a named failure, never a value."""
    queries = [
        BeanQuery("java.lang:type=Memory", ("HeapMemoryUsage", "Nope")),
        BeanQuery("no:such=bean"),
        BeanQuery("no:*"),
    ]
    sample = open_rmi(fixture_jvm.target(), *queries).sample(20)
    usage = sample.beans["java.lang:type=Memory"]["HeapMemoryUsage"]
    assert isinstance(usage, dict)
    assert set(usage) == {"init", "used", "committed", "max"}
    assert failed(sample, "java.lang:type=Memory") == {"Nope": "no-attribute"}
    assert failed(sample, "no:such=bean") == {"": "no-bean"}
    assert failed(sample, "no:*") == {"": "no-bean"}


def test_quoted_names_are_read(fixture_jvm: Jvm, open_rmi: Open) -> None:
    """A name with comma, equal sign and escaped star in quotes is asked for as it is."""
    sample = open_rmi(fixture_jvm.target(), BeanQuery("fixture:type=odd,*")).sample(20)
    assert sample.beans == {'fixture:type=odd,name="a,b=c\\*"': {"N": 4}}


def test_the_connection_pool_is_never_touched(fixture_jvm: Jvm, open_rmi: Open) -> None:
    """J18: an excluded bean is neither read nor described (JRASERVER-72688): the JVM counts no access."""
    control = BeanQuery("fixture:type=control")
    before = open_rmi(fixture_jvm.target(), control).sample(20).beans[control.name]["CostlyReads"]
    transport = open_rmi(fixture_jvm.target(), control, BeanQuery("com.atlassian.jira:*", excluding=(POOL,)))
    for _ in range(2):
        sample = transport.sample(20)
        assert sample.beans.keys() == {control.name}
    assert sample.beans[control.name]["CostlyReads"] == before


def test_beans_that_come_and_go(start_jvm: Callable[..., Jvm], open_rmi: Open) -> None:
    """A bean that vanished is a failure at once; the plan follows what the JVM has, without a restart of ours."""
    jvm, clock = start_jvm(), Clock()
    transport = open_rmi(jvm.target(), TIMERS, clock=clock)
    assert len(transport.sample(20).beans) == 3
    jvm.command("unregister fixture:type=timer,name=t0001")
    jvm.command("register fixture:type=timer,name=new")
    clock.now += 11
    sample = transport.sample(20)
    assert failed(sample, "fixture:type=timer,name=t0001") == {"": "no-bean"}
    assert sample.beans.keys() == {"fixture:type=timer,name=t0000", "fixture:type=timer,name=t0002"}
    after = transport.sample(20)
    assert after.beans.keys() == {f"fixture:type=timer,name={name}" for name in ("t0000", "t0002", "new")}
    assert after.failures == ()


def test_a_slow_bean_costs_its_own_values_only(fixture_jvm: Jvm, open_rmi: Open) -> None:
    """J5: a bean that uses up the deadline goes last, is left alone at the second time; the others are read."""
    transport = open_rmi(fixture_jvm.target(), BeanQuery("fixture:type=slow"), TIMERS)
    watch = Stopwatch()
    for _ in range(2):
        sample = transport.sample(1.0)
        assert failed(sample, "fixture:type=slow") == {"": "timeout"}
    assert watch.elapsed_s < 4
    sample = transport.sample(10)
    assert len(sample.beans) == 40
    assert failed(sample, "fixture:type=slow") == {"": "too-slow"}


def test_a_dead_target_is_not_seen_and_comes_back(start_jvm: Callable[..., Jvm], open_rmi: Open) -> None:
    """J9, J10: after the target's death no old value is given; after its restart all values are back at once."""
    jvm, clock = start_jvm(), Clock()
    transport = open_rmi(jvm.target(), TIMERS, clock=clock)
    started = transport.sample(20).started_ms
    for _ in range(3):
        jvm.stop()
        clock.now += 120
        assert code_of(transport) == "refused"
        jvm.start()
        clock.now += 120
        sample = transport.sample(20)
        assert len(sample.beans) == 3
        assert sample.started_ms != started
        started = sample.started_ms


def test_a_restart_between_two_samples_is_healed_within_the_second(
    start_jvm: Callable[..., Jvm], open_rmi: Open
) -> None:
    """J10: socket, connection object and server object are all gone; the sample finds its way back by itself."""
    jvm = start_jvm()
    transport = open_rmi(jvm.target(), TIMERS)
    before = transport.sample(20)
    jvm.stop()
    jvm.start()
    after = transport.sample(20)
    assert after.beans.keys() == before.beans.keys()
    assert after.started_ms != before.started_ms


def test_login_with_password_file(start_jvm: Callable[..., Jvm], open_rmi: Open, tmp_path: object) -> None:
    """J12: right, wrong and missing logins; a password that changes is read again at the next connect."""
    from pathlib import Path

    folder = Path(str(tmp_path))
    passwords, access = folder / "password", folder / "access"
    for path, text in ((passwords, "monitor s3cret\nnobody s3cret\n"), (access, "monitor readonly\n")):
        path.write_text(text)
        path.chmod(0o600)
    files = (f"{AGENT}.password.file={passwords}", f"{AGENT}.access.file={access}")
    jvm, clock = start_jvm(f"{AGENT}.ssl=false", *files), Clock()
    answers = ["wrong"]
    transport = open_rmi(jvm.target(user="monitor", password=lambda: answers[-1]), TIMERS, clock=clock)
    assert code_of(transport) == "login-refused"
    answers.append("s3cret")
    assert code_of(transport) == "login-refused"  # too early: servers lock accounts
    clock.now += 11
    assert len(transport.sample(20).beans) == 3
    assert code_of(open_rmi(jvm.target(), TIMERS)) == "login-required"
    assert code_of(open_rmi(jvm.target(user="nobody", password=lambda: "s3cret"), TIMERS)) == "permission-denied"


@pytest.mark.parametrize(
    "stage", [Method.LOOKUP, Method.NEW_CLIENT, Method.DIRTY, Method.QUERY_NAMES, Method.GET_MBEAN_INFO]
)
def test_a_server_that_hangs_costs_the_deadline(double: Double, open_rmi: Open, stage: Method) -> None:
    """J5: at the registry, at login, at the lease and while reading; the next sample starts on time."""
    double.answers[Method.QUERY_NAMES] = reply("names")
    double.answers[stage] = hang
    clock = Clock()
    transport = open_rmi(Target("127.0.0.1", double.port, TransportName.RMI), BeanQuery("java.lang:*"), clock=clock)
    watch = Stopwatch()
    for _ in range(2):
        assert code_of(transport, 0.3) == "timeout"
        clock.now += 60
    assert watch.elapsed_s < 3


def test_failures_in_a_row_wait_longer_but_never_long(double: Double, open_rmi: Open) -> None:
    """Backoff grows to 10 s, for logins to 5 minutes; meanwhile the same code comes without a connect."""
    clock = Clock()
    transport = open_rmi(Target("127.0.0.1", free_port(), TransportName.RMI), TIMERS, clock=clock)
    waits = []
    for _ in range(7):
        assert code_of(transport) == "refused"
        begin = clock.now
        clock.now += 0.25
        while "Next attempt" in why_of(transport):
            clock.now += 0.25
        waits.append(clock.now - begin)
    assert waits[0] <= 1
    assert waits[-1] <= 10.5
    assert waits == sorted(waits)
    double.answers[Method.NEW_CLIENT] = REFUSED_LOGIN
    target = Target("127.0.0.1", double.port, TransportName.RMI, user="monitor", password=lambda: "x")
    transport = open_rmi(target, TIMERS, clock=clock)
    for wait_s in (10, 20, 40, 80, 160, 300, 300):
        assert code_of(transport) == "login-refused"
        clock.now += wait_s - 1
        assert "Next attempt" in why_of(transport)
        clock.now += 1


def why_of(transport: RmiTransport) -> str:
    with pytest.raises(JmxError) as caught:
        transport.sample(5)
    return caught.value.why


def test_every_call_of_a_session_is_on_the_list(double: Double, open_rmi: Open) -> None:
    """J17: discovery, samples, keep-alive and close send read-only methods; names are listed by the query's pattern."""
    double.answers |= {
        Method.QUERY_NAMES: reply("names"),
        Method.GET_MBEAN_INFO: reply("timer-info"),
        Method.GET_ATTRIBUTES: reply("timer-attributes"),
        Method.GET_MBEAN_COUNT: reply("value-Instant"),
    }
    clock = Clock()
    pattern = "java.lang:type=MemoryPool,*"
    transport = open_rmi(Target("127.0.0.1", double.port, TransportName.RMI), BeanQuery(pattern), clock=clock)
    for _ in range(3):
        assert len(transport.sample(20).beans) == 8
        clock.now += KEEP_ALIVE_S
        transport.tend()
    transport.close()
    # the double knows a call by the list: it would have stopped at any other
    assert double.count(Method.GET_ATTRIBUTES) == 27
    listed = [raw for method, raw in double.calls if method is Method.QUERY_NAMES]
    assert len(listed) == 1
    assert pattern.encode() in listed[0]
    assert double.count(Method.GET_DEFAULT_DOMAIN) == 3


def test_an_object_that_is_gone_in_mid_sample_is_made_anew(double: Double, open_rmi: Open) -> None:
    """The idle limit struck: newClient again, the same sample goes on where it was."""
    gone = iter([GONE])
    double.answers |= {
        Method.GET_MBEAN_INFO: reply("timer-info"),
        Method.GET_ATTRIBUTES: lambda _double: next(gone, reply("timer-attributes")),
        Method.GET_MBEAN_COUNT: reply("value-Instant"),
    }
    transport = open_rmi(Target("127.0.0.1", double.port, TransportName.RMI), BeanQuery("d:a=1"))
    assert len(transport.sample(20).beans["d:a=1"]) == 17
    assert double.count(Method.NEW_CLIENT) == 2
    assert double.count(Method.LOOKUP) == 1


def test_bytes_that_make_no_sense_do_not_reconnect_for_ever(double: Double, open_rmi: Open) -> None:
    """A server that answers nonsense is given up after a few sockets, with the code of a protocol error."""
    double.answers |= {Method.GET_MBEAN_INFO: b"nonsense", Method.QUERY_NAMES: reply("names")}
    transport = open_rmi(Target("127.0.0.1", double.port, TransportName.RMI), BeanQuery("java.lang:*"))
    assert code_of(transport) == "protocol-error"
    assert len(double.other) < 20


def test_at_most_one_thread_and_none_after_close(fixture_jvm: Jvm, open_rmi: Open) -> None:
    """J2: one sleeping thread per connected target, gone after close; a later sample connects again."""
    before = threading.active_count()
    transport = open_rmi(fixture_jvm.target(), TIMERS)
    for _ in range(5):
        transport.sample(20)
    assert threading.active_count() == before + 1
    transport.close()
    assert threading.active_count() == before
    assert len(transport.sample(20).beans) == 40


def test_a_sample_does_not_start_while_another_runs(double: Double, open_rmi: Open) -> None:
    """J2: the second one waits for its own deadline at most."""
    double.answers[Method.LOOKUP] = hang
    transport = open_rmi(Target("127.0.0.1", double.port, TransportName.RMI), TIMERS)
    first = threading.Thread(target=lambda: code_of(transport, 1.0))
    first.start()
    while not double.count(Method.LOOKUP):
        threading.Event().wait(0.01)
    watch = Stopwatch()
    assert code_of(transport, 0.2) == "timeout"
    assert watch.elapsed_s < 0.8
    first.join()


def test_one_dead_target_changes_nothing_for_another(fixture_jvm: Jvm, double: Double, open_rmi: Open) -> None:
    """J6: transports share nothing: while one hangs, the other samples."""
    double.answers[Method.LOOKUP] = hang
    hanging = open_rmi(Target("127.0.0.1", double.port, TransportName.RMI), TIMERS)
    thread = threading.Thread(target=lambda: code_of(hanging, 1.5))
    thread.start()
    living = open_rmi(fixture_jvm.target(), TIMERS)
    samples = 0
    while thread.is_alive():
        samples += len(living.sample(1.0).beans) == 40
    thread.join()
    assert samples > 5


def test_memory_is_bounded_by_the_queries(start_jvm: Callable[..., Jvm], open_rmi: Open) -> None:
    """J3, J17: with 20,000 other beans in the server a sample holds, and lists, what the queries name."""
    import tracemalloc

    jvm = start_jvm(timers=30, others=20_000)
    transport = open_rmi(jvm.target(), TIMERS)
    tracemalloc.start()
    for _ in range(3):
        sample = transport.sample(30)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(sample.beans) == 30
    assert peak < 3 * 2**20


def test_the_factory_imports_what_the_target_names() -> None:
    """The package needs no TLS, no asyncio and no other transport to open an RMI one; imports stay light."""
    program = (
        "import sys; from agent.jmx.transport import open_transport; from agent.jmx.model import *;"
        "open_transport(Target('127.0.0.1', 1, TransportName.RMI), []);"
        "names = ('ssl', 'asyncio', 'h11', 'agent.jmx.jolokia', 'agent.jmx.jmxquery');"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert isinstance(open_transport(Target("127.0.0.1", 1, TransportName.RMI), []), RmiTransport)


def test_tending_keeps_a_real_connection_alive(fixture_jvm: Jvm, open_rmi: Open) -> None:
    """Lease and keep-alive calls are taken by a JVM, and the same connection object goes on."""
    clock = Clock()
    transport = open_rmi(fixture_jvm.target(), TIMERS, clock=clock)
    transport.sample(20)
    session = transport._session
    object_id = session.object_id
    for _ in range(8):
        clock.now += KEEP_ALIVE_S
        assert transport.due_s() == 0.0
        session.tend(Deadline(5))
    transport.sample(20)
    assert session.object_id == object_id


def test_no_frame_of_an_error_holds_the_password(double: Double, open_rmi: Open) -> None:
    """J21: a traceback printed with its local variables shows no credentials: the attempt's frames stay behind."""
    double.answers[Method.NEW_CLIENT] = REFUSED_LOGIN
    target = Target("127.0.0.1", double.port, TransportName.RMI, user="monitor", password=lambda: "s3cret-word")
    with pytest.raises(JmxError) as caught:
        open_rmi(target, TIMERS).sample(5)
    seen: list[str] = []
    error: BaseException | None = caught.value
    while error is not None:
        frame = error.__traceback__
        while frame is not None:
            seen += [repr(value) for name, value in frame.tb_frame.f_locals.items() if name != "target"]
            frame = frame.tb_next
        error = error.__cause__ or error.__context__
    assert seen
    assert not any("s3cret-word" in text for text in seen)


def test_many_beans_that_turn_bad_at_once_are_mended_step_by_step(double: Double, open_rmi: Open) -> None:
    """However many replies break, each sample finds some of the attributes at fault: none is stuck."""
    names = [f"d:a={number:03}" for number in range(150)]
    double.answers |= {
        Method.GET_MBEAN_INFO: reply("timer-info"),
        Method.GET_ATTRIBUTES: reply("not-serializable"),
        Method.GET_ATTRIBUTE: reply("value-Instant"),
        Method.GET_MBEAN_COUNT: reply("value-Instant"),
    }
    # the head of each sample is read by getAttributes too
    double.answers[Method.GET_ATTRIBUTES] = lambda server: (
        reply("timer-attributes") if b"type=Runtime" in server.calls[-1][1] else reply("not-serializable")
    )
    target = Target("127.0.0.1", double.port, TransportName.RMI)
    transport = open_rmi(target, *[BeanQuery(name, ("Count", "Mean")) for name in names])
    sizes = [len(transport.sample(30).beans) for _ in range(6)]
    assert sizes[0] >= 60
    assert sizes[-1] == 150


@pytest.mark.parametrize("interval_s", [10, 59, 60, 61, 120, 3600])
def test_any_interval_keeps_the_same_connection(double: Double, open_rmi: Open, interval_s: int) -> None:
    """J8: three cycles at each interval against a server whose idle limit is 120 s: one login, no gap."""
    clock = Clock()
    last_call = [clock.now]

    def alive(answer: bytes) -> Callable[[Double], bytes]:
        def respond(_double: Double) -> bytes:
            if clock.now - last_call[0] >= 120:
                return GONE
            last_call[0] = clock.now
            return answer

        return respond

    double.answers |= {
        Method.GET_MBEAN_INFO: alive(reply("timer-info")),
        Method.GET_ATTRIBUTES: alive(reply("timer-attributes")),
        Method.GET_MBEAN_COUNT: alive(reply("value-Instant")),
        Method.GET_DEFAULT_DOMAIN: alive(double.answers[Method.GET_DEFAULT_DOMAIN]),  # type: ignore[arg-type]  # bytes
    }
    transport = open_rmi(Target("127.0.0.1", double.port, TransportName.RMI), BeanQuery("d:a=1"), clock=clock)
    for _ in range(3):
        assert len(transport.sample(20).beans) == 1
        next_tick = clock.now + interval_s
        while (due_s := transport.due_s()) is not None and clock.now + due_s < next_tick:
            clock.now += due_s
            transport.tend()
        clock.now = next_tick
    assert double.count(Method.NEW_CLIENT) == 1
    assert double.count(Method.LOOKUP) == 1


def test_the_keeper_renews_the_lease_between_samples(double: Double, open_rmi: Open) -> None:
    """The sleeping thread does by itself what is due: a lease of two seconds is renewed after one."""
    double.answers |= {
        Method.DIRTY: DIRTY_REPLY.replace((600_000).to_bytes(8, "big"), (2_000).to_bytes(8, "big")),
        Method.GET_MBEAN_INFO: reply("timer-info"),
        Method.GET_ATTRIBUTES: reply("timer-attributes"),
        Method.GET_MBEAN_COUNT: reply("value-Instant"),
    }
    transport = open_rmi(Target("127.0.0.1", double.port, TransportName.RMI), BeanQuery("d:a=1"))
    transport.sample(20)
    deadline = Deadline(5)
    while double.count(Method.DIRTY) < 2 and deadline.left_s() > 0:
        threading.Event().wait(0.02)
    assert double.count(Method.DIRTY) == 2


def test_closing_does_not_wait_for_a_sample_that_hangs(double: Double, open_rmi: Open) -> None:
    """A stop of the agent answers soon, whatever a server does."""
    double.answers[Method.LOOKUP] = hang
    transport = open_rmi(Target("127.0.0.1", double.port, TransportName.RMI), TIMERS)
    thread = threading.Thread(target=lambda: code_of(transport, 3.5))
    thread.start()
    while not double.count(Method.LOOKUP):
        threading.Event().wait(0.01)
    watch = Stopwatch()
    transport.close()
    assert watch.elapsed_s < 3
    thread.join()


def test_a_restarted_product_may_declare_something_else(double: Double, open_rmi: Open) -> None:
    """After a restart MBeanInfo is asked for anew: an upgrade may have changed what a bean of the same name has."""
    clock = Clock()
    started = [1000]
    count = EXPECTED["timer-attributes"]["Count"].to_bytes(8, "big")
    start_time = reply("timer-attributes").replace(b"\x00\x05Count", b"\x00\x09StartTime")

    def attributes(server: Double) -> bytes:
        if b"type=Runtime" not in server.calls[-1][1]:
            return reply("timer-attributes")
        return start_time.replace(count, started[0].to_bytes(8, "big"))

    double.answers |= {
        Method.GET_MBEAN_INFO: reply("timer-info"),
        Method.GET_ATTRIBUTES: attributes,
        Method.GET_MBEAN_COUNT: reply("value-Instant"),
    }
    transport = open_rmi(Target("127.0.0.1", double.port, TransportName.RMI), BeanQuery("d:a=1"), clock=clock)
    assert transport.sample(20).started_ms == 1000
    clock.now += 20
    transport.sample(20)
    assert double.count(Method.GET_MBEAN_INFO) == 1
    started[0] = 2000
    clock.now += 20
    assert transport.sample(20).started_ms == 2000
    assert double.count(Method.GET_MBEAN_INFO) == 2
