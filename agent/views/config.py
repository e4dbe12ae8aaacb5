"""`config check` and `config show`: is the file right, and what is in force.

In:   the path of the configuration. Out: a view; ConfigError with all mistakes when the file is not right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent.errors import ConfigError, Mistake
from agent.settings import Mode, ProductType, check_places, entries, load_settings, load_with_origin
from agent.views.database_login import DatabaseLoginView, read_database_login


@dataclass(frozen=True, slots=True)
class ConfigCheckView:
    """A configuration without a mistake, and what its database login could do."""

    ok: Literal[True] = field(default=True, kw_only=True)
    mistakes: tuple[Mistake, ...] = field(default=(), kw_only=True)
    file: Path
    product: ProductType
    home: Path
    mode: Mode
    database_login: DatabaseLoginView


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as TOML text, null when it is not set, and where its value comes from."""

    value: str | None
    origin: Literal["file", "default"]


@dataclass(frozen=True, slots=True)
class ConfigShowView:
    """Every setting by its key in the file (`section.key`). Of a secret only the place is known here."""

    file: Path
    settings: Mapping[str, SettingRow]


def check_config(config: Path) -> ConfigCheckView:
    """Check the file, the files it names, and ask the database about the login.

    Raises ConfigError with every mistake at once.
    """
    settings = load_settings(config)
    if mistakes := check_places(settings, str(config)):
        raise ConfigError("The configuration names files that cannot be used.", mistakes, do="Mend what is listed.")
    instance = settings.instance
    login = read_database_login(settings)
    return ConfigCheckView(config, instance.product, instance.home, settings.agent.mode, login)


def render_config_check(view: ConfigCheckView) -> str:
    """The text of `config check`."""
    return "\n".join(
        [f"{view.file} is right: {view.product} in {view.home}, {view.mode} mode.", *view.database_login.words]
    )


def read_config(config: Path) -> ConfigShowView:
    """Every setting that is in force. Raises ConfigError; opens no secret."""
    loaded = load_with_origin(config)
    return ConfigShowView(
        config,
        {
            entry.path: SettingRow(entry.text or None, "file" if entry.path in loaded.given else "default")
            for entry in entries(loaded.settings)
        },
    )


def render_config(view: ConfigShowView) -> str:
    """The text of `config show`."""
    width = max(len(path) for path in view.settings)
    lines = [f"{view.file}:"]
    lines += [
        f"  {path.ljust(width)}  {row.origin.ljust(7)}  {row.value or '(not set)'}"
        for path, row in view.settings.items()
    ]
    return "\n".join(lines)
