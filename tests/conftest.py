"""What holds for every test: no proxy, no locale and no service manager of the machine leaks in."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.support import lanes, quick
from tests.support.lanes import pytest_xdist_make_scheduler
from tests.support.postgres import postgres
from tests.support.quick import pytest_collection_modifyitems, starts_nothing

__all__ = ["postgres", "pytest_collection_modifyitems", "pytest_xdist_make_scheduler", "starts_nothing"]

# How long an example takes says nothing: the machine may be busy with something else.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

LEAKING = [
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "SSLKEYLOGFILE"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Our own options."""
    lanes.add_option(parser)
    quick.add_option(parser)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the machine's own settings out of the way of the test and of the processes it starts."""
    for name in LEAKING:
        monkeypatch.delenv(name, raising=False)
