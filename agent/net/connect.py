"""TCP to the first address of a name that answers; not a byte is sent."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence

from agent.net.deadline import Deadline, OutOfTime
from agent.net.error import Fault, NetError, Step
from agent.net.resolve import Address, addresses_of


def open_tcp(
    host: str,
    port: int,
    deadline: Deadline,
    *,
    stopped: Callable[[], bool] = lambda: False,
    holding: Callable[[socket.socket], None] = lambda _: None,
) -> socket.socket:
    """Return a connected socket. Raises NetError `name`, `refused`, `unreachable`, `timeout` or `aborted`.

    `holding` is told each socket before it connects, so that another thread can end the wait by shutting it down.
    """
    addresses = addresses_of(host, port, deadline, stopped=stopped)
    return _connect_any(addresses, deadline, holding)


def _connect_any(
    addresses: Sequence[Address], deadline: Deadline, holding: Callable[[socket.socket], None]
) -> socket.socket:
    last: OSError = OSError(errno.EHOSTUNREACH, "no address")
    for position, (family, address) in enumerate(addresses):
        # Each address gets a share: a dead IPv6 route must not use up the time of the IPv4 address behind it.
        share_s = _left_s(deadline) / (len(addresses) - position)
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(share_s)
            holding(sock)
            sock.connect(address)
            # Head and body are two writes: without it the second waits for the acknowledgement of the first, 40 ms on
            # Linux.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            last = error
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    if isinstance(last, ConnectionRefusedError):
        raise NetError(Fault.REFUSED, last.strerror or "", cause=last)
    # A TimeoutError as the cause: nothing came back, as when a firewall drops the packets.
    raise NetError(
        Fault.UNREACHABLE, "no answer" if isinstance(last, TimeoutError) else last.strerror or "", cause=last
    )


def _left_s(deadline: Deadline) -> float:
    try:
        return deadline.need_s(Step.CONNECT)
    except OutOfTime as error:
        raise NetError(Fault.TIMEOUT, "no time left", cause=error) from None
