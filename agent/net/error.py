"""The one error of this package: what failed, as a closed set; each caller says it in its own words and type."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """What kept a request from its answer."""

    NAME = "name"  # the name is unknown, or the name server does not answer
    REFUSED = "refused"  # nothing listens there
    UNREACHABLE = "unreachable"  # no route, or no answer to the connection
    TIMEOUT = "timeout"  # the deadline passed; `step` says when
    LOST = "lost"  # the connection ended before the answer was complete
    NOT_TLS = "not-tls"  # what answers there speaks in clear
    TLS_CUT = "tls-cut"  # the connection ended in the handshake
    UNTRUSTED = "untrusted"  # the other end cannot prove who it is
    CERTIFICATE_WANTED = "certificate-wanted"  # the other end wants a certificate of ours
    TLS = "tls"  # any other failure of the handshake, an unsafe outcome among them
    TLS_FILES = "tls-files"  # our own certificate files cannot be used
    NOT_HTTP = "not-http"  # what answers there does not speak HTTP/1.1
    TOO_LARGE = "too-large"  # the answer is larger than the caller takes
    PROXY_LOGIN = "proxy-login"  # 407
    PROXY = "proxy"  # the proxy refuses, or is none
    ABORTED = "aborted"  # we were told to stop


class Step(StrEnum):
    """What was being done; reads on behind "while"."""

    NAME = "resolving the host name"
    CONNECT = "connecting"
    PROXY = "asking the proxy"
    HANDSHAKE = "shaking hands"
    SEND = "sending"
    ANSWER = "waiting for the answer"


class NetError(Exception):
    """No complete answer. `why` and `do` are whole sentences for a person; neither holds anything of the request.

    `sent` is False only when it is certain that no byte of the request left this host. `cause` is what the kernel said.
    """

    def __init__(
        self,
        fault: Fault,
        why: str = "",
        do: str = "",
        *,
        step: Step = Step.CONNECT,
        sent: bool = False,
        cause: OSError | None = None,
    ) -> None:
        super().__init__(f"{fault} while {step}: {why}")
        self.fault = fault
        self.why = why
        self.do = do
        self.step = step
        self.sent = sent
        self.cause = cause
