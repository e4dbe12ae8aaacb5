"""The product's app manager: login, list of apps, licences. At most two requests, and none while a login is held."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from agent.errors import SourceError
from agent.settings import Settings
from agent.views.doctor.checks import Area, Check, State, failed_by

NAMES = ("login", "list", "licences")


def examine_apps(settings: Settings, _now: datetime, limit_s: float) -> Iterator[Check]:
    """Each stage up to the first that fails."""
    if settings.apps.rest_url is None:
        yield Check(Area.APPS, "apps", State.SKIPPED, "Off: [apps] rest_url is not set.")
        return
    from agent.sources.apps.source import backoff_of, manager_of
    from agent.sources.apps.upm import read_apps

    manager, pause = manager_of(settings.apps), backoff_of(settings)
    try:
        user, _ = manager.login()
    except SourceError as error:
        yield failed_by(Area.APPS, "login", error)
        yield from (Check(Area.APPS, name, State.SKIPPED) for name in NAMES[1:])
        return
    kind = "A personal access token" if user is None else f"The password of {user}"
    yield Check(Area.APPS, "login", State.OK, f"{kind} can be read; it is not shown.")
    try:
        pause.check()
    except SourceError as error:
        yield failed_by(Area.APPS, "list", error)
        yield Check(Area.APPS, "licences", State.SKIPPED)
        return
    try:
        listed = read_apps(manager, limit_s)
    except SourceError as error:
        pause.failed(error)
        yield failed_by(Area.APPS, "list", error)
        yield Check(Area.APPS, "licences", State.SKIPPED)
        return
    pause.succeeded()
    own = sum(row["origin"] == "user-installed" for row in listed.rows)
    yield Check(Area.APPS, "list", State.OK, f"{len(listed.rows)} apps, {own} of them installed by people.")
    if listed.unread is not None:
        yield failed_by(Area.APPS, "licences", listed.unread)
    elif not manager.licences:
        yield Check(Area.APPS, "licences", State.SKIPPED, "Switched off: [apps] licences = false.")
    else:
        sen = "was read" if listed.sen is not None else "is not there"
        text = f"{sum('evaluation' in row for row in listed.rows)} apps with a licence; the product's SEN {sen}."
        yield Check(Area.APPS, "licences", State.OK, text)
