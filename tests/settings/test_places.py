"""The files a configuration names are looked at when asked for, with every problem in one list."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agent.settings import (
    CloudSettings,
    DatabaseSettings,
    DatabaseTlsSettings,
    InstanceSettings,
    ProductType,
    Settings,
    check_places,
)


def test_missing_folders_files_and_open_secrets_are_named(tmp_path: Path) -> None:
    """Homes that are not there, an authority that is not there, a password others can read: all at once."""
    (tmp_path / "open").write_text("word")
    (tmp_path / "open").chmod(0o644)
    settings = Settings(
        InstanceSettings(ProductType.JIRA, tmp_path / "no-home", tmp_path),
        cloud=CloudSettings(ca_file=tmp_path / "no-ca", proxy_password_file=tmp_path / "open"),
    )
    found = {mistake.key: mistake.problem for mistake in check_places(settings, "agent.toml")}
    assert set(found) == {"instance.home", "cloud.ca_file", "cloud.proxy_password_file"}
    assert "chmod 0600" in found["cloud.proxy_password_file"]


def test_files_of_tls_to_the_database_are_looked_at(tmp_path: Path) -> None:
    """Authority, certificate and key of [database.tls], each by its own key."""
    tls = DatabaseTlsSettings(
        ca_file=tmp_path / "ca", certificate_file=tmp_path / "certificate", key_file=tmp_path / "key"
    )
    settings = Settings(InstanceSettings(ProductType.JIRA, tmp_path, tmp_path), database=DatabaseSettings(tls=tls))
    found = {mistake.key for mistake in check_places(settings, "agent.toml")}
    assert found == {"database.tls.ca_file", "database.tls.certificate_file", "database.tls.key_file"}


def test_all_well_is_an_empty_list(tmp_path: Path) -> None:
    """Nothing is reported when everything named is there."""
    settings = Settings(InstanceSettings(ProductType.JIRA, tmp_path, tmp_path))
    assert check_places(replace(settings), "agent.toml") == ()
