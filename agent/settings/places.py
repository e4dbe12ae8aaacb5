"""The files and folders the settings name: are they there, and may this process use them?

Apart from `load.py` because the answer depends on who asks: `status` run by an ordinary user must load a
configuration whose secrets it may not read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from agent.errors import ConfigError, Mistake
from agent.settings.credentials import read_secret
from agent.settings.schema import Settings


def check_places(settings: Settings, file: str) -> tuple[Mistake, ...]:
    """What is wrong with the files the settings name, as this process sees them; empty when all is well."""
    return tuple(Mistake(file, key, problem) for key, problem in _problems(settings))


def _problems(settings: Settings) -> Iterator[tuple[str, str]]:
    for key, folder in (
        ("instance.home", settings.instance.home),
        ("instance.shared_home", settings.instance.shared_home),
    ):
        if not folder.is_dir():
            yield key, f"there is no folder {folder}, or uid {os.geteuid()} may not see it"
    for key, optional in (
        ("clientside.install", settings.clientside.install),
        ("clientside.access_log_dir", settings.clientside.access_log_dir),
    ):
        if optional is not None and not optional.is_dir():
            yield key, f"there is no folder {optional}, or uid {os.geteuid()} may not see it"
    for key, plain in (
        ("jmx.tls.ca_file", settings.jmx.tls.ca_file),
        ("jmx.tls.certificate_file", settings.jmx.tls.certificate_file),
        ("database.tls.ca_file", settings.database.tls.ca_file),
        ("database.tls.certificate_file", settings.database.tls.certificate_file),
        ("apps.ca_file", settings.apps.ca_file),
        ("cloud.ca_file", settings.cloud.ca_file),
    ):
        if plain is not None and (problem := _unreadable(plain)):
            yield key, problem
    for key, secret in (
        ("jmx.tls.key_file", settings.jmx.tls.key_file),
        ("database.tls.key_file", settings.database.tls.key_file),
        ("cloud.proxy_password_file", settings.cloud.proxy_password_file),
        ("jmx.password_file", settings.jmx.password_file),
        ("database.password_file", settings.database.password_file),
        ("apps.token_file", settings.apps.token_file),
        ("apps.password_file", settings.apps.password_file),
    ):
        if secret is not None and (problem := _bad_secret(secret, is_key=key.endswith("key_file"))):
            yield key, problem


def _unreadable(path: Path) -> str | None:
    try:
        with open(path, "rb") as stream:
            return None if stream.read(1) else f"{path} is empty"
    except OSError as error:
        return f"{path}: {error.strerror}"


def _bad_secret(path: Path, *, is_key: bool) -> str | None:
    if is_key:
        return _unreadable(path)
    try:
        read_secret(path, None)
    except ConfigError as error:
        return f"{path}: {error.why} {error.do}"
    return None
