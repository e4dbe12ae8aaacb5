"""What the machine is, for sizing its successor: processor, virtualisation, system. Never the name of a host.

In:   /proc, /sys and /etc/os-release. Out: short words, each checked against what it may look like; "" where the system
does not tell. Read once: none of it changes while the agent runs.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from agent.sources.base import clean_text

WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
KERNEL = re.compile(r"\d{1,3}\.\d{1,3}(?:\.\d{1,4})?")
MODEL_LIMIT = 80
# Words of the firmware's maker and product, in order, and the kind of machine they stand for.
MAKERS = (
    ("amazon", "amazon"),
    ("google", "google"),
    ("vmware", "vmware"),
    ("innotek", "virtualbox"),
    ("virtualbox", "virtualbox"),
    ("xen", "xen"),
    ("qemu", "kvm"),
    ("kvm", "kvm"),
    ("openstack", "kvm"),
    ("red hat", "kvm"),
)


def read_hardware(root: Path = Path("/")) -> dict[str, str]:
    """Metric name to text; `root` is where /proc, /sys and /etc lie."""
    processors = _text(root / "proc/cpuinfo")
    system = dict(
        line.split("=", 1) for line in _text(root / "etc/os-release").splitlines() if "=" in line and line[0] != "#"
    )
    kernel = KERNEL.match(os.uname().release)
    return {
        "host.cpu.model": clean_text(_field(processors, "model name"), MODEL_LIMIT),
        "host.cpu.architecture": _word(os.uname().machine),
        "host.virtualisation": virtualisation(root, processors),
        "host.os.name": _word(system.get("ID", "").strip("\"'").lower()),
        "host.os.version": _word(system.get("VERSION_ID", "").strip("\"'").lower()),
        # Only the numbers: behind them a builder may have put a name of its own.
        "host.os.kernel": kernel[0] if kernel else "",
    }


def cores(root: Path = Path("/")) -> int | None:
    """Processor cores without their threads; None where the system does not tell."""
    found = set()
    for block in _text(root / "proc/cpuinfo").split("\n\n"):
        package, core = _field(block, "physical id"), _field(block, "core id")
        if package and core:
            found.add((package, core))
    return len(found) or None


def virtualisation(root: Path, processors: str) -> str:
    """container, one of the known kinds, "other" for an unknown one, "none" on bare metal."""
    if any((root / mark).exists() for mark in ("run/systemd/container", ".dockerenv", "run/.containerenv")):
        return "container"
    firmware = " ".join(_text(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name")).lower()
    for word, kind in MAKERS:
        if word in firmware:
            return kind
    if "microsoft" in firmware and "virtual" in firmware:
        return "microsoft"
    return "other" if " hypervisor" in _field(processors, "flags") else "none"


def _field(text: str, name: str) -> str:
    found = re.search(rf"(?m)^{re.escape(name)}[ \t]*:(.*)$", text)
    return found[1].rstrip() if found and name == "flags" else found[1].strip() if found else ""


def _word(text: str) -> str:
    return text if WORD.fullmatch(text) else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
