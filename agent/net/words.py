"""What went wrong between us and a server or proxy, in words for the admin, with the names that his file has for it."""

from __future__ import annotations

import re

from agent.net.conversation import Head
from agent.net.error import Fault, NetError, Step
from agent.net.options import OptionNames, Proxy

_LATE = {
    Step.NAME: "the name server does not answer in time",
    Step.CONNECT: "no connection in time",
    Step.PROXY: "no answer of the proxy in time",
    Step.HANDSHAKE: "no TLS handshake in time",
    Step.SEND: "not sent in time",
    Step.ANSWER: "no complete answer in time",
}
# One header may list several ways to log in, each with parameters: a scheme begins an item and has no "=" behind it.
_QUOTED = re.compile(r'"[^"]*"')
_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z][\w-]*)(?=\s*,|\s*$|\s+[^\s=])")


def why_and_do(found: NetError, host: str, proxy: Proxy | None, names: OptionNames, within_s: float) -> tuple[str, str]:
    """Two sentences for a fault that has none yet; `host` is the destination, `within_s` the request's time."""
    where = host if proxy is None else f"the proxy {proxy}"
    if isinstance(found.cause, TimeoutError):
        return (
            f"{where} did not do its part within {within_s:.0f} s ({_LATE[found.step]}).",
            f"If a firewall drops the packets, allow this host to connect, or set {names.proxy}.",
        )
    if found.fault is Fault.NAME:
        name = host if proxy is None else proxy.host
        return f"The name {name} cannot be resolved ({found.why}).", f"Check the name server: getent hosts {name}"
    if found.fault is Fault.REFUSED:
        return f"Nothing listens at {where} (connection refused).", f"Check {names.address} and {names.proxy}."
    if found.fault is Fault.UNREACHABLE:
        return f"{where}: {found.why}.", "Check the network and the routes of this host."
    if found.fault is Fault.NOT_HTTP:
        return f"{where} does not answer in HTTP/1.1.", f"Check the port in {names.address}, and {names.proxy}."
    if found.fault is Fault.TOO_LARGE:
        return found.why, f"See what answers there: {names.address}."
    if found.fault is Fault.CERTIFICATE_WANTED:
        return f"{where} wants a client certificate that it trusts.", "Ask whoever runs it to do without."
    return (
        f"The connection to {where} was lost before the answer was complete.",
        "It is tried again; if it lasts, look for a firewall or proxy that cuts connections.",
    )


def refused_by_proxy(proxy: Proxy, head: Head | None, destination: str, names: OptionNames) -> NetError:
    """What a proxy means that answered CONNECT with anything but a tunnel; None: not even in HTTP."""
    if head is None or 200 <= head.status < 300:
        why, do = f"the proxy {proxy} does not answer as a proxy does.", f"Check {names.proxy}."
    elif head.status == 407:
        why, do = _login_words(proxy, _schemes(head), destination, names)
        return NetError(Fault.PROXY_LOGIN, why, do, step=Step.PROXY)
    else:
        why = f"the proxy {proxy} refuses to connect there (status {head.status})."
        do = "Ask its operator to allow this destination."
    return NetError(Fault.PROXY, why, do, step=Step.PROXY)


def _schemes(head: Head) -> list[str]:
    """The ways to log in that a proxy names, as it spells them."""
    lines = [_QUOTED.sub('""', text) for name, text in head.lines if name == "proxy-authenticate"]
    return list(dict.fromkeys(scheme for line in lines for scheme in _SCHEME.findall(line)))


def _login_words(proxy: Proxy, schemes: list[str], destination: str, names: OptionNames) -> tuple[str, str]:
    where = f"the proxy {proxy}"
    if schemes and "basic" not in {scheme.lower() for scheme in schemes}:
        shown = ", ".join(scheme[:20] for scheme in schemes[:5])
        return (
            f"{where} wants a login (407), and only by {shown}: this agent does not speak that, it logs in by Basic.",
            f"Ask its operator to let this host reach {destination} without a login, or to allow Basic for an account; "
            f"or name in {names.proxy} a relay on this host that speaks it.",
        )
    if proxy.user is not None:
        return (
            f"{where} does not accept the login (407).",
            f"Check the user in {names.proxy} and the password in {names.proxy_password}.",
        )
    return (
        f"{where} wants a login (407).",
        f"Set the user in {names.proxy} (http://USER@HOST:PORT) and the password in {names.proxy_password}.",
    )
