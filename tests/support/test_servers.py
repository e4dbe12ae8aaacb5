"""The guard that decides between skipping and failing."""

from __future__ import annotations

import pytest

from tests.support import servers


def test_a_missing_server_is_skipped_with_the_command_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a person's machine a test without its server is skipped and says which package to install."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setitem(servers.NEEDS, "teapot", servers.Need("teapot-server", lambda: None))
    with pytest.raises(pytest.skip.Exception, match="apt-get install teapot-server"):
        servers.require("teapot")


def test_nothing_is_skipped_under_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """With CI=true the same lack fails the test and names the package."""
    monkeypatch.setenv("CI", "true")
    monkeypatch.setitem(servers.NEEDS, "teapot", servers.Need("teapot-server", lambda: None))
    with pytest.raises(pytest.fail.Exception, match="apt-get install teapot-server"):
        servers.require("teapot")


def test_what_is_there_is_found() -> None:
    """A thing that stands on every Linux machine is found by its path."""
    assert servers.require("unshare").is_file()
