"""Opens the transport that a target names; only that one is imported."""

from __future__ import annotations

from collections.abc import Sequence

from agent.jmx.errors import JmxError
from agent.jmx.model import BeanQuery, Target, Transport, TransportName


def open_transport(target: Target, queries: Sequence[BeanQuery]) -> Transport:
    """The transport for `target`; it connects when it is first asked."""
    if target.transport is TransportName.JMXQUERY:
        from agent.jmx.jmxquery import JmxqueryTransport

        return JmxqueryTransport(target, queries)
    raise JmxError(
        "transport-unusable",
        f"The JMX transport '{target.transport}' is not part of this build.",
        do="Set in agent.toml: [jmx] transport = 'jmxquery'",
    )
