"""Real JVMs in every login and TLS mode, and what only a real JVM shows: values, restarts, leases, 50,000 beans."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from agent.jmx import BeanQuery, JmxError, JmxSample, Target, TlsOptions
from agent.jmx.diagnose import diagnose
from agent.jmx.rmi_transport import RmiTransport
from tests.support.compare import differences, flatten
from tests.support.jmx_fixtures import Clock
from tests.support.jvm import (
    PASSWORD,
    STORE_PASSWORD,
    TIMER_ATTRIBUTES,
    TIMERS,
    JmxOptions,
    JvmFixture,
    canonical,
    java_reader,
    make_authority,
)
from tests.support.stopwatch import Stopwatch

OpenTransport = Callable[..., RmiTransport]
StartJvm = Callable[[JmxOptions], JvmFixture]
QUERY = BeanQuery(TIMERS, TIMER_ATTRIBUTES)
PATIENT_S = 20.0
ROOT = Path(__file__).parent.parent.parent

# The agent of JDK 17 ignores registry TLS without connector TLS, so that combination is made by an application's
# connector.
MODES = {
    "plain": JmxOptions(auth=True),
    "server-tls": JmxOptions(auth=True, ssl=True),
    "registry-tls": JmxOptions(auth=True, registry_ssl=True, application=True),
    "both-tls": JmxOptions(auth=True, ssl=True, registry_ssl=True),
    "server-tls-client-certificate": JmxOptions(auth=True, ssl=True, client_auth=True),
    "registry-tls-client-certificate": JmxOptions(auth=True, registry_ssl=True, client_auth=True, application=True),
    "both-tls-client-certificate": JmxOptions(auth=True, ssl=True, registry_ssl=True, client_auth=True),
}
BOTH_TLS, CLIENT_CERTIFICATE = MODES["both-tls"], MODES["both-tls-client-certificate"]


def assert_full(sample: JmxSample, timers: int = 20) -> None:
    """Every timer of the fixture with all its attributes."""
    assert len(sample.beans) == timers
    assert {len(values) for values in sample.beans.values()} == {len(TIMER_ATTRIBUTES)}
    assert not sample.failures


def code_of(transport: OpenTransport, target: Target) -> str:
    """The code of the error that a sample of this target raises."""
    with pytest.raises(JmxError) as caught:
        transport(target, QUERY).sample(PATIENT_S)
    return caught.value.code


def bean(sample: JmxSample, name: str) -> Mapping[str, object]:
    """The values of one bean, whatever the order of its keys."""
    return {canonical(found): dict(values) for found, values in sample.beans.items()}[canonical(name)]


@pytest.mark.parametrize("mode", list(MODES))
def test_every_mode_connects(mode: str, jvm_of: StartJvm, transport: OpenTransport) -> None:
    """J13: all four registry and server TLS combinations connect, with login, with and without client certificate."""
    reader = transport(jvm_of(MODES[mode]).target, QUERY)
    assert_full(reader.sample(PATIENT_S))
    assert_full(reader.sample(PATIENT_S))


@pytest.mark.parametrize(
    ("mode", "wrong", "codes"),
    [
        ("plain", TlsOptions(registry=True), {"registry-tls-unwanted"}),
        ("plain", TlsOptions(server=True), {"server-tls-unwanted"}),
        ("both-tls", TlsOptions(), {"registry-tls-missing"}),
        ("server-tls", TlsOptions(), {"server-tls-missing"}),
        ("server-tls", TlsOptions(server=True, registry=True), {"registry-tls-unwanted"}),
        ("registry-tls", TlsOptions(), {"registry-tls-missing"}),
        ("registry-tls", TlsOptions(server=True, registry=True), {"server-tls-unwanted"}),
        ("both-tls-client-certificate", TlsOptions(server=True, registry=True), {"client-certificate-required"}),
        ("server-tls-client-certificate", TlsOptions(server=True), {"client-certificate-required"}),
    ],
)
def test_wrong_tls_has_its_own_code(
    mode: str, wrong: TlsOptions, codes: set[str], jvm_of: StartJvm, transport: OpenTransport
) -> None:
    """J12, J13: each of the two TLS switches set wrongly, either way, and a missing certificate, have a code."""
    target = jvm_of(MODES[mode]).target
    ca_file = target.tls.ca_file or jvm_of(BOTH_TLS).target.tls.ca_file
    assert code_of(transport, replace(target, tls=replace(wrong, ca_file=ca_file))) in codes


def test_untrusted_and_misnamed_certificates(jvm_of: StartJvm, transport: OpenTransport, tmp_path: Path) -> None:
    """J13: another CA or another name is refused; an expected name is accepted; the name check ends only by explicit
    choice.
    """
    right = jvm_of(BOTH_TLS).target
    other = make_authority(tmp_path / "other")
    assert code_of(transport, replace(right, tls=replace(right.tls, ca_file=other.ca_file))) == "tls-failed"
    misnamed = make_authority(tmp_path / "misnamed", "jvm.example")
    with JvmFixture(JmxOptions(ssl=True, registry_ssl=True, authority=misnamed), timers=20) as jvm:
        target = jvm.target
        assert code_of(transport, target) == "tls-failed"
        named = replace(target, tls=replace(target.tls, expected_name="jvm.example"))
        assert_full(transport(named, QUERY).sample(PATIENT_S))
        unchecked = replace(target, tls=replace(target.tls, check_name=False))
        assert_full(transport(unchecked, QUERY).sample(PATIENT_S))


def test_two_targets_with_two_authorities(jvm_of: StartJvm, transport: OpenTransport, tmp_path: Path) -> None:
    """J22: two targets, two CAs, one process: both work, and neither is trusted by the other's CA."""
    options = JmxOptions(ssl=True, registry_ssl=True, authority=make_authority(tmp_path / "second"))
    with JvmFixture(options, timers=20) as second:
        first = jvm_of(BOTH_TLS)
        readers = [transport(jvm.target, QUERY) for jvm in (first, second)]
        for _ in range(2):
            for reader in readers:
                assert_full(reader.sample(PATIENT_S))
        crossed = replace(second.target, tls=first.target.tls)
        assert code_of(transport, crossed) == "tls-failed"


