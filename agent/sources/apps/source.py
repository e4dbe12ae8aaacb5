"""Installed apps from the product's app manager, once an hour; from its database while that does not answer.

In:   the app manager (`upm`), the database's listing where the product has one, the owner's consent level, the clock.
Out:  the same series in both cases, so no app is told twice; `read_from` beside their number says which it was. The two
      are never mixed in one hour, and events never compare one with the other.
      The name of an app that is not public arrives with the list and is kept under Extended only.
A failure is said at each tick until the app manager answers again. After a refused login it is left alone until the
file of the login changes or an hour passes, also across a restart: failed logins lock an account (CAPTCHA). After
anything else the pause doubles from five minutes to an hour. So this is learnt at once, also by a reading that comes
too late to be accepted; that a list was read is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from agent.catalog import Catalog, Metric
from agent.errors import ConfigError, SourceError
from agent.model import ConsentLevel, Failure, Hour, Reading, Sample, Series, Source, hour_of
from agent.reasons import NOT_DUE, NOT_PRESENT, ROWS_CUT
from agent.settings import AppsSettings, Settings, read_secret
from agent.sources.apps.backoff import LoginBackoff, stamp_of
from agent.sources.apps.binding import RestBinding
from agent.sources.apps.upm import AppList, AppManager, Login, read_apps
from agent.sources.base import no_time, once_each
from agent.sources.governor import CostGovernor
from agent.sources.opening import Opening
from agent.sources.row_series import series_of
from agent.system.clock import monotonic_s, utc_now

NAME = "apps"
READ_FROM = "read_from"
REST, DATABASE = "rest", "database"
SHARE = 0.5  # of the time goes to the app manager when the database could still be read after it
BACKOFF_FILE = "apps-login.json"


class InstalledApps:
    """The source `apps` of a configuration with [apps] rest_url."""

    name = NAME

    def __init__(
        self,
        catalog: Catalog,
        manager: AppManager,
        backoff: LoginBackoff,
        level: Callable[[], ConsentLevel],
        database: Source | None = None,
        *,
        hour_length_s: int = 3600,
        tick_s: float = 0.0,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._catalog = catalog
        self._metrics = catalog.of_source(NAME)
        self._manager = manager
        self._backoff = backoff
        self._level = level
        self._database = database
        self._hour_length_s = hour_length_s
        self._now = now
        # What accepted readings taught: the hour the app manager's list is good for; the hour in which the database
        # stood in for it, and why.
        self._listed_in: Hour | None = None
        self._replaced_in: Hour | None = None
        self._failed: SourceError | None = None
        self._lost = CostGovernor(tick_s=tick_s)

    def read(self, deadline_s: float) -> Reading:
        """The apps at the first tick of an hour; not-due at the others. Raises SourceError when nobody tells them."""
        if deadline_s <= 0:
            raise no_time("The apps were not read.")
        window = hour_of(self._now(), self._hour_length_s)
        if self._listed_in == window or self._lost.wait_s(NAME, monotonic_s()) > 0:
            return Reading((), tuple(Failure(metric.name, NOT_DUE) for metric in self._metrics))
        began_s = monotonic_s()
        ends_s = began_s + deadline_s
        failed = self._failed
        if failed is None or self._replaced_in != window:
            try:
                listed = self._ask(deadline_s * (SHARE if self._database is not None else 0.9))
            except SourceError as error:
                failed = error
            else:
                self._lost.note(NAME, began_s, monotonic_s() - began_s, accepted=False)
                return replace(self._reading(listed), commit=lambda: self._listed(window))
        if self._database is None:
            raise failed
        return self._instead(self._database, failed, ends_s - monotonic_s(), window)

    def _listed(self, window: Hour) -> None:
        """The app manager's list was accepted: it is good for the hour."""
        self._listed_in, self._failed = window, None
        self._lost.forget((NAME,))

    def close(self) -> None:
        """Let go of the database's connection; nothing stays open to the app manager."""
        if self._database is not None:
            self._database.close()

    def _ask(self, within_s: float) -> AppList:
        self._backoff.check()
        try:
            listed = read_apps(self._manager, within_s)
        except SourceError as error:
            self._backoff.failed(error)
            # the frames of the attempt hold the login: no traceback of them leaves here
            error.__context__ = None
            raise error.with_traceback(None) from None
        self._backoff.succeeded()
        return listed

    def _reading(self, listed: AppList) -> Reading:
        samples: list[Sample] = []
        failures: list[Failure] = []
        for metric in self._metrics:
            rest = metric.bound(RestBinding)
            if rest is None:
                failures.append(Failure(metric.name, NOT_DUE, "the app manager is read in place of the database"))
            elif rest.count:
                if listed.more:
                    failures.append(Failure(metric.name, ROWS_CUT, f"more than {len(listed.rows)} apps"))
                else:
                    count = len({row["app"] for row in listed.rows if row["app"]})
                    samples.append(Sample(Series(NAME, metric.name), count, ((READ_FROM, REST),)))
            elif rest.rows:
                samples += self._apps(metric, rest, listed, failures)
            elif listed.sen is not None:
                samples.append(Sample(Series(NAME, metric.name), listed.sen))
            else:
                failures.append(self._no_sen(metric, listed))
        return Reading(tuple(samples), once_each(failures))

    def _apps(self, metric: Metric, rest: RestBinding, listed: AppList, failures: list[Failure]) -> list[Sample]:
        extended = self._level() is ConsentLevel.EXTENDED
        rows = (
            row if extended or self._catalog.is_public(row["app"] or "") else {**row, "name": None}
            for row in listed.rows
        )
        found = series_of(metric, rest, rows, failures, self._catalog)
        if listed.more:
            failures.append(Failure(metric.name, ROWS_CUT, f"more than {len(listed.rows)} apps"))
        if listed.unread is not None:
            failures.append(_failure(metric.name, listed.unread, "Licences: "))
        return [
            Sample(Series(NAME, metric.name, tags), value, tuple(sorted(attributes.items())))
            for tags, (value, attributes) in found.items()
        ]

    def _no_sen(self, metric: Metric, listed: AppList) -> Failure:
        if listed.unread is not None:
            return _failure(metric.name, listed.unread)
        if not self._manager.licences:
            return Failure(metric.name, NOT_DUE, "[apps] licences = false")
        return Failure(metric.name, NOT_PRESENT, "no number of a known shape")

    def _instead(self, database: Source, error: SourceError, left_s: float, window: Hour) -> Reading:
        """What the database tells, beside why the app manager does not."""
        try:
            reading = database.read(left_s)
        except SourceError as second:
            why = f"{error.why} The database, read in its place: {second.what}".strip()
            raise SourceError(error.reason, error.what, why=why, do=error.do) from None

        def commit() -> None:
            reading.commit()
            self._replaced_in, self._failed = window, error

        counts = {metric.name for metric in self._metrics if metric.sql is not None and metric.sql.count}
        samples = tuple(
            replace(sample, attributes=((READ_FROM, DATABASE),)) if sample.series.metric in counts else sample
            for sample in reading.samples
        )
        only_rest = {metric.name for metric in self._metrics if metric.sql is None}
        failures = [failure for failure in reading.failures if failure.metric not in only_rest]
        failures += [_failure(name, error) for name in sorted(only_rest)]
        return replace(reading, samples=samples, failures=once_each(failures), commit=commit)


