"""The jmxquery transport against a real JVM, and its child."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agent.jmx import BeanQuery, JmxError, Target, TlsOptions, TransportName
from agent.jmx.jmxquery import JmxqueryTransport
from tests.support.jvm_beans import Jvm, free_port, running_jvm
from tests.support.servers import require
from tests.support.stopwatch import Stopwatch


def target(port: int, **more: object) -> Target:
    return Target("127.0.0.1", port, TransportName.JMXQUERY, **more)  # type: ignore[arg-type]  # the tests' own


def children(words: str) -> list[int]:
    """Processes whose command line holds `words`."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if words in line and "JMXQuery" in line and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found


def test_values_are_typed(jvm: Jvm) -> None:
    """Numbers, composites, booleans and text with quotes in it arrive as what they are."""
    metrics = "com.atlassian.jira:type=metrics,"
    queries = [
        BeanQuery("java.lang:type=Memory", ("HeapMemoryUsage",)),
        BeanQuery("com.atlassian.jira:type=db.reads", ("invocation.count",)),
        BeanQuery(metrics + "category00=http,category01=requests,name=value", ("Value",)),
        BeanQuery(metrics + "category00=db,category01=connection,category02=state,name=value", ("Value",)),
    ]
    sample = JmxqueryTransport(target(jvm.port), queries).sample(30)
    heap = sample.beans["java.lang:type=Memory"]["HeapMemoryUsage"]
    assert isinstance(heap, dict)
    assert set(heap) == {"init", "used", "committed", "max"}
    assert sample.beans["com.atlassian.jira:type=db.reads"] == {"invocation.count": 123456}
    assert sample.beans[metrics + "category00=http,category01=requests,name=value"] == {"Value": 'many "requests"'}
    assert sample.beans[metrics + "category00=db,category01=connection,category02=state,name=value"] == {"Value": True}
    assert sample.started_ms is not None


def test_names_with_separators_in_them(jvm: Jvm) -> None:
    """A name with `;`, `/`, `=` and a comma, at which the jar would split its argument, is read all the same."""
    name = 'Catalina:type=ThreadPool,name="odd;name/with=signs,and quotes"'
    context = "Catalina:type=Manager,host=secret-host.example.com,context=/jira"
    queries = [BeanQuery(name, ("maxThreads",)), BeanQuery(context, ("activeSessions",))]
    sample = JmxqueryTransport(target(jvm.port), queries).sample(30)
    assert sample.beans[name] == {"maxThreads": 3}
    assert sample.beans[context] == {"activeSessions": 6}


def test_what_the_jar_cannot_do_is_named(jvm: Jvm) -> None:
    """A pattern with exclusions would read the excluded beans too: it is not sent at all."""
    pattern = "com.atlassian.jira:connectionpool=connections,*"
    queries = [BeanQuery(pattern, ("NumActive",), ("com.atlassian.jira:connection=*,*",)), BeanQuery("d:a=b", ("x;y",))]
    sample = JmxqueryTransport(target(jvm.port), queries).sample(30)
    assert [(failure.bean, failure.reason) for failure in sample.failures] == [
        (pattern, "not-supported"),
        ("d:a=b", "not-supported"),
    ]
    assert list(sample.beans) == ["java.lang:type=Runtime"]


def test_attribute_that_throws_costs_only_itself(jvm: Jvm) -> None:
    """One attribute that throws is a failure; the others of its bean are there."""
    name = "com.atlassian.jira:type=metrics,category00=issue,name=reindexing"
    sample = JmxqueryTransport(target(jvm.port), [BeanQuery(name, ("Count", "Mean", "99thPercentile"))]).sample(30)
    assert sample.beans[name] == {"Count": 5, "Mean": 1.5}
    assert [failure.attribute for failure in sample.failures] == ["99thPercentile"]


