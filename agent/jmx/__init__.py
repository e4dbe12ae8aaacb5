"""Reads MBean attributes from a JVM. Knows JMX and no product; could be published as a library of its own.

In:   a `Target` (where, how, as whom) and `BeanQuery`s (which beans, which attributes).
Out:  one `JmxSample` a call: plain Python values by bean and attribute, and named failures.
Own:  the standard library and this package, no more (the jolokia and jmxquery transports bring their library, and are
      imported only when a target names them).
"""

from agent.jmx.diagnose import Stage, diagnose
from agent.jmx.errors import JmxError
from agent.jmx.model import BeanQuery, JmxSample, JmxValue, ReadFailure, Target, TlsOptions, Transport, TransportName
from agent.jmx.names import key_properties, matches, parse_object_name
from agent.jmx.transport import RmiTransport, open_transport

__all__ = [
    "BeanQuery",
    "JmxError",
    "JmxSample",
    "JmxValue",
    "ReadFailure",
    "RmiTransport",
    "Stage",
    "Target",
    "TlsOptions",
    "Transport",
    "TransportName",
    "diagnose",
    "key_properties",
    "matches",
    "open_transport",
    "parse_object_name",
]
