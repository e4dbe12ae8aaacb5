"""The app manager asked by hand: how far it came, and that a refused login is not tried again by anyone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import SourceError
from agent.settings import AgentSettings, AppsSettings, InstanceSettings, ProductType, Settings
from agent.sources.apps.by_hand import ask_by_hand
from agent.sources.apps.source import backoff_of
from tests.support.app_manager import TOKEN, AppManagerServer, app_manager
from tests.support.jvm import write_secret


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AppManagerServer]:
    with app_manager(tmp_path) as running:
        yield running


def settings_of(server: AppManagerServer, folder: Path, token: str = TOKEN) -> Settings:
    file = write_secret(folder / "token", token)
    return Settings(
        InstanceSettings(ProductType.JIRA, folder, folder),
        agent=AgentSettings(state_dir=folder),
        apps=AppsSettings(rest_url=server.url, token_file=file, ca_file=server.ca_file),
    )


def test_the_list_is_read(server: AppManagerServer, tmp_path: Path) -> None:
    """A right login gives the list; no user stands behind a personal access token."""
    attempt = ask_by_hand(settings_of(server, tmp_path), 10.0)
    assert (attempt.user, attempt.login_error, attempt.list_error) == (None, None, None)
    assert attempt.listed is not None
    assert len(attempt.listed.rows) == 4


def test_a_refused_login_is_remembered_for_the_daemon_too(server: AppManagerServer, tmp_path: Path) -> None:
    """One attempt; the next by hand, and the daemon's, are not made until the file of the login changes."""
    wrong = settings_of(server, tmp_path, "wrong-token")
    for _ in range(2):
        error = ask_by_hand(wrong, 10.0).list_error
        assert error is not None
        assert error.reason == "login-refused"
    assert len(server.requests) == 1
    with pytest.raises(SourceError):
        backoff_of(wrong).check()


def test_a_login_that_cannot_be_read_asks_nobody(server: AppManagerServer, tmp_path: Path) -> None:
    """A missing file is told as such."""
    settings = settings_of(server, tmp_path)
    gone = replace(settings, apps=replace(settings.apps, token_file=tmp_path / "gone"))
    attempt = ask_by_hand(gone, 10.0)
    assert attempt.login_error is not None
    assert (attempt.listed, server.requests) == (None, [])
