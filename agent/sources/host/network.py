"""Traffic of the machine's own network cards, and its TCP connections as numbers.

A bridge, a bond and each container's end of a wire count the same bytes again: only interfaces with a device of their
own are summed, all but loopback where none has one (a container). No name of an interface leaves this file.
"""

from __future__ import annotations

from pathlib import Path

import psutil

CLASS_NET = Path("/sys/class/net")
PROC_NET = Path("/proc/net")


def traffic(class_net: Path = CLASS_NET) -> dict[str, int]:
    """Counters since boot over the machine's own cards."""
    counters = psutil.net_io_counters(pernic=True)
    own = [name for name in counters if (class_net / name / "device").exists()]
    if not own:
        flags = {name: facts.flags.split(",") for name, facts in psutil.net_if_stats().items()}
        own = [name for name in counters if "loopback" not in flags.get(name, ())]
    cards = [counters[name] for name in own]
    return {
        "host.network.sent": sum(card.bytes_sent for card in cards),
        "host.network.received": sum(card.bytes_recv for card in cards),
        "host.network.errors": sum(card.errin + card.errout for card in cards),
        "host.network.drops": sum(card.dropin + card.dropout for card in cards),
    }


def connections(proc_net: Path = PROC_NET) -> dict[str, int]:
    """TCP connections by state, from the kernel's sums: listing each one costs too much on a busy machine."""
    words = [line.split() for line in (proc_net / "sockstat").read_text(encoding="ascii").splitlines()]
    tcp = next(dict(zip(line[1::2], line[2::2], strict=True)) for line in words if line[0] == "TCP:")
    lines = [line.split() for line in (proc_net / "snmp").read_text(encoding="ascii").splitlines()]
    names, numbers = (line for line in lines if line[0] == "Tcp:")
    snmp = dict(zip(names, numbers, strict=True))
    return {
        "host.tcp.established": int(snmp["CurrEstab"]),
        "host.tcp.time_wait": int(tcp["tw"]),
        "host.tcp.orphaned": int(tcp["orphan"]),
        "host.tcp.retransmitted": int(snmp["RetransSegs"]),
    }
