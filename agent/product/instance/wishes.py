"""What an admin tells `init` on the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.settings import InCluster, ProductType

OWN_USER = "portfolio_agent"


@dataclass(frozen=True, slots=True)
class SetupWishes:
    """None means: take what the home or the default says. `root` and `environment` are where one looks."""

    home: Path
    output: Path
    product: ProductType | None = None
    shared_home: Path | None = None
    install: Path | None = None
    node: str | None = None
    cluster: InCluster = InCluster.AUTO
    jmx_host: str | None = None
    jmx_port: int | None = None
    database_url: str | None = None
    database_user: str = OWN_USER
    database: bool = True
    cloud_endpoint: str | None = None
    cloud_ca: Path | None = None
    state_dir: Path | None = None
    offline: bool = False
    force: bool = False
    root: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def password_file(self) -> Path:
        """Where the password of an account of our own is expected: beside the configuration."""
        return self.output.parent / "database.password"


def absolute(wishes: SetupWishes) -> SetupWishes:
    """Paths as the service will see them: a shell's working folder means nothing to it."""

    def full(path: Path | None) -> Path | None:
        return None if path is None else Path(os.path.abspath(path))

    return replace(
        wishes,
        home=Path(os.path.abspath(wishes.home)),
        output=Path(os.path.abspath(wishes.output)),
        shared_home=full(wishes.shared_home),
        install=full(wishes.install),
        cloud_ca=full(wishes.cloud_ca),
        state_dir=full(wishes.state_dir),
    )
