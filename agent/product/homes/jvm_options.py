"""What the options of the product's JVM say: the JMX port, agents inside of the JVM, folders.

In:   option texts, weakest first: the last of several equal options wins, as in the JVM.
Out:  JmxHint; where nothing is said the JVM's own default holds (authenticate and ssl: true).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from agent.product.homes.shell_text import unresolved

_OPTION = re.compile(r"""-D([A-Za-z][\w.\-]*)(?:=("[^"]*"|'[^']*'|[^\s"']*))?""")
_AGENT = re.compile(r"""-javaagent:["']?([^\s"'=]+)(?:=([^\s"']*))?""")
EVERYWHERE = ("0.0.0.0", "*", "::", "[::]")  # noqa: S104 - compared with, not bound to
_JMX = "com.sun.management.jmxremote"
# Folders and switches that are read besides; a value of any other option never becomes one here: passwords stand there.
KEPT = frozenset(
    {
        "bamboo.shared.home",
        "bitbucket.shared.home",
        "crowd.shared.home",
        "confluence.cluster.node.name",
        "catalina.home",
        "jira.home",
        "confluence.home",
        "bitbucket.home",
        "bamboo.home",
        "crowd.home",
    }
)


@dataclass(frozen=True, slots=True)
class JmxHint:
    """How the product's JVM is asked, as its start options say; `port` None means: no port is opened there.

    `variable` is the one the port stands in when it cannot be told. `jolokia` is the address of an agent inside of the
    JVM, "" when there is none or its own file says it (`jolokia_unclear`); `exporter`: a JMX exporter, not ours.
    """

    port: int | None = None
    authenticate: bool = True
    server_tls: bool = True
    registry_tls: bool = False
    variable: str = ""
    jolokia: str = ""
    jolokia_login: bool = False
    jolokia_unclear: bool = False
    exporter: bool = False


def parse_options(texts: Iterable[str]) -> tuple[JmxHint, dict[str, str]]:
    """The hint in the options, and the values of `KEPT`."""
    options: dict[str, str] = {}
    agents: list[tuple[str, str]] = []
    for text in texts:
        options.update((name, value.strip("\"'")) for name, value in _OPTION.findall(text))
        agents.extend(_AGENT.findall(text))
    return _hint(options, agents), {name: value for name, value in options.items() if name in KEPT}


def _hint(options: dict[str, str], agents: list[tuple[str, str]]) -> JmxHint:
    port = options.get(f"{_JMX}.port", "")
    usable = re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) is not None and 1 <= int(port) <= 65535
    address, login, unclear = _jolokia(agents)
    return JmxHint(
        port=int(port) if usable else None,
        authenticate=options.get(f"{_JMX}.authenticate", "true").lower() != "false",
        server_tls=options.get(f"{_JMX}.ssl", "true").lower() != "false",
        registry_tls=options.get(f"{_JMX}.registry.ssl", "false").lower() == "true",
        variable=unresolved(port),
        jolokia=address,
        jolokia_login=login,
        jolokia_unclear=unclear,
        exporter=any("jmx_prometheus" in jar.rpartition("/")[2] for jar, _ in agents),
    )


def _jolokia(agents: list[tuple[str, str]]) -> tuple[str, bool, bool]:
    """(address, asks for a login, its options are not all known) of the last Jolokia agent."""
    found = [options for jar, options in agents if "jolokia" in jar.rpartition("/")[2].lower()]
    if not found:
        return "", False, False
    options = dict(pair.partition("=")[::2] for pair in found[-1].split(",") if pair)
    port = options.get("port", "8778")
    if "config" in options or not re.fullmatch(r"[1-9][0-9]{0,4}", port, re.ASCII):
        return "", False, True
    host = options.get("host", "localhost")
    host = "localhost" if host in EVERYWHERE or unresolved(host) else host
    scheme = "https" if options.get("protocol") == "https" else "http"
    context = options.get("agentContext", "/jolokia").strip("/")
    return f"{scheme}://{host}:{port}/{context}", "user" in options, False
