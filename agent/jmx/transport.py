"""Opens the transport that a target names; only that one is imported."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from agent.jmx.model import BeanQuery, Target, Transport, TransportName

_CLASSES = {
    TransportName.RMI: ("agent.jmx.rmi_transport", "RmiTransport"),
    TransportName.JOLOKIA: ("agent.jmx.jolokia", "JolokiaTransport"),
    TransportName.JMXQUERY: ("agent.jmx.jmxquery", "JmxqueryTransport"),
}


def open_transport(target: Target, queries: Sequence[BeanQuery]) -> Transport:
    """The transport for `target`; it connects when it is first asked."""
    module_name, class_name = _CLASSES[target.transport]
    opened: Transport = getattr(import_module(module_name), class_name)(target, queries)
    return opened