def _failure(metric: str, error: SourceError, before: str = "") -> Failure:
    return Failure(metric, error.reason, f"{before}{error.what} {error.why} {error.do}".strip())


def open_source(opening: Opening) -> Source:
    """From the app manager where there is a login for it, beside or in place of the database's list of apps.

    The login is read from its file for each read.
    """
    settings = opening.settings
    database = None
    if settings.database.enabled and any(metric.sql is not None for metric in opening.catalog.of_source(NAME)):
        from agent.sources.listings.source import open_source as open_listing

        database = open_listing(opening)
        if settings.apps.rest_url is None:
            return database
    return InstalledApps(
        opening.catalog,
        manager_of(settings.apps),
        backoff_of(settings),
        opening.level,
        database,
        hour_length_s=settings.hour.length_s,
        tick_s=settings.sampling.interval_s,
    )


def manager_of(apps: AppsSettings) -> AppManager:
    """The app manager of this configuration."""

    def login() -> Login:
        token = apps.user is None
        file, credential = (
            (apps.token_file, apps.token_credential) if token else (apps.password_file, apps.password_credential)
        )
        try:
            return apps.user, read_secret(file, credential)
        except ConfigError as error:
            raise SourceError("login-unreadable", error.what, why=error.why, do=error.do) from None

    return AppManager(apps.rest_url or "", login, apps.ca_file, apps.licences)


def backoff_of(settings: Settings) -> LoginBackoff:
    """What is remembered of failed attempts, shared by daemon, `sample` and `doctor`."""
    apps = settings.apps
    file = apps.token_file or apps.password_file
    credential = apps.token_credential or apps.password_credential

    def stamp() -> str:
        return f"{apps.rest_url} {apps.user} {stamp_of(file, credential)}"

    return LoginBackoff(settings.agent.state_dir / BACKOFF_FILE, stamp)
