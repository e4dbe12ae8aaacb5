"""The stages of `doctor` for JMX: the one that failed, its code, its cause, and the flag that mends it."""

from __future__ import annotations

import pytest

from agent.jmx.calls import Method
from agent.jmx.diagnose import FAILED, OK, SKIPPED, STAGES, Stage, diagnose
from agent.jmx.model import Target, TlsOptions, TransportName
from tests.jmx.conftest import Jvm, free_port
from tests.jmx.double import GONE, LOOKUP_REPLY, REFUSED_LOGIN, Double, hang, stub_reply
from tests.jmx.vectors import records

TLS_STUB = [raw for side, raw in records("stub-tls") if side == "S"][-1]


def stages_of(double: Double, within_s: float = 5.0, **changes: object) -> dict[str, Stage]:
    target = Target("127.0.0.1", double.port, TransportName.RMI, **changes)  # type: ignore[arg-type]  # fields of Target
    return {stage.name: stage for stage in diagnose(target, within_s)}


def failed(stages: dict[str, Stage]) -> Stage:
    (found,) = [stage for stage in stages.values() if stage.state == FAILED]
    assert found.code
    assert found.text
    return found


def test_all_stages_of_a_jvm_are_fine(fixture_jvm: Jvm) -> None:
    """Every stage says what it saw, down to the number of beans."""
    stages = diagnose(fixture_jvm.target(), 20)
    assert [stage.name for stage in stages] == list(STAGES)
    assert {stage.state for stage in stages} == {OK}
    assert f":{fixture_jvm.port}" in stages[3].text
    assert stages[-1].text.split()[0].isdigit()


def test_a_stub_that_points_elsewhere_is_told(double: Double) -> None:
    """J11: address and port of the stub, whether it is reachable, and the flags that mend it."""
    double.answers[Method.LOOKUP] = stub_reply(LOOKUP_REPLY, double.port, "no-such-host.invalid")
    double.answers[Method.GET_MBEAN_COUNT] = GONE
    stub = stages_of(double)["stub"]
    assert stub.state == OK
    assert f"no-such-host.invalid:{double.port}" in stub.text
    assert f"127.0.0.1:{double.port} is used" in stub.text
    assert "not reachable" in stub.text
    assert "-Djava.rmi.server.hostname=127.0.0.1" in stub.do


def test_a_closed_connector_port_is_the_stubs_fault(double: Double) -> None:
    """J11: the port that the stub carries is not open; the flag for a fixed port is named."""
    double.answers[Method.LOOKUP] = stub_reply(LOOKUP_REPLY, free_port())
    stage = failed(stages_of(double))
    assert (stage.name, stage.code) == ("stub", "refused")
    assert "jmxremote.rmi.port" in stage.do


def test_each_failure_names_its_stage(double: Double) -> None:
    """J12: refused, wrong port, TLS, login: stage and code; later stages are skipped."""
    unused = diagnose(Target("127.0.0.1", free_port(), TransportName.RMI), 5)
    assert [stage.state for stage in unused] == [OK, FAILED, *[SKIPPED] * 6]
    assert unused[1].code == "refused"
    nowhere = diagnose(Target("no-such-host.invalid", 1, TransportName.RMI), 20)
    assert (nowhere[0].state, nowhere[0].code) == (FAILED, "unknown-host")
    double.answers[Method.NEW_CLIENT] = REFUSED_LOGIN
    login = failed(stages_of(double, user="monitor", password=lambda: "x"))
    assert (login.name, login.code) == ("login", "login-refused")
    tls = failed(stages_of(double, tls=TlsOptions(server=True)))
    assert (tls.name, tls.code) == ("tls", "server-tls-unwanted")
    assert "jmxremote.ssl=true" in tls.do
    double.answers[Method.LOOKUP] = TLS_STUB
    assert failed(stages_of(double)).code == "server-tls-missing"
    double.answers[Method.LOOKUP] = GONE
    assert failed(stages_of(double)).name == "registry"
    double.greeting = b"\x15\x03\x03"
    missing = failed(stages_of(double))
    assert (missing.name, missing.code) == ("tls", "registry-tls-missing")
    double.greeting = b"HTTP"
    assert failed(stages_of(double)).code == "wrong-port"


@pytest.mark.parametrize("stage", [Method.LOOKUP, Method.NEW_CLIENT, Method.GET_DEFAULT_DOMAIN])
def test_a_hanging_server_ends_the_diagnosis_in_time(double: Double, stage: Method) -> None:
    """The total holds for all stages together."""
    double.answers[stage] = hang
    assert failed(stages_of(double, 0.5)).code == "timeout"
