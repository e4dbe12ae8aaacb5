"""Our JMX transport against jmxquery and against Java's own client, warm, on one JVM in one run.

The JVM holds 300 timer beans of 14 numeric attributes each (4,200 values, always moving) and is warmed up first. The
three readers take turns in rounds, so that a change of the machine's speed meets all of them. Times are medians.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agent.jmx import BeanQuery, Target, TransportName
from agent.jmx.rmi_transport import RmiTransport
from scripts.benches._measure import Cost, Figure, cost_of, cpu_s, median_cost, show
from tests.support.badjmx import BadJmx
from tests.support.jvm import (
    TIMER_ATTRIBUTES,
    TIMERS,
    JavaReader,
    JmxOptions,
    JvmFixture,
    free_port,
    java_reader,
    missing_packages,
)

BEANS = 300
VALUES = BEANS * len(TIMER_ATTRIBUTES)
WARM_UP = 400  # samples by Java's client before anything counts: its code and the target's are compiled by then
ROUNDS = 6
SAMPLES_A_ROUND = 40
QUERY = BeanQuery(TIMERS, TIMER_ATTRIBUTES)
DEADLINE_S = 60.0
USUAL_JVM = ("-Xmx512m",)  # as a product runs: both compilers, the default collector
ROOT = Path(__file__).resolve().parent.parent.parent

_MEMORY = """
import itertools, json, os, sys
from scripts.benches._measure import status_kib
bare = status_kib("VmRSS")
from agent.jmx import BeanQuery, JmxError, Target, TransportName
from agent.jmx.rmi_transport import RmiTransport
work, port, pattern, names, times = sys.argv[1:]
target = Target(host="127.0.0.1", port=int(port), transport=TransportName.RMI)
# a clock that jumps, so that no attempt is left out by the backoff
clock = dict(clock=itertools.count(0, 1000).__next__) if work == "fail" else {}
reader = RmiTransport(target, (BeanQuery(pattern, tuple(names.split(","))),), **clock)
def fail(times):
    failed = 0
    for _ in range(int(times)):
        try:
            reader.sample(5.0)
        except JmxError:
            failed += 1
    return failed
done = 0
if work == "fail":
    fail(100)
rss, open_files = status_kib("VmRSS"), len(os.listdir("/proc/self/fd"))
if work == "fail":
    done = fail(int(times))
else:
    for _ in range(int(times)):
        done = sum(map(len, reader.sample(60.0).beans.values()))
grown, peak = status_kib("VmRSS") - rss, status_kib("VmHWM") - rss
files = len(os.listdir("/proc/self/fd")) - open_files
with_import = status_kib("VmRSS") - bare
print(json.dumps(dict(grown_kib=grown, peak_kib=peak, with_import_kib=with_import, files=files, done=done)))
"""


def in_fresh_process(work: str, port: int, times: int) -> dict[str, int]:
    """Growth of a fresh process that samples (`read`) or fails to (`fail`) `times` times."""
    arguments = [work, str(port), TIMERS, ",".join(TIMER_ATTRIBUTES), str(times)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _MEMORY, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=900)
    measured: dict[str, int] = json.loads(done.stdout)
    expected = VALUES if work == "read" else times
    if measured["done"] != expected:
        raise RuntimeError(f"{work}: {measured['done']} in place of {expected}")
    return measured


def children_and_own_cpu_s() -> float:
    """CPU seconds of this process and of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime + time.process_time()


def read_once(reader: RmiTransport) -> None:
    """One sample, which must be complete: an incomplete one would be cheap."""
    sample = reader.sample(DEADLINE_S)
    values = sum(map(len, sample.beans.values()))
    if values != VALUES:
        raise RuntimeError(f"{values} values for {VALUES}; failures: {sample.failures[:3]}")


def ours(reader: RmiTransport, target_pid: int, samples: int) -> list[Cost]:
    return [cost_of(lambda: read_once(reader), time.process_time, target_pid) for _ in range(samples)]


