"""Host metrics from this very machine."""

from __future__ import annotations

import getpass
import socket
import subprocess
import threading
from pathlib import Path

import psutil

from agent.model import Reading
from agent.settings import AgentSettings, InstanceSettings, ProductType, Settings
from agent.sources.host.disks import Disks
from agent.sources.host.source import Host
from agent.sources.registry import open_source
from tests.support.cloud import wait_until
from tests.support.hung_mount import hung_mount
from tests.support.mounts import remount_read_only, small_disk
from tests.support.sources import accepted, catalog
from tests.support.stopwatch import Stopwatch


def values(reading: Reading) -> dict[str, object]:
    return {sample.series.metric: sample.value for sample in reading.samples}


def test_figures_are_plausible(tmp_path: Path) -> None:
    """Shares lie between 0 and 100, free is at most total, the epoch is the boot's id."""
    reading = Host(catalog(), {"state": tmp_path}).read(5)
    found = values(reading)
    # Never the boot's time: it moves with the wall clock, and each step of a second would count all traffic again.
    assert reading.epoch == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert 0 < found["host.memory.available"] <= found["host.memory.total"]  # type: ignore[operator]
    assert 0 <= found["host.disk.free"] <= found["host.disk.total"]  # type: ignore[operator]
    assert found["host.cpu.count"] >= 1  # type: ignore[operator]


def test_processor_share_is_over_the_time_since_the_last_read(tmp_path: Path) -> None:
    """After some work the share of used processor time is above 0 and at most 100."""
    host = Host(catalog(), {"state": tmp_path})
    accepted(host)
    sum(i * i for i in range(3_000_000))
    used = values(accepted(host))["host.cpu.used_percent"]
    assert isinstance(used, float)
    assert 0 < used <= 100


def test_folder_that_is_missing_costs_only_itself(tmp_path: Path) -> None:
    """A shared home that is not mounted is a failure; the other roles have their samples."""
    reading = Host(catalog(), {"shared-home": tmp_path / "gone", "state": tmp_path}).read(5)
    roles = {dict(sample.series.tags)["role"] for sample in reading.samples if sample.series.tags}
    assert roles == {"state"}
    assert {failure.metric for failure in reading.failures} >= {"host.disk.free", "host.disk.total"}
    assert {failure.reason for failure in reading.failures} == {"not-present"}


def test_file_counts_that_are_missing(tmp_path: Path) -> None:
    """Without /proc/sys/fs/file-nr those two metrics are not-present and the rest stands."""
    reading = Host(catalog(), {"state": tmp_path}, tmp_path / "nothing").read(5)
    assert {f.metric for f in reading.failures} >= {"host.files.open", "host.files.max"}
    assert "host.memory.total" in values(reading)


def test_no_name_of_host_user_or_path(tmp_path: Path) -> None:
    """Nothing a reading holds names the machine, the account or a folder."""
    text = repr(Host(catalog(), {"state": tmp_path, "local-home": Path("/")}).read(5).samples)
    for secret in (socket.gethostname(), getpass.getuser(), str(tmp_path)):
        assert f"'{secret}'" not in text
        assert len(secret) < 5 or secret not in text


def test_loopback_traffic_is_not_counted(tmp_path: Path) -> None:
    """The sum is at most that of all interfaces but `lo`, on which a product talks to itself."""

    def without_loopback() -> int:
        return sum(facts.bytes_sent for name, facts in psutil.net_io_counters(pernic=True).items() if name != "lo")

    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sender:
        sender.sendall(b"x" * 1000)
    sent = values(Host(catalog(), {"state": tmp_path}).read(5))["host.network.sent"]
    assert isinstance(sent, int)
    assert 0 <= sent <= without_loopback()


