"""What a caller may ask of a connection, as plain values; nothing heavy is imported for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from agent.secret import Secret


@dataclass(frozen=True, slots=True)
class TlsTrust:
    """Whom to believe, and as whom to appear. There is no option that takes an unproven peer.

    `ca_file` alone is trusted when given, else the system's authorities. `expected_name` is checked, and asked for
    (SNI), in place of the host; `check_name = False` takes any name that a trusted authority vouches for.
    `common_name`: a certificate without subjectAltName is named by its subject, as keytool makes them.
    `strict_chain`: each certificate of the chain follows RFC 5280 to the letter.
    """

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    expected_name: str | None = None
    check_name: bool = True
    common_name: bool = False
    strict_chain: bool = True


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where the proxy is, whether it is itself spoken to over TLS, and the login for it alone."""

    host: str
    port: int
    secure: bool = False
    user: str | None = None
    password: Secret | None = None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class OptionNames:
    """What the admin's file calls these options, for the advice in messages."""

    address: str = "the address"
    ca_file: str = "the CA file"
    proxy: str = "the proxy's address"
    proxy_password: str = "the proxy's password file"  # noqa: S105  the name of an option


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """`most_bytes` of a body; `bodies_of` the statuses whose body is read, all when empty."""

    most_bytes: int = 1024 * 1024
    bodies_of: frozenset[int] = field(default_factory=frozenset)
