"""Traffic of own cards and TCP sums."""

from __future__ import annotations

from pathlib import Path

import psutil

from agent.sources.host.network import connections, traffic


def test_only_interfaces_with_a_device_count(tmp_path: Path) -> None:
    """A bridge or bond has no device of its own, so its bytes are not counted again."""
    names = sorted(psutil.net_io_counters(pernic=True))
    (tmp_path / names[0] / "device").mkdir(parents=True)
    own = traffic(tmp_path)["host.network.received"]
    assert own <= psutil.net_io_counters(pernic=True)[names[0]].bytes_recv


def test_without_any_device_all_but_loopback_count(tmp_path: Path) -> None:
    """A container shows no devices; then everything but loopback is summed."""
    before = sum(facts.bytes_recv for name, facts in psutil.net_io_counters(pernic=True).items() if name != "lo")
    assert traffic(tmp_path)["host.network.received"] >= before


def test_connections_are_the_kernels_sums() -> None:
    """Numbers from this kernel, none negative."""
    found = connections()
    assert found.keys() == {
        "host.tcp.established",
        "host.tcp.time_wait",
        "host.tcp.orphaned",
        "host.tcp.retransmitted",
    }
    assert min(found.values()) >= 0
