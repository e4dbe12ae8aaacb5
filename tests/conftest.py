"""What holds for every test: no proxy, no locale and no service manager of the machine leaks in."""

from __future__ import annotations

import pytest

from tests.support.lanes import pytest_addoption, pytest_xdist_make_scheduler
from tests.support.postgres import postgres

__all__ = ["postgres", "pytest_addoption", "pytest_xdist_make_scheduler"]

LEAKING = [
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "SSLKEYLOGFILE"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the machine's own settings out of the way of the test and of the processes it starts."""
    for name in LEAKING:
        monkeypatch.delenv(name, raising=False)
