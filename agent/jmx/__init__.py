"""Reads MBean attributes from a JVM. Knows JMX and no product; could be published as a library of its own.

In:   a `Target` (where, how, as whom) and `BeanQuery`s (which beans, which attributes).
Out:  one `JmxSample` a call: plain Python values by bean and attribute, and named failures.
Own:  the standard library and this package, no more; `transport.open_transport` imports what a target names, and only
      that: the jolokia and jmxquery transports bring a library of their own.
"""

from agent.jmx.errors import JmxError
from agent.jmx.model import BeanQuery, JmxSample, JmxValue, ReadFailure, Target, TlsOptions, Transport, TransportName

__all__ = [
    "BeanQuery",
    "JmxError",
    "JmxSample",
    "JmxValue",
    "ReadFailure",
    "Target",
    "TlsOptions",
    "Transport",
    "TransportName",
]
