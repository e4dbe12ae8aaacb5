"""The way to the cloud: proxy, name, TCP, TLS, answer, clock. One HEAD request without the key; never when offline."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from agent.errors import AgentError, PushDeferred
from agent.net.answer import HttpAnswer
from agent.net.connect import open_tcp
from agent.net.deadline import Deadline
from agent.net.error import Fault, NetError
from agent.net.resolve import addresses_of
from agent.settings import Mode, Settings
from agent.settings.address import parse_proxy
from agent.views.doctor.checks import Area, Check, State, failed_by

NAMES = ("name", "tcp", "tls", "answer", "clock")
CONNECT_S = 5.0
MOST_OFFSET_S = 300.0
ENVIRONMENT = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


def examine_cloud(settings: Settings, now: datetime, limit_s: float) -> Iterator[Check]:
    """Each stage up to the first that fails."""
    if settings.agent.mode is Mode.OFFLINE:
        return
    if settings.cloud.endpoint is None:
        yield Check(Area.CLOUD, "endpoint", State.SKIPPED, "[cloud] endpoint is not set: nothing can be sent.")
        return
    yield _proxy(settings)
    stage = NAMES[0]
    for check in _connect(settings, now, limit_s):
        yield check
        stage = check.name
        if check.state is State.FAILED:
            break
    for name in NAMES[NAMES.index(stage) + 1 :]:
        yield Check(Area.CLOUD, name, State.SKIPPED)


def _proxy(settings: Settings) -> Check:
    ignored = next((name for name in ENVIRONMENT if os.environ.get(name)), None)
    beside = f" {ignored} of the environment is not used." if ignored else ""
    if settings.cloud.proxy is None:
        return Check(Area.CLOUD, "proxy", State.OK, f"None: [cloud] proxy is not set.{beside}")
    place = parse_proxy(settings.cloud.proxy)
    return Check(Area.CLOUD, "proxy", State.OK, f"{place}, from [cloud] proxy in agent.toml.{beside}")


def _first_hop(settings: Settings) -> tuple[str, int, str]:
    """Host and port of whatever is connected to first, which is the proxy when there is one, and its setting."""
    if settings.cloud.proxy is not None:
        proxy = parse_proxy(settings.cloud.proxy)
        return proxy.host, proxy.port, "cloud.proxy"
    parts = urlsplit(settings.cloud.endpoint or "")
    return parts.hostname or "", parts.port or 443, "cloud.endpoint"


def _connect(settings: Settings, now: datetime, limit_s: float) -> Iterator[Check]:
    """Name and TCP of the first hop, then one request over the agent's own client."""
    host, port, key = _first_hop(settings)
    try:
        found = addresses_of(host, port, Deadline(limit_s))
    except NetError as error:
        do = f"Check {key} and the name server: getent hosts {host}"
        text = f"The name {host} cannot be resolved."
        yield Check(Area.CLOUD, "name", State.FAILED, text, f"{error.why}.", do, "unknown-host")
        return
    addresses = ", ".join(dict.fromkeys(address[0] for _, address in found))
    yield Check(Area.CLOUD, "name", State.OK, f"{host} is {addresses}.")
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        open_tcp(host, port, Deadline(CONNECT_S)).close()
    except NetError as error:
        code = "refused" if error.fault is Fault.REFUSED else "unreachable"
        silent = isinstance(error.cause, TimeoutError)
        why = "no answer: a firewall may drop the packets" if silent else error.why
        do = f"Check {key}; allow this host to connect to {shown}."
        yield Check(Area.CLOUD, "tcp", State.FAILED, f"No connection to {shown}.", f"{why}.", do, code)
        return
    yield Check(Area.CLOUD, "tcp", State.OK, f"{shown} takes connections.")
    yield from _request(settings, now, limit_s)


def _request(settings: Settings, now: datetime, limit_s: float) -> Iterator[Check]:
    from agent.delivery.http import open_client

    try:
        with open_client(settings.cloud, request_s=limit_s) as client:
            try:
                answer = client.request("HEAD", "/", key=None)
            except PushDeferred as error:
                if client.secured is not None:
                    yield Check(Area.CLOUD, "tls", State.OK, client.secured)
                yield failed_by(Area.CLOUD, "tls" if client.secured is None else "answer", error)
                return
            yield Check(Area.CLOUD, "tls", State.OK, client.secured or "")
    except AgentError as error:
        yield failed_by(Area.CLOUD, "tls", error)
        return
    yield Check(Area.CLOUD, "answer", State.OK, f"It answers (status {answer.status}); no key was sent.")
    yield _clock(answer, now)


def _clock(answer: HttpAnswer, now: datetime) -> Check:
    """Offset of this host's clock to the Date header, which counts in seconds."""
    try:
        said = parsedate_to_datetime(answer.headers.get("date", ""))
        offset_s = (now - said).total_seconds()
    except (ValueError, TypeError):
        return Check(Area.CLOUD, "clock", State.SKIPPED, "The answer has no Date.")
    text = f"This host's clock is {abs(offset_s):.0f} s {'ahead of' if offset_s > 0 else 'behind'} the cloud's."
    if abs(offset_s) > MOST_OFFSET_S:
        why = "More than 5 minutes: hours would be labelled wrong, and certificates may look invalid."
        return Check(Area.CLOUD, "clock", State.FAILED, text, why, "Set the clock; see: timedatectl", "clock")
    return Check(Area.CLOUD, "clock", State.OK, text)
