"""What the agent costs: memory and CPU of the resident process, the hourly run, `status`; peers measured beside it.

The resident process stands beside the demo product (a JVM, PostgreSQL when it is installed, else SQLite) and takes 60
ticks, one a second. The hourly run closes an hour of 4,200 series with 30 ticks. Peers: a bare Python of the same
interpreter for memory and start-up time, and the reading of the same JVM by a Java child where that transport is used.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.catalog import load_catalog
from agent.consent import Concealer, Pseudonyms
from agent.model import ConsentLevel, Outcome, Sample, Series, SourceReport, Tick, hour_of
from agent.product.instance.identity import read_instance
from agent.settings.load import load_settings
from agent.store import open_store
from agent.store.ticks import TickWriter
from scripts.benches._measure import Figure, cpu_s, show, status_kib
from scripts.demo_product.processes import Children, Failed, Process
from scripts.demo_product.product import Product, running_product
from scripts.demo_product.run import set_key

TICKS = 60
SERIES, BEANS = 4200, 300
STATUS_RUNS = 11


@dataclass(frozen=True)
class Ended:
    """A process that ran to its end: wall and CPU seconds, largest resident size in MiB."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def run_once(command: Sequence[str | Path]) -> Ended:
    """Run one process and say what it cost; any exit code will do, its output is thrown away."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return Ended(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median_of(command: Sequence[str | Path], runs: int = STATUS_RUNS) -> Ended:
    """Medians over `runs` runs, after one that warms the caches."""
    run_once(command)
    ended = [run_once(command) for _ in range(runs)]
    return Ended(
        statistics.median(item.wall_s for item in ended),
        statistics.median(item.cpu_s for item in ended),
        statistics.median(item.peak_mib for item in ended),
    )


def configure(folder: Path, product: Product) -> Path:
    """The agent's configuration by its own `init`, with a tick every second and hours that stay open."""
    config = folder / "agent.toml"
    command: list[str | Path] = [sys.executable, "-m", "agent.cli", "init", "--home", product.home]
    command += ["--install", product.install, "--jmx-host", "127.0.0.1", "--offline"]
    command += ["--state-dir", folder / "state", "--config", config]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    text = config.read_text(encoding="utf-8")
    text = set_key(set_key(text, "sampling", "interval", '"1s"'), "sampling", "deadline", '"0.9s"')
    config.write_text(text, encoding="utf-8")
    return config


def resident_figures(daemon: Process) -> list[Figure]:
    """Memory and CPU of the resident process over TICKS ticks, its own children counted apart."""
    pid = daemon.child.pid
    wait_for_ticks(daemon, 5)
    start_kib, start_cpu, start_wakes = status_kib("VmRSS", pid), cpu_s(pid), wakes(pid)
    wait_for_ticks(daemon, 5 + TICKS)
    rss_kib, spent = status_kib("VmRSS", pid), cpu_s(pid) - start_cpu
    bare_mib = bare_python_mib()
    return [
        Figure("resident process: RSS after 60 ticks", rss_kib / 1024, "MiB", at_most=45),
        Figure("  as a ratio to a bare Python", rss_kib / 1024 / bare_mib, "x", note=f"bare: {bare_mib:.1f} MiB"),
        Figure("  growth over these 60 ticks", (rss_kib - start_kib) / 1024, "MiB", at_most=1),
        Figure("  CPU a tick", spent / TICKS * 1000, "ms", at_most=25, note="children apart"),
        Figure("  switches of its main thread a tick", (wakes(pid) - start_wakes) / TICKS, "", note="voluntary"),
    ]


def wakes(pid: int) -> int:
    """How often the main thread gave the processor up by itself."""
    return status_kib("voluntary_ctxt_switches", pid)


def bare_python_mib() -> float:
    """Resident size of the same interpreter with nothing imported."""
    code = "print(next(l for l in open('/proc/self/status') if l.startswith('VmRSS')).split()[1])"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def wait_for_ticks(daemon: Process, count: int) -> None:
    """Wait until the daemon's log tells of `count` ticks."""
    deadline = time.monotonic() + 3 * count + 30
    pause = threading.Event()
    while daemon.errors.read_text(encoding="utf-8").count("tick.finished") < count:
        if daemon.child.poll() is not None or time.monotonic() > deadline:
            raise Failed(f"the daemon did not take {count} ticks: {daemon.last_words()}")
        pause.wait(0.2)


def fill_hour(config: Path) -> None:
    """An hour that is over, of SERIES series with 30 ticks, in this configuration's store as the daemon stores it."""
    settings = load_settings(config)
    start = hour_of(datetime.now(UTC) - timedelta(hours=2)).start
    names = ("count", "mean", "p99")
    series = [Series("jmx", f"jira.cluster.lock.held.{names[n % 3]}", (("lock", f"lock-{n}"),)) for n in range(SERIES)]
    concealer = Concealer(load_catalog(settings.instance.product))
    pseudonyms = Pseudonyms(read_instance(settings.link_dir).pseudonym_key.reveal())
    store = open_store(settings.agent.state_dir)
    writer = TickWriter(store, settings.hour.length_s)
    for number in range(30):
        samples = tuple(Sample(item, (n * 7919 + number * 104729) % 10007 / 7) for n, item in enumerate(series))
        report = SourceReport("jmx", Outcome.OK, len(samples))
        tick = Tick(start + timedelta(minutes=2 * number), samples, (report,), {"jmx": "1"})
        writer.append(concealer.conceal(tick, ConsentLevel.BASIC, pseudonyms))
    store.close()


def run(as_json: bool) -> int:
    """Measure, print, and say by the exit code whether every target was reached."""
    postgres = any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    folder = Path(tempfile.mkdtemp(prefix="portfolio-agent-bench-"))
    agent = [sys.executable, "-m", "agent.cli"]
    with Children(folder) as children, running_product(folder, children, postgres=postgres) as product:
        config = configure(folder, product)
        daemon = children.start("agent", [*agent, "run", "--config", config])
        figures = resident_figures(daemon)
        status = median_of([*agent, "status", "--config", config])
        bare = median_of([sys.executable, "-c", "pass"])
        daemon.stop()
        fill_hour(config)
        hourly = run_once([*agent, "deliver", "--no-push", "--config", config])
    figures += [
        Figure("status: wall time", status.wall_s * 1000, "ms", at_most=150, note=f"median of {STATUS_RUNS}"),
        Figure(
            "  as a ratio to a bare Python", status.wall_s / bare.wall_s, "x", note=f"bare: {bare.wall_s * 1e3:.0f} ms"
        ),
        Figure("  largest resident size", status.peak_mib, "MiB"),
        Figure("hourly run, 4,200 series x 30: CPU", hourly.cpu_s, "s", at_most=1, note="close, filter, seal"),
        Figure("  largest resident size", hourly.peak_mib, "MiB", at_most=80),
    ]
    database = "PostgreSQL" if postgres else "SQLite"
    return show("footprint", figures, as_json=as_json, about=f"JMX, {database} guardrails and host; {TICKS} ticks")