def javas(reader: JavaReader, target_pid: int, samples: int) -> tuple[list[Cost], float]:
    """One block of Java's samples, and the seconds of CPU that its whole process used for one (compilers, collector).

    The CPU of each sample is that of the thread that takes it, which is the strictest rival.
    """
    own_before, target_before = cpu_s(reader.pid), cpu_s(target_pid)
    result = reader.loop(samples, [TIMERS], TIMER_ATTRIBUTES)
    own, target = ((cpu_s(reader.pid) - own_before) / samples, (cpu_s(target_pid) - target_before) / samples)
    if result["values"] != VALUES:
        raise RuntimeError(f"Java read {result['values']} values for {VALUES}")
    pairs = zip(result["wall_ns"], result["cpu_ns"], strict=True)
    return [Cost(wall / 1e9, cpu / 1e9, target) for wall, cpu in pairs], own


def jmxquery_reader(port: int) -> Callable[[], object] | None:
    """A function that reads the same attributes with jmxquery once, or None when it is not installed."""
    try:
        library: Any = importlib.import_module("jmxquery")
    except ImportError:
        return None
    connection = library.JMXConnection(f"service:jmx:rmi:///jndi/rmi://127.0.0.1:{port}/jmxrmi")
    queries = [library.JMXQuery(TIMERS)]  # its cheapest way: one query for all attributes of all timers

    def read() -> None:
        found = len(connection.query(queries, timeout=120))
        if found != VALUES:
            raise RuntimeError(f"jmxquery read {found} values for {VALUES}")

    return read


def cold(reader: RmiTransport, target_pid: int, times: int) -> list[Cost]:
    """Connect and first sample with a known plan: what a lost connection costs."""
    costs = []
    for _ in range(int(times)):
        reader.close()
        costs.append(cost_of(lambda: read_once(reader), time.process_time, target_pid))
    return costs


def speed(jvm: JvmFixture, reader: RmiTransport) -> Iterator[Figure]:
    port = jvm.options.port or 0
    query = jmxquery_reader(port)
    mine: list[Cost] = []
    java: list[Cost] = []
    java_process: list[float] = []
    jmxquery: list[Cost] = []
    with java_reader(jvm.options, USUAL_JVM) as java_client:
        javas(java_client, jvm.pid, WARM_UP)
        ours(reader, jvm.pid, SAMPLES_A_ROUND)
        for _ in range(ROUNDS):
            mine += ours(reader, jvm.pid, SAMPLES_A_ROUND)
            block, whole_s = javas(java_client, jvm.pid, SAMPLES_A_ROUND)
            java += block
            java_process.append(whole_s)
            if query is not None:
                jmxquery.append(cost_of(query, children_and_own_cpu_s, jvm.pid))
    us, rival = median_cost(mine), median_cost(java)
    slow = median_cost(jmxquery) if jmxquery else None
    for name, cost in (("ours", us), ("Java, warm", rival), ("jmxquery", slow)):
        for label, seconds in (
            ("wall", cost.wall_s if cost else None),
            ("CPU, our side", cost.cpu_s if cost else None),
            ("CPU, target JVM", cost.target_cpu_s if cost else None),
        ):
            yield Figure(f"{name}: {label}", None if seconds is None else seconds * 1e3, "ms a sample")
    missing = "" if slow else "pip install jmxquery"
    own_ratio = slow.cpu_s / us.cpu_s if slow else None
    yield Figure("jmxquery / ours, CPU our side", own_ratio, "times", at_least=150, note=missing)
    target_ratio = slow.target_cpu_s / us.target_cpu_s if slow else None
    yield Figure("jmxquery / ours, CPU target JVM", target_ratio, "times", at_least=10, note=missing)
    yield Figure("ours / Java warm, wall", us.wall_s / rival.wall_s, "times", at_most=1)
    only = "the sampling thread alone"
    yield Figure("ours / Java warm, CPU our side", us.cpu_s / rival.cpu_s, "times", at_most=1, note=only)
    whole = us.cpu_s / statistics.median(java_process)
    yield Figure("ours / Java warm, CPU, whole process", whole, "times", note="with its compilers and collector")
    yield Figure("ours / Java warm, CPU target JVM", us.target_cpu_s / rival.target_cpu_s, "times")
    first = median_cost(cold(reader, jvm.pid, 15))
    yield Figure("cold: wall", first.wall_s * 1e3, "ms a sample", note="connect and first sample, plan known")
    yield Figure("cold / warm, wall", first.wall_s / us.wall_s, "times", at_most=3)
    yield Figure("cold / warm, CPU our side", first.cpu_s / us.cpu_s, "times")


