"""The words of this package: what to read, where, and what came back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from agent.net.options import TlsTrust

JmxScalar = int | float | bool | str | Decimal | datetime | bytes | None
JmxValue = JmxScalar | Mapping[JmxScalar, "JmxValue"] | list["JmxValue"]


class TransportName(StrEnum):
    """How a JVM is reached; the words an admin writes in the config file."""

    RMI = "rmi"
    JOLOKIA = "jolokia"
    JMXQUERY = "jmxquery"


@dataclass(frozen=True, slots=True)
class BeanQuery:
    """Which attributes to read of which beans.

    `name` is an ObjectName or an ObjectName pattern (`*` and `?`, JMX rules); `attributes` are names as the MBean
    declares them (they may hold dots). No attributes means: all that the MBean declares with a readable plain type.
    `excluding` are patterns whose beans are never read, nor listed as found.
    """

    name: str
    attributes: tuple[str, ...] = ()
    excluding: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """TLS towards one JVM. `registry` and `server` are two switches of the JVM and so two here (wire note, section 11).

    `expected_name` is checked against the certificate in place of the host; `check_name = False` is an explicit choice.
    """

    server: bool = False
    registry: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    expected_name: str | None = None
    check_name: bool = True

    @property
    def trust(self) -> TlsTrust:
        """Whom to believe, and as whom to appear. A JVM's certificate is as keytool makes it: no rigour of RFC 5280."""
        return TlsTrust(
            self.ca_file,
            self.certificate_file,
            self.key_file,
            self.expected_name,
            self.check_name,
            common_name=True,
            strict_chain=False,
        )


@dataclass(frozen=True, slots=True)
class Target:
    """One JVM: where it answers, by which transport, as whom.

    `password` is called when a connection is made and its answer is not kept; `connector_port` forces the port that
    the registry's stub names (forwarded ports); `follow_stub_host` believes the stub's host (off by default: it could
    send the credentials elsewhere). `url` is used by jolokia alone, `java` by jmxquery alone.
    """

    host: str
    port: int
    transport: TransportName = TransportName.RMI
    user: str | None = None
    password: Callable[[], str] | None = field(default=None, repr=False)
    tls: TlsOptions = field(default_factory=TlsOptions)
    connector_port: int | None = None
    follow_stub_host: bool = False
    url: str | None = None
    java: str = "java"
    max_beans: int = 5000


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """One bean or attribute that could not be read: `reason` is a short stable code, `detail` cut and cleaned text.

    `left_alone`: it was not even asked for, since it broke a reply before; it is tried again hourly.
    Reasons: no-bean, no-attribute, not-readable, not-answered (threw, or vanished), not-serializable, not-plain (a
    class of the product's own), too-slow, timeout, permission-denied, remote-failure, connection-lost, protocol-error,
    reply-too-large. Without an attribute the failure is the whole bean's, or a pattern's that matched none.
    """

    bean: str
    attribute: str
    reason: str
    detail: str = ""
    left_alone: bool = False


@dataclass(frozen=True, slots=True)
class JmxSample:
    """What one call read. A bean or attribute that is absent was not read: nothing is ever filled in from before.

    A value inside a collection whose class is not known is that class's name, as `values.Opaque`, a str.

    `beans`: bean -> attribute -> value (CompositeData is a mapping). `started_ms` is the JVM's start time in Unix
    milliseconds: when it changes, the JVM restarted and its counters began again. `cut` says how many beans the cap
    left out and names the first of them.
    """

    beans: Mapping[str, Mapping[str, JmxValue]]
    failures: tuple[ReadFailure, ...] = ()
    started_ms: int | None = None
    cut: tuple[int, tuple[str, ...]] = (0, ())


class Transport(Protocol):
    """One way to read one JVM; opened once, kept over many samples, reconnects by itself."""

    def sample(self, deadline_s: float) -> JmxSample:
        """Read every query once, within `deadline_s` seconds in total. Raises JmxError when nothing could be read."""

    def take_back(self) -> None:
        """The last sample was not used: what it made this transport leave alone is asked for again."""

    def close(self) -> None:
        """Let go of sockets and children; the transport may be used again and then reconnects."""
