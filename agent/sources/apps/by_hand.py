"""The app manager asked once by hand, under the same back-off as the daemon's: a refused login locks accounts.

In:   the settings. Out: each stage as it ends, so that who asks can tell how far it came. A refused login is remembered
for the daemon too, and one that the daemon was refused is not tried again here.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.errors import SourceError
from agent.settings import Settings
from agent.sources.apps.source import backoff_of, manager_of
from agent.sources.apps.upm import AppList, AppManager, read_apps


@dataclass(frozen=True, slots=True)
class AppAttempt:
    """One attempt: the login that could be read, and the list, or why there is none of either.

    `user` is None for a personal access token.
    """

    manager: AppManager
    user: str | None = None
    login_error: SourceError | None = None
    listed: AppList | None = None
    list_error: SourceError | None = None


def ask_by_hand(settings: Settings, deadline_s: float) -> AppAttempt:
    """At most two requests, and none while a refused login is held."""
    manager, backoff = manager_of(settings.apps), backoff_of(settings)
    try:
        user, _ = manager.login()
    except SourceError as error:
        return AppAttempt(manager, login_error=error)
    try:
        backoff.check()
    except SourceError as error:
        return AppAttempt(manager, user, list_error=error)
    try:
        listed = read_apps(manager, deadline_s)
    except SourceError as error:
        backoff.failed(error)
        return AppAttempt(manager, user, list_error=error)
    backoff.succeeded()
    return AppAttempt(manager, user, listed=listed)
