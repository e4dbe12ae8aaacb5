"""Host metrics from this very machine."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path

import psutil

from agent.model import Reading
from agent.sources.host import Host
from tests.support.sources import catalog


def values(reading: Reading) -> dict[str, object]:
    return {sample.series.metric: sample.value for sample in reading.samples}


def test_figures_are_plausible(tmp_path: Path) -> None:
    """Shares lie between 0 and 100, free is at most total, the epoch is the boot time."""
    found = values(Host(catalog(), {"state": tmp_path}).read(5))
    assert 0 < found["host.memory.available"] <= found["host.memory.total"]  # type: ignore[operator]
    assert 0 <= found["host.disk.free"] <= found["host.disk.total"]  # type: ignore[operator]
    assert found["host.cpu.count"] >= 1  # type: ignore[operator]


def test_processor_share_is_over_the_time_since_the_last_read(tmp_path: Path) -> None:
    """After some work the share of used processor time is above 0 and at most 100."""
    host = Host(catalog(), {"state": tmp_path})
    host.read(5)
    sum(i * i for i in range(3_000_000))
    used = values(host.read(5))["host.cpu.used_percent"]
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
    """Nothing is written unless the configuration says so; then a time comes out and no file stays."""
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
