"""The way to the cloud: one origin, the security key in one header of requests to it, its errors as PushDeferred.

In:   [cloud] of the settings; method, path, key, body. Out: a complete answer of at most 1 MiB, or PushDeferred.
The whole request has one deadline of 60 s: look-up, connect, handshake, sending and reading together.
The key is in one header of requests to that origin and nowhere else: not in CONNECT, log, exception or repr.
`[cloud] proxy` is the only way to a proxy: the variables http_proxy and https_proxy are not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import agent
from agent.errors import ConfigError, KeyUnreadable, PushDeferred
from agent.net.answer import HttpAnswer
from agent.net.deadline import Deadline
from agent.net.error import Fault, NetError, Step
from agent.net.http import HttpClient
from agent.net.options import HttpLimits, OptionNames, Proxy, TlsTrust
from agent.settings import CloudSettings, Secret, read_secret
from agent.settings.address import PROXY_FORM, parse_proxy, web_address_problem

# Of the whole request and not of one read: a peer that sends a byte a second would otherwise hold the run for ever.
REQUEST_S = 60.0
# Real answers have some hundred bytes.
LARGEST_ANSWER = 1024 * 1024
NAMES = OptionNames("cloud.endpoint", "cloud.ca_file", "cloud.proxy", "cloud.proxy_password_file")
_KEY_SHAPE = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")
_OF_TLS = frozenset({Fault.NOT_TLS, Fault.TLS_CUT, Fault.UNTRUSTED, Fault.TLS})


def open_client(cloud: CloudSettings, *, request_s: float = REQUEST_S) -> CloudConnection:
    """A client for `cloud.endpoint`; nothing is connected yet.

    Raises ConfigError for an endpoint that is missing or not https, an unusable CA file, proxy or proxy password.
    """
    origin = _origin(cloud.endpoint)
    proxy = _proxy(cloud)
    try:
        http = HttpClient(
            origin,
            trust=TlsTrust(ca_file=cloud.ca_file),
            proxy=proxy,
            limits=HttpLimits(LARGEST_ANSWER),
            names=NAMES,
            headers={"User-Agent": f"portfolio-agent/{agent.__version__}", "Accept": "application/json"},
        )
    except NetError as error:
        raise ConfigError(
            f"The CA file {cloud.ca_file} cannot be used.",
            why=error.why,
            do="Give a readable PEM file with at least one CA certificate in cloud.ca_file.",
        ) from None
    return CloudConnection(origin, http, request_s)


class CloudConnection:
    """Speaks to one origin, one request at a time; keeps the connection open between requests for half a minute."""

    def __init__(self, origin: str, http: HttpClient, request_s: float) -> None:
        self.origin = origin
        self.host = http.host
        self._base = urlsplit(origin).path.rstrip("/")
        self._http = http
        self._request_s = request_s

    def __enter__(self) -> CloudConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def secured(self) -> str | None:
        """Version, cipher suite and certificate of the last TLS connection in words; None before there was one."""
        return self._http.secured

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def abort(self) -> None:
        """End the request in flight at once, from a signal handler or another thread; later ones fail too."""
        self._http.abort()

    def request(
        self,
        method: str,
        path: str,
        *,
        key: Secret | None,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
    ) -> HttpAnswer:
        """The complete answer to one request.

        Raises PushDeferred when no complete answer came in time, in words that name the cause.
        """
        # `//host/path` would be read as another origin, and the key goes with the request.
        if not path.startswith("/") or path.startswith("//"):
            raise ValueError(f"not a path on this origin: {path!r}")
        login = {} if key is None else {"Authorization": f"Bearer {_checked(key)}"}
        try:
            return self._http.request(
                method, self._base + path, Deadline(self._request_s), headers={**headers, **login}, body=body
            )
        except NetError as error:
            raise _deferred(error, self.host) from None


def _deferred(error: NetError, host: str) -> PushDeferred:
    """What happened, by the type that says what happens next: it is tried again."""
    if error.fault is Fault.TOO_LARGE:
        return PushDeferred(
            f"The answer from {host} is larger than {LARGEST_ANSWER:,} bytes.",
            why="The receiver's answers are a few hundred bytes; something else answers at this address.",
            do="Check cloud.endpoint and the proxy.",
        )
    if error.fault is Fault.ABORTED:
        what = "The request was broken off."
    elif error.sent:
        what = f"No answer from {host}."
    elif error.step is Step.HANDSHAKE and error.fault in _OF_TLS:
        what = f"No safe connection to {host}."
    else:
        what = f"Cannot reach {host}."
    return PushDeferred(what, why=error.why, do=error.do, sent=error.sent)


def _checked(key: Secret) -> str:
    """The key's text, if a header may carry it; libraries put a bad header value into their exceptions."""
    text = key.reveal()
    if not _KEY_SHAPE.fullmatch(text):
        raise KeyUnreadable(
            "The stored security key is not shaped like a key.",
            why="It has characters that no security key has.",
            do="Link again with a new key: portfolio-agent link",
        )
    return text


def _origin(endpoint: str | None) -> str:
    """The address as the settings' own check takes it, without a slash at its end."""
    problem = "is missing" if endpoint is None else web_address_problem(endpoint, ("https",))
    if endpoint is None or problem is not None:
        raise ConfigError(
            "The cloud's address cannot be used.",
            why=f"cloud.endpoint {problem}.",
            do="Set cloud.endpoint in agent.toml; its form is https://HOST[:PORT][/PATH].",
        )
    return endpoint.rstrip("/")


def _proxy(cloud: CloudSettings) -> Proxy | None:
    """The proxy as the settings' own check reads it; its password from a private file, like every other secret."""
    if cloud.proxy is None:
        return None
    try:
        found = parse_proxy(cloud.proxy)
    except ValueError as error:
        raise ConfigError(
            "The proxy's address cannot be used.",
            why=f"cloud.proxy {error}.",
            do=f"Correct cloud.proxy in agent.toml; its form is {PROXY_FORM}.",
        ) from None
    password = None
    if cloud.proxy_password_file is not None:
        password = read_secret(cloud.proxy_password_file, None)
    return Proxy(found.host, found.port, found.secure, found.user, password)
