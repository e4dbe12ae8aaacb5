"""Tells systemd how the daemon is: READY=1, WATCHDOG=1, STATUS=..., STOPPING=1.

In:   NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, as systemd sets them; without the first all calls are silent.
Out:  one datagram a call. A manager that does not listen never stops sampling: a failed send is dropped.
The protocol is that of sd_notify(3): lines of KEY=VALUE to a Unix datagram socket.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

LONGEST_STATUS = 200  # characters; `systemctl status` shows one line


class Notifier:
    """Speaks to the service manager, or to nobody. `feed_every_s` is how often to call `alive`, if at all."""

    def __init__(self, address: str | None, feed_every_s: float | None = None) -> None:
        self._address = address
        self.feed_every_s = feed_every_s

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, pid: int | None = None) -> Notifier:
        """The notifier that systemd's variables describe; a watchdog meant for another process is ignored."""
        environment = os.environ if environment is None else environment
        pid = os.getpid() if pid is None else pid
        named = environment.get("NOTIFY_SOCKET", "")
        # Anything but a path or an abstract name is not a socket we can reach (sd_notify(3) allows vsock too).
        address = named if named.startswith(("/", "@")) else None
        microseconds = environment.get("WATCHDOG_USEC", "")
        meant_for_us = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        watched = address and meant_for_us and microseconds.isdecimal() and int(microseconds) > 0
        # Half of what systemd waits, as sd_watchdog_enabled(3) advises.
        return cls(address, int(microseconds) / 2e6 if watched else None)

    def ready(self) -> None:
        """The first real work is done: units that wait for us may start."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """Replace the line that `systemctl status` shows."""
        self._send(_status_line(text))

    def alive(self) -> None:
        """Feed the watchdog; call it only from a check that work makes progress."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The daemon has begun to stop."""
        self._send("STOPPING=1", _status_line("stopping"))

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        # A leading @ stands for the zero byte of an abstract socket.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
                manager.setblocking(False)  # a manager that hangs must not hang the scheduler
                manager.sendto("\n".join(lines).encode(), address)
        except OSError:
            # Nobody listens (any more): the watchdog, if there is one, decides what follows.
            return


def _status_line(text: str) -> str:
    # A line feed would start another assignment: what a product named itself must not become READY=1.
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return f"STATUS={printable[:LONGEST_STATUS]}"