def memory(jvm: JvmFixture) -> Iterator[Figure]:
    grown = in_fresh_process("read", jvm.options.port or 0, 50)
    yield Figure("memory: growth for 4,200 attributes", grown["grown_kib"] / 1024, "MiB", at_most=6)
    yield Figure("memory: peak growth", grown["peak_kib"] / 1024, "MiB")
    yield Figure("memory: growth with the import", grown["with_import_kib"] / 1024, "MiB")
    failed = in_fresh_process("fail", free_port(), 10_000)
    yield Figure("10,000 refused connects: growth", failed["grown_kib"] / 1024, "MiB", at_most=2)
    yield Figure("10,000 refused connects: descriptors", failed["files"], "files", at_most=0)
    with BadJmx(credentials=("monitor", "other")) as locked:
        failed = in_fresh_process("fail", locked.port, 2_000)
        reached = len(locked.calls)
    yield Figure(
        "2,000 refused logins: growth", failed["grown_kib"] / 1024, "MiB", at_most=2, note=f"{reached} calls came"
    )
    yield Figure("2,000 refused logins: descriptors", failed["files"], "files", at_most=0)


def crowd(jvm: JvmFixture, reader: RmiTransport) -> Iterator[Figure]:
    """The same samples without, with, and again without 50,000 other beans in the server."""

    def cost() -> Cost:
        ours(reader, jvm.pid, 10)
        return median_cost(ours(reader, jvm.pid, 60))

    few = [cost()]
    jvm.command("fill 0 50000")
    many = cost()
    with_crowd = in_fresh_process("read", jvm.options.port or 0, 10)
    jvm.command("unfill 0 50000")
    few.append(cost())
    alone_s = statistics.mean(one.wall_s for one in few)
    yield Figure("300 beans alone: wall", alone_s * 1e3, "ms a sample")
    yield Figure("300 of 50,300 beans: wall", many.wall_s * 1e3, "ms a sample")
    yield Figure("50,300 / 300 beans, wall", many.wall_s / alone_s, "times", at_most=1.2)
    cpu_alone_s = statistics.mean(one.cpu_s + one.target_cpu_s for one in few)
    yield Figure("50,300 / 300 beans, CPU of both sides", (many.cpu_s + many.target_cpu_s) / cpu_alone_s, "times")
    yield Figure("50,300 beans: memory growth", with_crowd["grown_kib"] / 1024, "MiB", at_most=6)


def run(as_json: bool) -> int:
    """Runs all parts and returns the exit code of `show`."""
    missing = missing_packages()
    if missing or shutil.which("java") is None:
        print(f"Install the missing packages: apt-get install {' '.join(missing)}", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        jvm = stack.enter_context(JvmFixture(JmxOptions(), flags=USUAL_JVM, timers=BEANS))
        target = Target(host="127.0.0.1", port=jvm.options.port or 0, transport=TransportName.RMI)
        reader = RmiTransport(target, (QUERY,))
        stack.callback(reader.close)
        figures = [*speed(jvm, reader), *crowd(jvm, reader), *memory(jvm)]
    about = (
        f"{BEANS} beans, {VALUES} values a sample; medians of {ROUNDS * SAMPLES_A_ROUND} samples in {ROUNDS} rounds; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs (other work stretches wall times)."
    )
    return show("jmx", figures, as_json=as_json, about=about)
