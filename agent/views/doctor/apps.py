"""The product's app manager: login, list of apps, licences. At most two requests, and none while a login is held."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from agent.settings import Settings
from agent.views.doctor.checks import Area, Check, State, failed_by

if TYPE_CHECKING:
    from agent.sources.apps.upm import AppList

NAMES = ("login", "list", "licences")


def examine_apps(settings: Settings, _now: datetime, limit_s: float) -> Iterator[Check]:
    """Each stage up to the first that fails."""
    if settings.apps.rest_url is None:
        yield Check(Area.APPS, "apps", State.SKIPPED, "Off: [apps] rest_url is not set.")
        return
    from agent.sources.apps.by_hand import ask_by_hand

    attempt = ask_by_hand(settings, limit_s)
    if attempt.login_error is not None:
        yield failed_by(Area.APPS, "login", attempt.login_error)
        yield from (Check(Area.APPS, name, State.SKIPPED) for name in NAMES[1:])
        return
    kind = "A personal access token" if attempt.user is None else f"The password of {attempt.user}"
    yield Check(Area.APPS, "login", State.OK, f"{kind} can be read; it is not shown.")
    if attempt.list_error is not None:
        yield failed_by(Area.APPS, "list", attempt.list_error)
        yield Check(Area.APPS, "licences", State.SKIPPED)
    elif attempt.listed is not None:
        yield from _listed(attempt.listed, licences=attempt.manager.licences)


def _listed(listed: AppList, *, licences: bool) -> Iterator[Check]:
    own = sum(row["origin"] == "user-installed" for row in listed.rows)
    yield Check(Area.APPS, "list", State.OK, f"{len(listed.rows)} apps, {own} of them installed by people.")
    if listed.unread is not None:
        yield failed_by(Area.APPS, "licences", listed.unread)
    elif not licences:
        yield Check(Area.APPS, "licences", State.SKIPPED, "Switched off: [apps] licences = false.")
    else:
        sen = "was read" if listed.sen is not None else "is not there"
        text = f"{sum('evaluation' in row for row in listed.rows)} apps with a licence; the product's SEN {sen}."
        yield Check(Area.APPS, "licences", State.OK, text)
