"""agent.toml as typed values. Public: `Settings` and its sections, `load_settings`, `Secret`."""

from agent.settings.schema import (
    AgentSettings,
    BundleSettings,
    CloudSettings,
    DatabaseLogin,
    DatabaseSettings,
    DeliverySettings,
    Dialect,
    HostSettings,
    HourSettings,
    InstanceSettings,
    JmxSettings,
    JmxTlsSettings,
    Mode,
    ProductType,
    SamplingSettings,
    Settings,
)
from agent.settings.secret import Secret

__all__ = [
    "AgentSettings",
    "BundleSettings",
    "CloudSettings",
    "DatabaseLogin",
    "DatabaseSettings",
    "DeliverySettings",
    "Dialect",
    "HostSettings",
    "HourSettings",
    "InstanceSettings",
    "JmxSettings",
    "JmxTlsSettings",
    "Mode",
    "ProductType",
    "SamplingSettings",
    "Secret",
    "Settings",
]
