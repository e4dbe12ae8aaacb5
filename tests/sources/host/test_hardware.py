"""What the machine is, from copies of the files a kernel shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.sources.host.hardware import cores, read_hardware

CPUINFO = "processor : 0\nmodel name : Example CPU\\u202e @ 2 GHz\nphysical id : 0\ncore id : 0\nflags : fpu %s\n"


def tree(root: Path, *, flags: str = "", vendor: str = "", product: str = "") -> Path:
    for name in ("proc", "etc", "sys/class/dmi/id", "run"):
        (root / name).mkdir(parents=True)
    one = CPUINFO.encode().decode("unicode_escape") % flags
    (root / "proc/cpuinfo").write_text(
        one + "\n" + one.replace("core id : 0", "core id : 1") + "\n" + one, encoding="utf-8"
    )
    (root / "etc/os-release").write_text('NAME="Our Company Build"\nID=debian\nVERSION_ID="12"\n')
    (root / "sys/class/dmi/id/sys_vendor").write_text(vendor)
    (root / "sys/class/dmi/id/product_name").write_text(product)
    return root


@pytest.mark.parametrize(
    ("flags", "vendor", "product", "kind"),
    [
        ("", "Dell Inc.", "PowerEdge", "none"),
        ("hypervisor", "VMware, Inc.", "VMware7,1", "vmware"),
        ("hypervisor", "Microsoft Corporation", "Virtual Machine", "microsoft"),
        ("hypervisor", "Amazon EC2", "m5.large", "amazon"),
        ("hypervisor", "QEMU", "Standard PC", "kvm"),
        ("hypervisor", "Unheard Of", "Thing", "other"),
    ],
)
def test_kind_of_machine(tmp_path: Path, flags: str, vendor: str, product: str, kind: str) -> None:
    """A fixed word for each, whatever else the firmware says."""
    assert read_hardware(tree(tmp_path, flags=flags, vendor=vendor, product=product))["host.virtualisation"] == kind


def test_container_is_one_before_its_host(tmp_path: Path) -> None:
    """Inside a container the host's firmware does not matter."""
    (tree(tmp_path, vendor="QEMU") / ".dockerenv").touch()
    assert read_hardware(tmp_path)["host.virtualisation"] == "container"


def test_words_are_checked(tmp_path: Path) -> None:
    """Control signs are taken out, odd words are left out, the kernel is its numbers only."""
    facts = read_hardware(tree(tmp_path))
    assert facts["host.cpu.model"] == "Example CPU @ 2 GHz"
    assert (facts["host.os.name"], facts["host.os.version"]) == ("debian", "12")
    assert facts["host.os.kernel"].replace(".", "").isdecimal()
    (tmp_path / "etc/os-release").write_text("ID=some one's host\n")
    assert read_hardware(tmp_path)["host.os.name"] == ""


def test_cores_without_threads(tmp_path: Path) -> None:
    """Threads of one core are one; a machine that does not tell gives nothing."""
    assert cores(tree(tmp_path)) == 2
    assert cores(tmp_path / "nowhere") is None