def test_login_faults_have_their_own_codes(jvm_of: StartJvm, transport: OpenTransport) -> None:
    """J12: no login, a wrong one, and a right one without permission are told apart."""
    target = jvm_of(MODES["plain"]).target
    assert code_of(transport, replace(target, user=None, password=None)) == "login-required"
    assert code_of(transport, replace(target, password=lambda: "wrong")) == "login-refused"
    assert code_of(transport, replace(target, user="nobody")) == "login-refused"
    with JvmFixture(JmxOptions(auth=True, access=""), timers=1) as jvm:
        assert code_of(transport, jvm.target) in ("permission-denied", "login-refused")


def test_port_of_the_connector_is_not_the_registry(jvm_of: StartJvm, transport: OpenTransport) -> None:
    """J12: the RMI port given in place of the registry's is named, not shown as a missing name."""
    jvm = jvm_of(JmxOptions(application=True))
    rmi_port = jvm.options.rmi_port
    assert rmi_port is not None
    assert code_of(transport, replace(jvm.target, port=rmi_port)) == "wrong-port"


def processes_with(secrets: Iterable[str]) -> list[str]:
    """Files of /proc that hold one of the secrets: command lines and environments of all processes."""
    found = []
    needles = [secret.encode() for secret in secrets]
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            for name in ("cmdline", "environ"):
                with suppress(OSError):
                    content = (folder / name).read_bytes()
                    found += [f"{folder.name}/{name}"] if any(needle in content for needle in needles) else []
    return found


def test_no_secret_in_any_process_while_sampling(jvm_of: StartJvm, transport: OpenTransport) -> None:
    """J21: while sampling and during doctor, no command line and no environment of any process holds a secret."""
    target = jvm_of(CLIENT_CERTIFICATE).target
    reader = transport(target, QUERY)
    stop = threading.Event()

    def sample_until_stopped() -> int:
        taken = 0
        while not stop.is_set():
            reader.close()
            reader.sample(PATIENT_S)
            taken += all(stage.state == "ok" for stage in diagnose(target, PATIENT_S))
        return taken

    with ThreadPoolExecutor(1) as pool:
        sampling = pool.submit(sample_until_stopped)
        try:
            found = [processes_with((PASSWORD, STORE_PASSWORD)) for _ in range(5)]
        finally:
            stop.set()
        assert sampling.result(PATIENT_S) > 0
    assert not any(found)