def test_write_latency_only_when_wanted(tmp_path: Path) -> None:
    """Nothing is written when it is switched off; else a time comes out and no file stays."""
    before = tmp_path.stat().st_mtime_ns
    reading = Host(catalog(), {"state": tmp_path}).read(5)
    assert "host.disk.write_latency" not in values(reading)
    assert tmp_path.stat().st_mtime_ns == before
    found = values(Host(catalog(), {"state": tmp_path}, writable={"state": tmp_path}).read(5))
    assert 0 < found["host.disk.write_latency"] < 10_000  # type: ignore[operator]  # a number
    assert not list(tmp_path.iterdir())


def test_write_latency_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """It costs that figure only, with a reason."""
    reading = Host(catalog(), {"state": tmp_path}, writable={"shared-home": tmp_path / "gone"}).read(5)
    assert ("host.disk.write_latency", "not-present") in {(item.metric, item.reason) for item in reading.failures}
    assert "host.disk.free" in values(reading)


def lines_of(path: str) -> list[list[str]]:
    """The words of each line of a file of the kernel."""
    return [line.split() for line in Path(path).read_text().splitlines()]


def test_figures_are_those_of_the_kernel(tmp_path: Path) -> None:
    """Each figure beside a second reading of our own from /proc, not through psutil, and of df."""
    spent_before = [int(word) for word in lines_of("/proc/stat")[0][1:]]
    host = Host(catalog(), {"state": tmp_path})
    sum(i * i for i in range(3_000_000))
    found = values(accepted(host))
    spent = [int(word) - before for word, before in zip(lines_of("/proc/stat")[0][1:], spent_before, strict=True)]
    memory = {line[0]: 1024 * int(line[1]) for line in lines_of("/proc/meminfo") if len(line) > 2}
    load, processors = lines_of("/proc/loadavg")[0], lines_of("/proc/cpuinfo")
    df = subprocess.run(
        ["df", "-B1", "--output=size,avail,iavail", tmp_path], capture_output=True, text=True, check=True
    )
    size, available, inodes = map(int, df.stdout.split("\n")[1].split())
    network = {line[0]: [int(word) for word in line[1:]] for line in lines_of("/proc/net/dev")[2:]}
    cards = [name for name in network if Path("/sys/class/net", name[:-1], "device").exists()]
    cards = cards or [name for name in network if name != "lo:"]
    total = sum(spent[:8])
    used = 100 * (total - spent[3] - spent[4]) / total
    exact = {
        "host.cpu.count": sum(words[:1] == ["processor"] for words in processors),
        "host.memory.total": memory["MemTotal:"],
        "host.swap.total": memory["SwapTotal:"],
        "host.disk.total": size,
        "host.files.max": int(lines_of("/proc/sys/fs/file-nr")[0][2]),
    }
    assert {name: found[name] for name in exact} == exact
    near = {  # what moves between two readings, and by how much it may
        "host.cpu.used_percent": (used, 15),
        "host.load.1m": (float(load[0]), 0.5),
        "host.load.5m": (float(load[1]), 0.3),
        "host.load.15m": (float(load[2]), 0.2),
        "host.memory.available": (memory["MemAvailable:"], 512 * 2**20),
        "host.swap.used": (memory["SwapTotal:"] - memory["SwapFree:"], 64 * 2**20),
        "host.disk.free": (available, 2**30),
        "host.disk.inodes.free": (inodes, 50_000),
        "host.files.open": (int(lines_of("/proc/sys/fs/file-nr")[0][0]), 5000),
        "host.network.received": (sum(network[name][0] for name in cards), 64 * 2**20),
        "host.network.sent": (sum(network[name][8] for name in cards), 64 * 2**20),
        "host.uptime": (float(lines_of("/proc/uptime")[0][0]), 60),
        "host.tcp.established": (_established(), 300),
    }
    for name, (expected, within) in near.items():
        assert abs(found[name] - expected) <= within, name  # type: ignore[operator]  # numbers


