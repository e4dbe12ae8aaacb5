"""JMX: every stage of the connection, and which transport is the lightest that works here.

rmi is tried first (nothing but Python), then jolokia (an agent inside the JVM), then jmxquery (a Java of our own). The
configured one is always tried, and a failure is a failure only when it is the configured one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from agent.errors import AgentError
from agent.jmx import BeanQuery, JmxError, Target, TransportName
from agent.jmx.diagnose import FAILED, diagnose
from agent.settings import ProductType, Settings
from agent.sources.jmx.target import target_of
from agent.system.clock import monotonic_s
from agent.views.doctor.checks import Area, Check, State

STAGES_S = 12.0
TRY_S = 8.0
# The domain of the product's own beans, and where they are switched on.
OWN_BEANS: Mapping[ProductType, tuple[str, str]] = {
    ProductType.JIRA: (
        "com.atlassian.jira",
        "switch them on: Administration > System > JMX monitoring.",
    ),
    ProductType.CONFLUENCE: (
        "com.atlassian.confluence",
        "switch them on as Atlassian's page says: Live monitoring using the JMX interface.",
    ),
    ProductType.BITBUCKET: (
        "com.atlassian.bitbucket",
        "switch them on: jmx.enabled=true in bitbucket.properties of the shared home, and restart it.",
    ),
}
NO_ATTRIBUTE = "-"  # nothing is read: which beans there are is all that is asked
WITNESS = BeanQuery("java.lang:type=Runtime", ("StartTime", "VmName", "VmVersion"))


def examine_jmx(settings: Settings, _now: datetime, limit_s: float) -> Iterator[Check]:
    """The stages of the rmi transport, then one real sample through each transport that has to be tried."""
    if not settings.jmx.enabled:
        yield Check(Area.JMX, "jmx", State.SKIPPED, "Switched off: [jmx] enabled = false.")
        return
    ends = monotonic_s() + limit_s
    target = target_of(settings)
    works: list[TransportName] = []
    configured = target.transport
    if configured is not TransportName.JOLOKIA:
        stages = list(_stages(target, min(STAGES_S, limit_s)))
        if configured is TransportName.RMI:
            yield from stages
        if all(check.state is not State.FAILED for check in stages):
            works.append(TransportName.RMI)
    for name, refused in _to_try(target):
        if works and name is not configured:
            continue
        check = refused or _try(target, name, min(TRY_S, ends - monotonic_s()))
        if check.state is State.OK:
            works.append(name)
        elif name is not configured:
            check = replace(check, state=State.SKIPPED, text=f"Would not work either. {check.text}")
        yield check
    yield _lightest(configured, works)
    if configured in works:
        yield from _own_beans(settings, target, max(ends - monotonic_s(), 1.0))


def _own_beans(settings: Settings, target: Target, limit_s: float) -> Iterator[Check]:
    """Said when the JVM answers, but is another one's, or the product keeps its own beans to itself."""
    from agent.jmx.transport import open_transport

    own = OWN_BEANS.get(settings.instance.product)
    if own is None:
        return
    domain, switch = own
    with contextlib.suppress(JmxError, AgentError):  # each stage above has said what is wrong
        transport = open_transport(target, [BeanQuery(f"{domain}:*", (NO_ATTRIBUTE,))])
        try:
            sample = transport.sample(min(TRY_S, limit_s))
        finally:
            transport.close()
        if any((failed.bean, failed.reason) == (f"{domain}:*", "no-bean") for failed in sample.failures):
            text = f"This JVM has no bean of {settings.instance.product} ({domain}); only the JVM itself is read."
            do = f"If [jmx] port is that of another JVM, correct it. Else {switch}"
            yield Check(Area.JMX, "product", State.OK, text, do=do, code="no-product-beans")


def _stages(target: Target, limit_s: float) -> Iterator[Check]:
    for stage in diagnose(replace(target, transport=TransportName.RMI), limit_s):
        code = stage.code if stage.state == FAILED else ""
        yield Check(Area.JMX, stage.name, State(stage.state), stage.text, stage.why, stage.do, code)


def _to_try(target: Target) -> Iterator[tuple[TransportName, Check | None]]:
    """The transports after rmi, lightest first, each with the check that says why it need not be tried."""
    if target.url:
        yield TransportName.JOLOKIA, None
    java = find_java(target.java)
    if java is None:
        text = f"There is no Java here: '{target.java}' is not found."
        do = "Nothing, as long as another transport works: rmi and jolokia need no Java."
        refused = Check(Area.JMX, TransportName.JMXQUERY, State.FAILED, text, do=do, code="transport-unusable")
        yield TransportName.JMXQUERY, refused
    else:
        yield TransportName.JMXQUERY, None


def _try(target: Target, name: TransportName, limit_s: float) -> Check:
    """One sample of one bean through one transport."""
    from agent.jmx.transport import open_transport

    java = find_java(target.java)
    with_java = replace(target, transport=name, java=java or target.java)
    try:
        transport = open_transport(with_java, [WITNESS])
        try:
            sample = transport.sample(max(limit_s, 0.1))
        finally:
            transport.close()
    except JmxError as error:
        return Check(Area.JMX, name, State.FAILED, error.what, error.why, error.do, error.code)
    except AgentError as error:
        return Check(Area.JMX, name, State.FAILED, error.what, error.why, error.do, "transport-unusable")
    said = sample.beans.get(WITNESS.name, {})
    where = f" Java used: {java}." if name is TransportName.JMXQUERY else ""
    machine = " ".join(text for text in (said.get("VmName"), said.get("VmVersion")) if isinstance(text, str))
    return Check(Area.JMX, name, State.OK, f"Reads {machine or 'the JVM'}.{where}")


def _lightest(configured: TransportName, works: list[TransportName]) -> Check:
    if not works:
        text = "No transport works."
        return Check(Area.JMX, "transport", State.FAILED, text, do="Mend the stage above.", code="transport-unusable")
    order = list(TransportName)
    best = min(works, key=order.index)
    text = f"The lightest that works is {best}; configured is {configured}."
    do = f'Set in agent.toml: [jmx] transport = "{best}"' if best is not configured else ""
    if configured not in works:
        return Check(Area.JMX, "transport", State.FAILED, text, do=do, code="transport-unusable")
    return Check(Area.JMX, "transport", State.OK, text, do=do)


def find_java(configured: str) -> str | None:
    """The Java that jmxquery would use: the configured one, JAVA_HOME's, or that of a product running here."""
    home = os.environ.get("JAVA_HOME", "")
    for name in (configured, str(Path(home) / "bin" / "java") if home else ""):
        found = shutil.which(name) if name else None
        if found is not None:
            return found
    return _running_java()


def _running_java() -> str | None:
    import psutil

    for process in psutil.process_iter(["name", "exe"]):
        if process.info["name"] == "java" and process.info["exe"]:
            return str(process.info["exe"])
    return None
