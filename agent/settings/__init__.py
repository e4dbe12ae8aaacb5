"""agent.toml as typed values.

In:   one TOML file, and the files that hold secrets. Out: `Settings`, `Secret`, or one ConfigError with all mistakes.
`load_settings` reads the file, `check_places` looks at the files it names, `read_secret` opens one of them,
`render_settings` writes the commented file. Light: the resident process and `status` import this.
"""

from agent.secret import Secret, SecretBytes
from agent.settings.credentials import read_secret
from agent.settings.load import LoadedSettings, load_settings, load_with_origin
from agent.settings.places import check_places
from agent.settings.render import entries, render_settings
from agent.settings.schema import (
    AgentSettings,
    AppsSettings,
    BundleSettings,
    ClientsideSettings,
    CloudSettings,
    DatabaseLogin,
    DatabaseSettings,
    DatabaseTlsSettings,
    DeliverySettings,
    Dialect,
    HostSettings,
    HourSettings,
    InCluster,
    InstanceSettings,
    JmxSettings,
    JmxTlsSettings,
    Mode,
    ProductType,
    SamplingSettings,
    Settings,
    TargetServer,
    TlsMode,
)
from agent.settings.text import shown

__all__ = [
    "AgentSettings",
    "AppsSettings",
    "BundleSettings",
    "ClientsideSettings",
    "CloudSettings",
    "DatabaseLogin",
    "DatabaseSettings",
    "DatabaseTlsSettings",
    "DeliverySettings",
    "Dialect",
    "HostSettings",
    "HourSettings",
    "InCluster",
    "InstanceSettings",
    "JmxSettings",
    "JmxTlsSettings",
    "LoadedSettings",
    "Mode",
    "ProductType",
    "SamplingSettings",
    "Secret",
    "SecretBytes",
    "Settings",
    "TargetServer",
    "TlsMode",
    "check_places",
    "entries",
    "load_settings",
    "load_with_origin",
    "read_secret",
    "render_settings",
    "shown",
]
