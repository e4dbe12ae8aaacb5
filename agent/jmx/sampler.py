"""Asks many read-only questions of one session: pipelined, and healing as it goes.

In:   `Request`s, whose bytes are kept over the life of a connection object.
Out:  one outcome per request, in order: a value, or the JmxError of that request alone.
Heal: a value that breaks the stream costs its own request and a new socket; a lost socket is made anew and the request
      repeated; a lost object means a new login. What concerns all requests (no time, no login) is raised.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from agent.jmx import calls
from agent.jmx.calls import METHOD_AT, OBJECT_AT, CallBytes, Method
from agent.jmx.errors import ConnectionLost, JmxError, PeerAborted, ProtocolError, RemoteFailure, UnskippableValue
from agent.jmx.jrmp import MAX_UNANSWERED, Channel, windows
from agent.jmx.model import JmxValue
from agent.jmx.rmi import Session
from agent.jmx.templates import TemplateSet
from agent.net.deadline import Deadline

MAX_BROKEN_VALUES = 64  # new sockets for values that cannot be sent; the rest waits for the next sample
MAX_LOSSES = 4  # sockets and objects lost, or bytes not understood, before the sample is given up

Outcome = JmxValue | JmxError
Accept = Callable[[int, Outcome], None]


class Request:
    """One call on the connection object, and the templates that its replies are read with."""

    __slots__ = ("_bytes", "method", "templates")

    def __init__(self, method: Method, arguments: bytes, templates: TemplateSet) -> None:
        self.method = method
        self.templates = templates
        self._bytes = calls.call(calls.REGISTRY_ID, method, arguments)

    def call(self, object_id: bytes) -> CallBytes:
        """Return the bytes for that connection object: 22 of them change with it, all else stays."""
        if self._bytes[OBJECT_AT:METHOD_AT] != object_id:
            self._bytes = CallBytes(self._bytes[:OBJECT_AT] + object_id + self._bytes[METHOD_AT:])
        return self._bytes


def ask_all(session: Session, requests: Sequence[Request], accept: Accept, deadline: Deadline) -> None:
    """Ask every request once and hand each outcome to `accept`, in order.

    Raises JmxError for what is not the matter of one request; those accepted before it stay good.
    """
    _Exchange(session, requests, accept).run(deadline)


class _Exchange:
    def __init__(self, session: Session, requests: Sequence[Request], accept: Accept) -> None:
        self._session = session
        self._requests = requests
        self._accept = accept
        self._at = 0
        self._losses = 0
        self._lost_at = -1
        self._broken = 0

    def run(self, deadline: Deadline) -> None:
        while self._at < len(self._requests):
            channel = self._session.ensure(deadline)
            try:
                self._stream(channel)
            except ConnectionLost as error:
                self._session.drop()
                self._lose(error, self._at)
            except RemoteFailure as failure:
                self._refused(failure)
            except ProtocolError as error:
                self._session.drop()
                self._breach(error)
            except BaseException:
                # answers are still under way, and would be taken for those of the next sample
                self._session.drop()
                raise

    def _stream(self, channel: Channel) -> None:
        """Send from the current request on, never more than MAX_UNANSWERED bytes ahead of the answers."""
        # Bytes are counted, not calls: where both sides write more than their buffers hold before they read, both wait
        # for ever.
        object_id = self._session.object_id
        under_way: deque[tuple[int, int]] = deque()
        unanswered = 0
        for group in windows(request.call(object_id) for request in self._requests[self._at :]):
            size = sum(map(len, group))
            while under_way and unanswered + size > MAX_UNANSWERED:
                count, answered = under_way.popleft()
                self._receive(channel, count)
                unanswered -= answered
            channel.send_calls(group)
            under_way.append((len(group), size))
            unanswered += size
        for count, _ in under_way:
            self._receive(channel, count)

    def _receive(self, channel: Channel, count: int) -> None:
        for _ in range(count):
            request = self._requests[self._at]
            outcome = request.templates.receive(channel, request.method)
            # RMI itself refused, perhaps before it had read the arguments. It takes the rest of them for the next
            # message, so no later answer on this socket can be believed (section 4).
            if isinstance(outcome, RemoteFailure) and not outcome.keeps_socket:
                raise outcome
            self._accept(self._at, outcome)
            self._at += 1
        # A call that was answered is what counts against the server's idle limit; a ping or a renewed lease is not
        # (section 8).
        self._session.touch()

    def _skip(self, error: JmxError) -> None:
        # kept by whoever accepts it: its traceback would keep the channel, and with it up to 16 MiB that had come
        error.__traceback__ = error.__context__ = None
        self._accept(self._at, error)
        self._at += 1

    def _lose(self, error: JmxError, at: int) -> None:
        """Try the same request once more; one that loses the socket twice is at fault itself."""
        self._losses += 1
        if self._losses > MAX_LOSSES:
            raise error
        if self._lost_at == at:
            self._skip(error)
        self._lost_at = at

    def _refused(self, failure: RemoteFailure) -> None:
        """The RMI runtime refused: the socket is of no further use (section 4)."""
        if failure.object_gone:
            # Not skipped: the request is innocent, its object was closed (idle limit, restart). A login, and it is
            # asked again.
            self._session.lose_object()
            self._losses += 1
            if self._losses > MAX_LOSSES:
                raise failure
            return
        self._session.drop()
        self._count_broken(failure)
        self._skip(failure)

    def _breach(self, error: ProtocolError) -> None:
        # These are one value's own fault. Anything else not understood may be another program on this port: few tries
        # for that.
        if isinstance(error, PeerAborted | UnskippableValue) or error.code == "reply-too-large":
            self._count_broken(error)
        else:
            self._losses += 1
            if self._losses > MAX_LOSSES:
                raise error
        self._skip(error)

    def _count_broken(self, error: JmxError) -> None:
        self._broken += 1
        if self._broken > MAX_BROKEN_VALUES:
            raise error
