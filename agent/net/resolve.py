"""Names to addresses within a deadline: the system's resolver knows none, and may wait for half a minute.

A name is asked for on a thread of its own, at most one per name at a time; addresses need no thread.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from agent.net.deadline import Deadline
from agent.net.error import Fault, NetError, Step

Address = tuple[socket.AddressFamily, tuple[str, int]]

# A resolver that hangs cannot be woken, but who waits for it must hear a stop: it looks up this often meanwhile.
LOOK_UP_S = 0.25

_asking: dict[str, _NameLookup] = {}
_lock = threading.Lock()


class _NameLookup(threading.Thread):
    def __init__(self, host: str) -> None:
        super().__init__(name="name-look-up", daemon=True)
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


def addresses_of(
    host: str, port: int, deadline: Deadline, *, stopped: Callable[[], bool] = lambda: False
) -> list[Address]:
    """Return the addresses to try, in the resolver's order.

    Raises NetError `aborted`, or `name` whose `why` is the resolver's word; after an unfinished look-up its cause is a
    TimeoutError.
    """
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return [(family, (host, port))]
    with _lock:
        # One look-up a name: a resolver that hangs holds one thread, not one a tick.
        question = _asking.get(host)
        if question is None:
            question = _asking[host] = _NameLookup(host)
            question.start()
    while question.is_alive() and not stopped() and deadline.left_s() > 0:
        question.join(min(LOOK_UP_S, max(deadline.left_s(), 0.0)))
    if stopped():
        raise NetError(Fault.ABORTED, step=Step.NAME)
    if question.is_alive():
        raise NetError(Fault.NAME, "the resolver does not answer", step=Step.NAME, cause=TimeoutError())
    if not question.found:
        raise NetError(Fault.NAME, question.why, step=Step.NAME)
    return [(family, (address, port)) for family, address in question.found]
