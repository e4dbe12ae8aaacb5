"""What can go wrong between us and a JVM; `code` is stable and short, the sentences are for the admin."""

from __future__ import annotations


class JmxError(Exception):
    """A sample could not be taken: code (stable, may be reported), what happened, why, what to do.

    Codes: refused, unreachable, unknown-host, timeout, wrong-port, registry-tls-missing, registry-tls-unwanted,
    tls-failed, client-certificate-required, login-required, login-refused, permission-denied, connection-lost,
    protocol-error, reply-too-large, transport-unusable.
    """

    def __init__(self, code: str, what: str, *, why: str = "", do: str = "") -> None:
        super().__init__(f"{what} {why}".strip())
        self.code = code
        self.what = what
        self.why = why
        self.do = do