def test_more_beans_than_allowed_are_cut(jvm: Jvm) -> None:
    """The cap holds, and says how many it left out."""
    sample = JmxqueryTransport(
        target(jvm.port, max_beans=2), [BeanQuery("java.lang:type=MemoryPool,name=*", ("Valid",))]
    ).sample(30)
    assert len(sample.beans) == 2
    assert sample.cut[0] >= 1


@pytest.mark.parametrize("more", [{"user": "monitor"}, {"password": lambda: "x"}])
def test_password_is_refused(more: dict[str, object]) -> None:
    """J21: a login would be an argument that every user of the machine can read; the transport says so and stops."""
    with pytest.raises(JmxError, match="argument") as caught:
        JmxqueryTransport(target(1, **more), [])
    assert caught.value.code == "transport-unusable"
    assert "rmi" in caught.value.do


def test_tls_is_refused() -> None:
    """TLS options without effect would be a false promise."""
    with pytest.raises(JmxError, match="TLS"):
        JmxqueryTransport(target(1, tls=TlsOptions(server=True)), [])


def test_nobody_listens() -> None:
    """A closed port is `refused`, with advice."""
    require("java")
    with pytest.raises(JmxError) as caught:
        JmxqueryTransport(target(free_port()), []).sample(30)
    assert caught.value.code == "refused"
    assert caught.value.do


def test_port_of_another_program_ends_in_time() -> None:
    """A port that takes connections and says nothing ends at the deadline, and the child is gone."""
    require("java")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        watch = Stopwatch()
        with pytest.raises(JmxError) as caught:
            JmxqueryTransport(target(port), []).sample(2)
        assert watch.elapsed_s < 4
        assert caught.value.code == "timeout"
        assert children(f":{port}/") == []


def test_jvm_that_hangs_ends_in_time() -> None:
    """A stopped JVM (SIGSTOP) costs the deadline and no more."""
    with running_jvm() as own:
        os.kill(own.process.pid, signal.SIGSTOP)
        try:
            with pytest.raises(JmxError) as caught:
                JmxqueryTransport(target(own.port), []).sample(2)
        finally:
            os.kill(own.process.pid, signal.SIGCONT)
    assert caught.value.code == "timeout"


def test_no_java() -> None:
    """Without Java the transport says what it needs and what does without."""
    with pytest.raises(JmxError, match="cannot be started") as caught:
        JmxqueryTransport(target(1, java="/nowhere/java"), []).sample(5)
    assert caught.value.code == "transport-unusable"


def test_close_ends_a_running_child() -> None:
    """Closing from another thread ends the child at once."""
    require("java")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        transport = JmxqueryTransport(target(port), [])
        errors: list[JmxError] = []

        def read() -> None:
            try:
                transport.sample(60)
            except JmxError as error:
                errors.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        accepted, _ = listener.accept()  # the child has connected, so it runs
        transport.close()
        thread.join(10)
        accepted.close()
        assert not thread.is_alive()
        assert errors
        assert children(f":{port}/") == []


def test_child_dies_with_the_agent() -> None:
    """J4: after kill -9 of the agent no child is left within 5 seconds."""
    require("java")
    require("setpriv")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        program = (
            "from agent.jmx import Target; from agent.jmx.jmxquery import JmxqueryTransport; "
            f"JmxqueryTransport(Target('127.0.0.1', {port}), []).sample(60)"
        )
        agent = subprocess.Popen([sys.executable, "-c", program])
        accepted, _ = listener.accept()
        assert children(f":{port}/")
        agent.kill()
        agent.wait()
        end = time.monotonic() + 5
        while children(f":{port}/") and time.monotonic() < end:
            threading.Event().wait(0.05)
        accepted.close()
        assert children(f":{port}/") == []


def test_environment_of_the_child_is_clean(jvm: Jvm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The product's JAVA_TOOL_OPTIONS do not reach the child: this one would stop any JVM from starting."""
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-javaagent:/nowhere/agent.jar")
    assert JmxqueryTransport(target(jvm.port), []).sample(30).started_ms