def test_values_of_every_type_are_those_java_reads(plain_jvm: JvmFixture, transport: OpenTransport) -> None:
    """Values of each plain type, null, NaN and infinities included, equal what Java's own client reads."""
    with java_reader(plain_jvm.options) as java:
        before = java.read(["fixture:type=Weird"])
        sample = transport(plain_jvm.target, BeanQuery("fixture:type=Weird")).sample(PATIENT_S)
        assert differences(sample.beans, before, before) == {}
    weird = bean(sample, "fixture:type=Weird")
    assert weird["Tabular"] == [{"label": "x", "used": 11}, {"label": "y", "used": 12}] or weird["Tabular"] == [
        {"label": "y", "used": 12},
        {"label": "x", "used": 11},
    ]
    assert weird["Null"] is None
    assert weird["NumberAsObject"] == 42
    assert weird["NumberDeclared"] == 2.5
    assert "Throws" in {failure.attribute for failure in sample.failures}
    assert "Unserialisable" not in weird


def test_gauges_declared_as_objects_are_read(plain_jvm: JvmFixture, transport: OpenTransport) -> None:
    """Gauges whose Value is declared as Object or Number are read like any other."""
    sample = transport(plain_jvm.target, BeanQuery("com.atlassian.jira:type=metrics,category00=gauges,*")).sample(
        PATIENT_S
    )
    assert sorted(str(values["Value"]) for values in sample.beans.values()) == ["0.5", "1.5", "2.5", "3.5"]


@pytest.mark.parametrize("kind", ["Wide", "Spoiled"])
def test_two_bad_attributes_of_ninety(kind: str, plain_jvm: JvmFixture, transport: OpenTransport) -> None:
    """J14: 90 attributes of which 2 throw (or cannot be serialized) give 88 values and 2 named failures, in the first
    sample.
    """
    name = f"fixture:type={kind}"
    reader = transport(plain_jvm.target, BeanQuery(name, tuple(f"A{number:02d}" for number in range(90))))
    for _ in range(2):
        sample = reader.sample(PATIENT_S)
        assert bean(sample, name) == {f"A{number:02d}": number for number in range(90) if number not in (17, 63)}
        assert {failure.attribute for failure in sample.failures} == {"A17", "A63"}
        assert all(canonical(failure.bean) == name and failure.reason for failure in sample.failures)


def test_bean_that_blocks_costs_the_budget(transport: OpenTransport, clock: Clock, java: None) -> None:
    """J5: an attribute that never returns ends the sample at its deadline; when it does again, samples are full."""
    with JvmFixture(timers=20) as jvm:
        jvm.command("shut")
        reader = transport(jvm.target, QUERY, BeanQuery("fixture:type=Slow", ("Value",)))
        for _ in range(2):
            watch = Stopwatch()
            with suppress(JmxError):
                assert "fixture:type=Slow" not in reader.sample(0.6).beans
            assert watch.elapsed_s < 1.0
            clock.forward()
        jvm.command("open")
        with suppress(JmxError):
            reader.sample(PATIENT_S)
        clock.forward(3600)
        assert bean(reader.sample(PATIENT_S), "fixture:type=Slow") == {"Value": 1}


def test_killed_and_restarted_jvm_heals_within_two_cycles(transport: OpenTransport, clock: Clock, java: None) -> None:
    """J9, J10, J20: kill -9: no values; a new JVM on the port: full values within two cycles, later start time."""
    with JvmFixture(timers=20) as jvm:
        reader = transport(jvm.target, QUERY)
        first = reader.sample(PATIENT_S)
        jvm.kill()
        with pytest.raises(JmxError):
            reader.sample(2.0)
        jvm.start()
        clock.forward()
        try:
            second = reader.sample(PATIENT_S)
        except JmxError:
            clock.forward()
            second = reader.sample(PATIENT_S)
        assert_full(second)
        assert first.started_ms is not None
        assert second.started_ms is not None
        assert second.started_ms > first.started_ms
        assert str(second.started_ms) == jvm.command("started")


def test_idle_limit_is_no_gap(transport: OpenTransport, java: None) -> None:
    """J8: samples further apart than the server's idle limit are full, each of them (the default agent's is 120 s, ours
    0.5 s).
    """
    with JvmFixture(JmxOptions(application=True, idle_ms=500), timers=20) as jvm:
        reader = transport(jvm.target, QUERY)
        for _ in range(3):
            assert_full(reader.sample(PATIENT_S))
            limit = time.monotonic() + PATIENT_S
            while jvm.command("clients") != "0" and time.monotonic() < limit:  # until the server has let go of us
                continue


