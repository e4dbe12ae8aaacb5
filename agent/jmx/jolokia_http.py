"""HTTP POSTs to one Jolokia agent: what may go wrong in Jolokia's own words.

In:    a target with a `url`, JSON texts. Out: JSON texts. Raise: JmxError in the words of the other transports.
Only `jolokia.py` imports this module, when the first sample is taken: the library below costs memory.
"""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

from agent.jmx.errors import JmxError, ProtocolError
from agent.jmx.jrmp import timed_out
from agent.jmx.model import Target
from agent.jmx.rmi import read_password
from agent.jmx.tls import unusable_files
from agent.net.deadline import Deadline
from agent.net.error import Fault, NetError, Step
from agent.net.http import HttpClient
from agent.net.options import HttpLimits

LIMITS = HttpLimits(16 * 1024 * 1024, frozenset({200}))
_WRONG_PORT = (
    "wrong-port",
    "What answers there does not speak HTTP.",
    "Correct [jmx] url; write https:// if the agent wants TLS.",
)
_ENDED_TLS = (
    "tls-failed",
    "What answers there ended the TLS handshake.",
    "If the agent is plain, write http:// in [jmx] url; if it wants a client certificate, set certificate_file.",
)
_WORDS = {
    Fault.NAME: ("unknown-host", "The name is not known here.", "Correct the host in [jmx] url."),
    Fault.REFUSED: ("refused", "Nothing listens there.", "Start the product, or correct [jmx] url."),
    Fault.UNREACHABLE: (
        "unreachable",
        "The address does not answer.",
        "Open the port of [jmx] url for this host.",
    ),
    Fault.NOT_HTTP: _WRONG_PORT,
    Fault.NOT_TLS: _ENDED_TLS,
    Fault.TLS_CUT: _ENDED_TLS,
    Fault.CERTIFICATE_WANTED: (
        "client-certificate-required",
        "The Jolokia agent wants a client certificate that it trusts.",
        "Set certificate_file and key_file in [jmx.tls].",
    ),
    Fault.UNTRUSTED: (
        "tls-failed",
        "The certificate of the server is not trusted.",
        "Give the CA that signed it, or the name it was made for (expected_name).",
    ),
}
_WITH_CAUSE = frozenset({Fault.NAME, Fault.UNTRUSTED})


class JolokiaHttp:
    """The connection of one sample; a context manager. Nothing stays open between samples."""

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self._target = target
        self._deadline = deadline
        self._url = target.url or ""
        headers = {"Content-Type": "application/json", "User-Agent": "agent-jmx"}
        if target.user is not None:
            login = f"{target.user}:{read_password(target) or ''}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(login).decode('ascii')}"
        try:
            self._http = HttpClient(self._url, trust=target.tls.trust, limits=LIMITS, headers=headers)
        except NetError as error:
            raise unusable_files(error) from None

    def __enter__(self) -> JolokiaHttp:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def post(self, body: str) -> bytes:
        """Return the body of the answer to one POST. Raises JmxError for everything that is not a whole answer."""
        try:
            answer = self._http.request("POST", self._target_of_url(), self._deadline, body=body.encode())
        except NetError as error:
            # anew, and not chained: the frames of the attempt hold the login
            raise self._worded(error) from None
        self._check(answer.status)
        return answer.body

    def _target_of_url(self) -> str:
        parts = urlsplit(self._url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _worded(self, error: NetError) -> JmxError:
        """The codes of the other transports, in the words of a URL."""
        if error.fault is Fault.LOST:
            return self._lost()
        if error.fault is Fault.TOO_LARGE:
            size = LIMITS.most_bytes // 1024**2
            return ProtocolError(f"The answer is larger than {size} MiB.", code="reply-too-large")
        if error.fault is Fault.TIMEOUT and error.step is Step.HANDSHAKE:
            # a plain HTTP server waits for the end of a line that never comes
            do = "Write http:// in [jmx] url if the agent is plain."
            return JmxError("timeout", "The TLS handshake did not end in time.", do=do)
        if error.fault is Fault.TIMEOUT:
            return timed_out(error.step)
        if error.fault in _WORDS:
            code, what, do = _WORDS[error.fault]
            return JmxError(code, what, why=error.why if error.fault in _WITH_CAUSE else "", do=do)
        return JmxError("tls-failed", "TLS with the server failed.", why=error.why, do="Check both sides.")

    def _lost(self) -> JmxError:
        """Some servers end the stream in place of asking for a certificate that they miss."""
        do = "Nothing: the next sample connects again."
        if self._url.startswith("https:") and self._target.tls.certificate_file is None:
            do += " If it lasts and the agent wants a client certificate: set certificate_file in [jmx.tls]."
        return JmxError("connection-lost", "The Jolokia agent closed the connection.", do=do)

    def _check(self, status: int) -> None:
        """Jolokia answers 200 and puts errors into the JSON; any other status is said by what stands before it."""
        if status == 200:
            return
        if status == 401:
            known = self._target.user is not None
            raise JmxError(
                "login-refused" if known else "login-required",
                "The Jolokia agent refuses the login." if known else "The Jolokia agent wants a login.",
                why="HTTP status 401.",
                do="Check [jmx] user and its password.",
            )
        if status == 403:
            raise JmxError(
                "permission-denied",
                "The Jolokia agent does not let us read.",
                why="HTTP status 403.",
                do="Allow this host and the commands read, list and search in jolokia-access.xml.",
            )
        if status == 404:
            raise JmxError("wrong-port", "There is no Jolokia agent at that path.", do="Correct [jmx] url.")
        if status == 413:
            raise ProtocolError("The question is too large for the server.", code="reply-too-large")
        # The login would follow a redirect to wherever it leads.
        if 300 <= status < 400:
            raise JmxError(
                "protocol-error", "The Jolokia agent redirects, which is not followed.", do="Set the final [jmx] url."
            )
        raise JmxError("remote-failure", f"The Jolokia agent answers with HTTP status {status}.", do="Look at its log.")
