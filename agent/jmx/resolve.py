"""Names to addresses within a deadline: the system's resolver knows none, and may wait for half a minute.

A name is asked for on a thread of its own, at most one per name at a time; addresses need no thread.
"""

from __future__ import annotations

import socket
import threading

from agent.jmx.errors import JmxError

Address = tuple[socket.AddressFamily, tuple[str, int]]

_asking: dict[str, _NameLookup] = {}
_lock = threading.Lock()


class _NameLookup(threading.Thread):
    def __init__(self, host: str) -> None:
        super().__init__(name="jmx-resolve", daemon=True)
        self.host = host
        self.found: list[tuple[socket.AddressFamily, str]] = []
        self.why = "the name has no address"

    def run(self) -> None:
        try:
            answers = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
            self.found = list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in answers))
        except (OSError, UnicodeError) as error:
            self.why = getattr(error, "strerror", None) or "the name is malformed"
        finally:
            with _lock:
                _asking.pop(self.host, None)


def addresses_of(host: str, port: int, wait_s: float) -> list[Address]:
    """Return the addresses to try, in the resolver's order. Raises JmxError `unknown-host`."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return [(family, (host, port))]
    with _lock:
        question = _asking.get(host)
        if question is None:
            question = _asking[host] = _NameLookup(host)
            question.start()
    question.join(max(wait_s, 0.0))
    if question.is_alive() or not question.found:
        why = "The resolver does not answer." if question.is_alive() else f"Resolver: {question.why}."
        raise JmxError("unknown-host", f"The host name {host} cannot be resolved.", why=why, do="Check host and DNS.")
    return [(family, (address, port)) for family, address in question.found]
