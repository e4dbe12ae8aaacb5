"""What `diagnose` says of each fault: the stage that failed, a code, and a sentence of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from agent.jmx import Target, TlsOptions
from agent.jmx.diagnose import Stage, diagnose
from tests.support import badjmx
from tests.support.badjmx import BadJmx, unanswered_port
from tests.support.jvm import PASSWORD, JmxOptions, JvmFixture, authority, free_port
from tests.support.stopwatch import Stopwatch

StartJvm = Callable[[JmxOptions], JvmFixture]
PATIENT_S = 15.0


def stages_of(target: Target, deadline_s: float = PATIENT_S) -> dict[str, Stage]:
    return {stage.name: stage for stage in diagnose(target, deadline_s)}


def failed(stages: dict[str, Stage]) -> Stage:
    """The one stage that failed."""
    (found,) = [stage for stage in stages.values() if stage.state == "failed"]
    return found


def test_healthy_target_passes_every_stage(jvm_of: StartJvm) -> None:
    """J12: with login and TLS right, every stage is ok and the beans are counted."""
    jvm = jvm_of(JmxOptions(auth=True, ssl=True, registry_ssl=True, client_auth=True))
    stages = stages_of(jvm.target)
    assert {stage.state for stage in stages.values()} == {"ok"}
    assert jvm.command("count") in stages["beans"].text
    assert PASSWORD not in repr(stages)


def test_stub_address_is_printed_with_the_flag_that_mends_it() -> None:
    """J11: the address and port that the stub carries are named, whether they are reachable, and the JVM flags."""
    with BadJmx(stub_host="127.0.0.77", stub_port=free_port()) as bad:
        target = replace(bad.target, connector_port=bad.connector_port)
        stub = stages_of(target)["stub"]
    assert f"127.0.0.77:{bad.stub_port}" in stub.text
    assert "not reachable" in stub.text
    assert "-Djava.rmi.server.hostname" in stub.do
    assert "-Dcom.sun.management.jmxremote.rmi.port" in stub.do


def test_stub_port_behind_a_firewall_is_named() -> None:
    """J11: the connector's port, closed, is not taken for the registry's: the fixed rmi.port is what to do."""
    with BadJmx(stub_port=free_port()) as bad:
        stages = stages_of(bad.target)
    assert stages["registry"].state == "ok"
    assert failed(stages).code == "refused"
    assert "jmxremote.rmi.port" in failed(stages).do


def test_each_fault_has_its_own_stage_code_and_sentence(jvm_of: StartJvm) -> None:
    """J12: refused, filtered, wrong port, TLS missing or not wanted on either side, bad login: all told apart."""
    plain = jvm_of(JmxOptions(auth=True)).target
    registry = jvm_of(JmxOptions(auth=True, ssl=True, registry_ssl=True)).target
    server = jvm_of(JmxOptions(auth=True, ssl=True)).target
    certificate = jvm_of(JmxOptions(auth=True, ssl=True, registry_ssl=True, client_auth=True)).target
    connector = jvm_of(JmxOptions(application=True)).options.rmi_port
    assert connector is not None
    trust = TlsOptions(ca_file=authority().ca_file)
    with unanswered_port() as filtered:
        faults = {
            "unknown-host": (replace(plain, host="no-such-host.invalid"), "name"),
            "refused": (replace(plain, port=free_port()), "tcp"),
            "unreachable": (replace(plain, port=filtered), "tcp"),
            "wrong-port": (replace(plain, port=connector), "registry"),
            "registry-tls-missing": (replace(registry, tls=TlsOptions()), "tls"),
            "registry-tls-unwanted": (replace(plain, tls=replace(trust, registry=True)), "tls"),
            "server-tls-missing": (replace(server, tls=TlsOptions()), "tls"),
            "server-tls-unwanted": (replace(plain, tls=replace(trust, server=True)), "tls"),
            "client-certificate-required": (
                replace(certificate, tls=replace(trust, server=True, registry=True)),
                "tls",
            ),
            "tls-failed": (replace(registry, tls=TlsOptions(server=True, registry=True)), "tls"),
            "login-required": (replace(plain, user=None, password=None), "login"),
            "login-refused": (replace(plain, password=lambda: "wrong"), "login"),
        }
        seen = {code: failed(stages_of(target, 2.0)) for code, (target, _) in faults.items()}
    assert {code: stage.code for code, stage in seen.items()} == {code: code for code in faults}
    assert {code: stage.name for code, stage in seen.items()} == {code: stage for code, (_, stage) in faults.items()}
    assert all(stage.text and stage.do for stage in seen.values())
    assert len({stage.text for stage in seen.values()}) == len(faults)


def test_missing_permission_is_told_from_a_wrong_login(java: None) -> None:
    """J12: a right password without a right to read has its own code, and the access file's word in the remedy."""
    with JvmFixture(JmxOptions(auth=True, access=""), timers=1) as jvm:
        fault = failed(stages_of(jvm.target))
    assert fault.code == "permission-denied"
    assert "readonly" in fault.do


@pytest.mark.parametrize("stage", list(badjmx.Stage)[:4])
def test_doctor_never_hangs(stage: badjmx.Stage) -> None:
    """J5: a server that never answers costs the doctor its deadline, and the stage that waited is named."""
    with BadJmx(stall=stage) as bad:
        watch = Stopwatch()
        fault = failed(stages_of(bad.target, 0.5))
        assert watch.elapsed_s < 1.0
    assert fault.code == "timeout"
