"""The configuration as typed values; `load.py` builds it from TOML, `render.py` writes the commented file.

Every field here is a key of `agent.toml` (section = class; `keys.py` holds the rule from field to key); durations are
seconds in the type and "2m", "90s", "1h" in the file; sizes are bytes in the type and "256MiB" in the file. No field
holds a secret: only the place of one (`*_file`, `*_credential`). Limits of single values and what must fit together
stand in `rules.py`, the words for an admin in `notes.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Mode(StrEnum):
    """linked: push to the cloud once linked. offline: never make a connection, write bundles on schedule."""

    LINKED = "linked"
    OFFLINE = "offline"


class ProductType(StrEnum):
    """The products the agent can stand beside."""

    JIRA = "jira"
    CONFLUENCE = "confluence"
    BITBUCKET = "bitbucket"
    BAMBOO = "bamboo"
    CROWD = "crowd"


class InCluster(StrEnum):
    """auto: as the product's files say; where they do not tell, as if it were one. yes, no: what the admin says."""

    AUTO = "auto"
    YES = "yes"
    NO = "no"


class DatabaseLogin(StrEnum):
    """product: as the product logs in, read at run time from where the product keeps it. own: an account of ours."""

    PRODUCT = "product"
    OWN = "own"


class Dialect(StrEnum):
    """Databases the products run on; sqlite is for the demo product."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    ORACLE = "oracle"
    SQLSERVER = "sqlserver"
    SQLITE = "sqlite"


class TlsMode(StrEnum):
    """How a connection to a database is encrypted, weakest first; `strict`: SQL Server, TLS before the first byte."""

    DISABLE = "disable"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"
    STRICT = "strict"


class TargetServer(StrEnum):
    """Which of several PostgreSQL servers is asked."""

    ANY = "any"
    PRIMARY = "primary"
    STANDBY = "standby"
    PREFER_STANDBY = "prefer-standby"


@dataclass(frozen=True, slots=True)
class InstanceSettings:
    """[instance] What stands here."""

    product: ProductType
    home: Path
    shared_home: Path
    name: str = "default"
    node: str | None = None
    cluster: InCluster = InCluster.AUTO
    licence: bool = True


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """[agent] The daemon itself."""

    mode: Mode = Mode.LINKED
    state_dir: Path = Path("/var/lib/portfolio-agent")
    log_level: str = "info"


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """[sampling] How often, and how long one tick may take over all sources."""

    interval_s: float = 120.0
    deadline_s: float = 60.0


@dataclass(frozen=True, slots=True)
class HourSettings:
    """[hour] The aggregation window. Anything but one hour is for demos and tests."""

    length_s: int = 3600
    close_after_s: float = 60.0


@dataclass(frozen=True, slots=True)
class JmxTlsSettings:
    """[jmx.tls] Mirrors the JVM's two switches, and whom to trust."""

    server: bool = False
    registry: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    expected_name: str | None = None
    check_name: bool = True


@dataclass(frozen=True, slots=True)
class JmxSettings:
    """[jmx] Where the product's JVM answers."""

    enabled: bool = True
    transport: str = "rmi"
    host: str = "localhost"
    port: int = 8099
    connector_port: int | None = None
    follow_stub_host: bool = False
    url: str | None = None
    java: str = "java"
    user: str | None = None
    password_file: Path | None = None
    password_credential: str | None = None
    max_beans: int = 5000
    tls: JmxTlsSettings = field(default_factory=JmxTlsSettings)


@dataclass(frozen=True, slots=True)
class DatabaseTlsSettings:
    """[database.tls] How the connection is encrypted, and whom to trust.

    With `login = "product"` it fills what the product's URL does not say; a mode is never weaker than the URL's.
    """

    mode: TlsMode | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    expected_name: str | None = None


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """[database] The product's database, read-only.

    With `login = "product"` address and login come from the product's own file at run time and the keys of an own
    account (dialect to password_*) must be absent (an option without effect is a mistake). `hosts` in place of `host`
    names several servers, each with its own port or with `port`, tried in their order.
    """

    enabled: bool = True
    login: DatabaseLogin = DatabaseLogin.PRODUCT
    dialect: Dialect | None = None
    host: str | None = None
    port: int | None = None
    hosts: tuple[str, ...] | None = None
    target: TargetServer | None = None
    name: str | None = None
    sid: str | None = None
    instance: str | None = None
    schema: str | None = None
    user: str | None = None
    password_file: Path | None = None
    password_credential: str | None = None
    statement_timeout_s: float = 10.0
    allow_writable_login: bool | None = None
    tls: DatabaseTlsSettings = field(default_factory=DatabaseTlsSettings)

    @property
    def refuses_writable_login(self) -> bool:
        """Whether a login that may write is refused: an own account is, the product's cannot be."""
        allowed = self.allow_writable_login
        return self.login is DatabaseLogin.OWN if allowed is None else not allowed


@dataclass(frozen=True, slots=True)
class AppsSettings:
    """[apps] Installed apps from the product's own app manager, with a login the admin gives. Without `rest_url` off.

    The login is a personal access token (`token_*`) or `user` with a password.
    """

    rest_url: str | None = None
    token_file: Path | None = None
    token_credential: str | None = None
    user: str | None = None
    password_file: Path | None = None
    password_credential: str | None = None
    ca_file: Path | None = None
    licences: bool = True


@dataclass(frozen=True, slots=True)
class HostSettings:
    """[host] Host metrics. `write_latency` writes a small file now and then, which nothing else here does."""

    enabled: bool = True
    write_latency: bool = True


@dataclass(frozen=True, slots=True)
class ClientsideSettings:
    """[clientside] Logs that tell what browsers met. Without `install` nothing of it is read."""

    enabled: bool = True
    install: Path | None = None
    access_log_dir: Path | None = None
    smallest_group: int = 5


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """[cloud] Where batches go. `endpoint` must be https; there is no switch that weakens TLS."""

    endpoint: str | None = None
    ca_file: Path | None = None
    proxy: str | None = None
    proxy_password_file: Path | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """[delivery] How long one run retries, and how much may wait on disk."""

    retry_for_s: float = 900.0
    outbox_limit_bytes: int = 256 * 1024 * 1024
    first_wait_s: float = 5.0
    longest_wait_s: float = 900.0


@dataclass(frozen=True, slots=True)
class BundleSettings:
    """[bundle] Offline bundles: where, how often (offline mode), how many hours back, how many are kept."""

    folder: Path | None = None
    every_s: float = 86400.0
    days: int = 7
    keep: int = 7


@dataclass(frozen=True, slots=True)
class Settings:
    """All of agent.toml."""

    instance: InstanceSettings
    agent: AgentSettings = field(default_factory=AgentSettings)
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    hour: HourSettings = field(default_factory=HourSettings)
    jmx: JmxSettings = field(default_factory=JmxSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    apps: AppsSettings = field(default_factory=AppsSettings)
    host: HostSettings = field(default_factory=HostSettings)
    clientside: ClientsideSettings = field(default_factory=ClientsideSettings)
    cloud: CloudSettings = field(default_factory=CloudSettings)
    delivery: DeliverySettings = field(default_factory=DeliverySettings)
    bundle: BundleSettings = field(default_factory=BundleSettings)

    @property
    def bundle_folder(self) -> Path:
        """Where bundles are written: the configured folder or `bundles/` in the state folder."""
        return self.bundle.folder or self.agent.state_dir / "bundles"

    @property
    def link_dir(self) -> Path:
        """Where the link and its keys lie, so that every node of the instance finds them."""
        return self.instance.shared_home / "portfolio-agent"