def _established() -> int:
    """TCP connections that stand, counted one by one."""
    places = [place for place in ("/proc/net/tcp", "/proc/net/tcp6") if Path(place).exists()]
    return sum(words[3] == "01" for place in places for words in lines_of(place)[1:])


def test_hung_file_system_costs_only_itself(tmp_path: Path) -> None:
    """A shared home whose server is away: "hung" within the wait, with everything else there; no second thread is put
    on top of the one that waits; when it answers again its figures are back."""
    shared = tmp_path / "shared"
    shared.mkdir()
    folders = {"shared-home": shared, "state": tmp_path}
    host = Host(catalog(), folders, writable={"shared-home": shared, "state": tmp_path}, disk_wait_s=0.3)
    with hung_mount(shared):
        threads = threading.active_count()
        for _ in range(3):
            watch = Stopwatch()
            reading = accepted(host)
            assert watch.elapsed_s < 2
            assert {"host.cpu.count", "host.memory.total", "host.disk.free"} <= values(reading).keys()
            hung = {item.metric: item.detail for item in reading.failures if item.reason == "hung"}
            assert hung.keys() >= {"host.disk.free", "host.disk.total", "host.disk.inodes.free"}
            assert "does not answer" in hung["host.disk.free"]
        assert threading.active_count() <= threads + 2  # one for space, one for the write
        roles = {dict(item.series.tags)["role"] for item in reading.samples if item.series.tags}
        assert roles == {"state"}
    wait_until(lambda: not [item for item in accepted(host).failures if item.reason == "hung"], 10)


def test_write_latency_each_ten_minutes(tmp_path: Path) -> None:
    """Due at the first read, then not before 600 s; in between it is not-due and nothing is written."""
    now = [0.0]
    disks = Disks({"local-home": tmp_path}, {"state": tmp_path}, clock=lambda: now[0])
    found, _ = disks.read(5)
    latency = [item for item in found if item[0] == "host.disk.write_latency"]
    assert [item[2] for item in latency] == [(("role", "local-home"),)]  # one file system: it speaks for the home
    disks.accept()
    now[0] = 599
    before = tmp_path.stat().st_mtime_ns
    found, failures = disks.read(5)
    assert "host.disk.write_latency" not in {item[0] for item in found}
    assert [(item.metric, item.reason) for item in failures] == [("host.disk.write_latency", "not-due")]
    assert tmp_path.stat().st_mtime_ns == before
    now[0] = 600
    assert "host.disk.write_latency" in {item[0] for item in disks.read(5)[0]}


def test_written_only_into_folders_of_the_agents_own(tmp_path: Path) -> None:
    """By the configuration: the state folder and <shared home>/portfolio-agent, no folder of the product."""
    home, shared, state = (tmp_path / name for name in ("home", "shared", "state"))
    for folder in (home, shared, state, shared / "portfolio-agent"):
        folder.mkdir()
    settings = Settings(InstanceSettings(ProductType.JIRA, home, shared), agent=AgentSettings(state_dir=state))
    before = [folder.stat().st_mtime_ns for folder in (home, shared)]
    reading = open_source("host", settings, catalog()).read(5)
    roles = {dict(s.series.tags)["role"] for s in reading.samples if s.series.metric == "host.disk.write_latency"}
    assert roles == {"local-home", "shared-home"}
    assert [folder.stat().st_mtime_ns for folder in (home, shared)] == before


def test_shared_home_that_may_not_be_written_to_is_no_fault(tmp_path: Path) -> None:
    """The unit lets the service write its state only: then the figure is not-present and the source is well."""
    with small_disk(tmp_path / "disk", "size=1m") as folder:
        remount_read_only(folder)
        reading = Host(catalog(), {"state": tmp_path}, writable={"shared-home": folder}).read(5)
    (failure,) = [item for item in reading.failures if item.metric == "host.disk.write_latency"]
    assert (failure.reason, "may not be written to" in failure.detail) == ("not-present", True)
