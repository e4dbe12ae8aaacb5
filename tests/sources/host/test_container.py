"""Limits of a container, from copies of the files its control group shows."""

from __future__ import annotations

from pathlib import Path

from agent.sources.host.container import limits


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    return root


def test_version_2(tmp_path: Path) -> None:
    """Quota by period is a number of processors; bytes are bytes."""
    files = {"cgroup.controllers": "cpu memory", "cpu.max": "150000 100000", "memory.max": "8589934592"}
    assert limits(write(tmp_path, {**files, "memory.current": "1024"})) == {
        "host.container.cpu.limit": 1.5,
        "host.container.memory.limit": 8 << 30,
        "host.container.memory.used": 1024,
    }


def test_version_1(tmp_path: Path) -> None:
    """The same from the older files."""
    files = {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}
    files |= {"memory/memory.limit_in_bytes": "4294967296", "memory/memory.usage_in_bytes": "77"}
    assert limits(write(tmp_path, files)) == {
        "host.container.cpu.limit": 2,
        "host.container.memory.limit": 4 << 30,
        "host.container.memory.used": 77,
    }


def test_no_limit_is_no_figure(tmp_path: Path) -> None:
    """Where nothing is limited, or the files say nothing, nothing comes out; a machine's root has none of the files."""
    version_2 = {"cgroup.controllers": "cpu", "cpu.max": "max 100000", "memory.max": "max", "memory.current": "5"}
    version_1 = {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}
    version_1 |= {"memory/memory.limit_in_bytes": "9223372036854771712", "memory/memory.usage_in_bytes": "5"}
    assert limits(write(tmp_path / "2", version_2)) == {}
    assert limits(write(tmp_path / "1", version_1)) == {}
    assert limits(write(tmp_path / "odd", {"cgroup.controllers": "", "cpu.max": "many", "memory.max": "-7"})) == {}
    assert limits(write(tmp_path / "root", {"cgroup.controllers": "cpu memory"})) == {}
    assert limits(tmp_path / "none") == {}