def test_short_lease_is_no_gap(transport: OpenTransport, java: None) -> None:
    """J8: with a lease of one second and collections between, samples for four seconds are full, each of them."""
    with JvmFixture(JmxOptions(lease_ms=1000), timers=20) as jvm:
        reader = transport(jvm.target, QUERY)
        pause = threading.Event()
        for _ in range(10):
            assert_full(reader.sample(PATIENT_S))
            jvm.command("gc")
            pause.wait(0.4)  # the lease's own clock is what is tested


def test_bean_that_comes_and_goes(transport: OpenTransport, clock: Clock, java: None) -> None:
    """J9: an unregistered bean is absent and named; registered again it is read again, without a new connection."""
    name = "com.atlassian.jira:type=metrics,category00=fixture,name=timer003"
    with JvmFixture(timers=5) as jvm:
        reader = transport(jvm.target, QUERY)
        assert_full(reader.sample(PATIENT_S), 5)
        jvm.command(f"unregister {name}")
        sample = reader.sample(PATIENT_S)
        assert canonical(name) not in {found for found, _ in flatten(sample.beans)}
        assert len(sample.beans) == 4
        jvm.command(f"register {name}")
        clock.forward(3600)
        reader.sample(PATIENT_S)
        assert_full(reader.sample(PATIENT_S), 5)


def test_costly_bean_is_never_read(plain_jvm: JvmFixture, transport: OpenTransport) -> None:
    """J18: the excluded data source is not read once, while its neighbour is."""
    query = BeanQuery(
        "com.atlassian.jira:connectionpool=connections,*",
        excluding=("com.atlassian.jira:connectionpool=connections,connection=*,name=BasicDataSource",),
    )
    before = plain_jvm.command("costly")
    reader = transport(plain_jvm.target, query)
    for _ in range(3):
        sample = reader.sample(PATIENT_S)
        assert [dict(values) for values in sample.beans.values()] == [{"NumIdle": 3}]
    assert plain_jvm.command("costly") == before


def test_seven_days_of_growing_beans_stay_flat(transport: OpenTransport, clock: Clock, java: None) -> None:
    """J17: over seven simulated days, while beans outside the allow-list grow, what a sample costs stays flat.

    CPU of both sides, not time: on a busy machine a sample waits for a core, and no more beans are the reason.
    """
    with JvmFixture(timers=20) as jvm:
        reader = transport(jvm.target, QUERY)
        for _ in range(100):  # the JVM compiles what it runs
            reader.sample(PATIENT_S)
        product = psutil.Process(jvm.pid)
        costs_s = []
        for day in range(7):
            for thousand in range(6):
                jvm.command(f"fill {day * 6000 + thousand * 1000} 1000")
            began_s = time.thread_time() + sum(product.cpu_times()[:2])
            for _ in range(24 * 6):
                assert_full(reader.sample(PATIENT_S))
                clock.forward(600)
            costs_s.append(time.thread_time() + sum(product.cpu_times()[:2]) - began_s)
    assert costs_s[-1] < 1.5 * min(costs_s) + 0.3, costs_s  # the JVM still compiles and collects now and then


_MEASURE = """
import json, sys, time
from agent.jmx import BeanQuery, Target, TransportName
from agent.jmx.rmi_transport import RmiTransport
port, pattern, attributes = int(sys.argv[1]), sys.argv[2], tuple(sys.argv[3].split(","))
def status(key):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key))
before = status("VmRSS")
target = Target(host="127.0.0.1", port=port, transport=TransportName.RMI)
reader = RmiTransport(target, (BeanQuery(pattern, attributes),))
took = []
for _ in range(15):
    began = time.perf_counter()
    sample = reader.sample(60.0)
    took.append(time.perf_counter() - began)
values = sum(len(found) for found in sample.beans.values())
print(json.dumps({"values": values, "grown_kib": status("VmHWM") - before, "median_s": sorted(took)[len(took) // 2]}))
reader.close()
"""


def measure(port: int) -> dict[str, float]:
    """A fresh process that reads the timers 15 times: values, growth of its peak memory, median time."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(port), TIMERS, ",".join(TIMER_ATTRIBUTES)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def test_fifty_thousand_beans_cost_nothing(java: None) -> None:
    """J3: memory and time follow what we ask for: 50,000 other beans in the server change neither."""
    with JvmFixture(timers=50) as jvm:
        port = jvm.options.port
        assert port is not None
        few = measure(port)
        jvm.command("fill 0 50000")
        many = measure(port)
    assert few["values"] == many["values"] == 50 * 14
    assert many["grown_kib"] < few["grown_kib"] + 1024
    assert many["median_s"] < few["median_s"] * 3 + 0.02  # a coarse bound; the bench measures the 20 %
