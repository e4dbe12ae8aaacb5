"""HTTP/1.1 on one stream: a request out, an answer in, and whether another may follow. The only user of h11.

h11 reads and writes bytes, never a socket; it costs 2 MiB where httpx costs 14. None of its exceptions leaves: they may
hold a header, and a header may hold a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import h11

from agent.net.error import Fault, NetError, Step
from agent.net.stream import Stream
from agent.system.clock import monotonic_s

MOST_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of an answer; names in lower case, in the order they came."""

    status: int
    lines: tuple[tuple[str, str], ...]

    def joined(self) -> dict[str, str]:
        """Each header once, repeated ones joined by a comma, as HTTP has it."""
        found: dict[str, str] = {}
        for name, text in self.lines:
            found[name] = f"{found[name]}, {text}" if name in found else text
        return found


class Conversation:
    """One stream and where HTTP stands on it; of no further use after an error."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD_BYTES)
        self._since_s = monotonic_s()

    def idle_s(self) -> float:
        """Seconds since the last answer."""
        return monotonic_s() - self._since_s

    def send_head(self, method: str, target: str, headers: Mapping[str, str]) -> None:
        """The request line and its headers. Raises ValueError, which repeats nothing, for what HTTP cannot carry."""
        try:
            pairs = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
            raw = self._wire.send(h11.Request(method=method.encode(), target=target.encode("ascii"), headers=pairs))
        except (h11.LocalProtocolError, UnicodeEncodeError):
            raise ValueError("a header of this request cannot be sent") from None
        self.stream.send(raw or b"")

    def send_body(self, body: bytes) -> None:
        """The body, and the end of the request."""
        events = [h11.Data(data=body), h11.EndOfMessage()] if body else [h11.EndOfMessage()]
        for event in events:
            if raw := self._wire.send(event):
                self.stream.send(raw)

    def read_head(self) -> Head:
        """The head of the answer; what comes before it (100 Continue) is passed over.

        Raises NetError `not-http`, OSError; ConnectionAbortedError when the stream ended before its time.
        """
        while True:
            event = self._next()
            if isinstance(event, h11.Response):
                # latin-1 takes any byte: what a header holds may be nonsense, but must not raise with its text.
                lines = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers)
                return Head(event.status_code, lines)
            if not isinstance(event, h11.InformationalResponse):
                _not_http()

    def read_body(self, most_bytes: int) -> bytes:
        """All of the body. Raises as `read_head`, and NetError `too-large` before more than `most_bytes` are kept."""
        content = bytearray()
        while not isinstance(event := self._next(), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                _not_http()
            content += event.data
            if len(content) > most_bytes:
                raise NetError(Fault.TOO_LARGE, f"The answer is larger than {most_bytes:,} bytes.", step=Step.ANSWER)
        return bytes(content)

    def _next(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            begun = self._wire.their_state is not h11.SEND_RESPONSE
            if not begun and not b"HTTP/".startswith(self._wire.trailing_data[0][:5]):
                _not_http()  # at its first byte: who greets in another protocol then waits for us
            try:
                event = self._wire.next_event()
            except h11.RemoteProtocolError:
                if self._wire.trailing_data[1]:
                    raise ConnectionAbortedError("it ended before the answer was complete") from None
                _not_http()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]  # NEED_DATA is excluded, which a sentinel cannot show
            self._wire.receive_data(self.stream.receive())

    @property
    def left_over(self) -> bool:
        """Whether more has arrived than was read."""
        return bool(self._wire.trailing_data[0])

    def is_free(self) -> bool:
        """Whether another request may follow on this stream; then it is ready for it."""
        if self._wire.our_state is not h11.DONE or self._wire.their_state is not h11.DONE:
            return False
        self._wire.start_next_cycle()
        self._since_s = monotonic_s()
        return True


def _not_http() -> NoReturn:
    raise NetError(Fault.NOT_HTTP, step=Step.ANSWER)
