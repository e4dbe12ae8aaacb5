"""The source `apps`: app manager first, database in its place, one reading an hour, a refused login left alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from starlette.responses import Response

from agent.catalog import load_catalog
from agent.errors import SourceError
from agent.model import ConsentLevel, Source
from agent.settings import AgentSettings, AppsSettings, InstanceSettings, ProductType, Settings
from agent.sources.apps.backoff import LoginBackoff
from agent.sources.apps.source import InstalledApps, backoff_of, manager_of
from agent.sources.registry import open_sources
from tests.support.app_manager import ENDS, PASSWORD, SEN, TOKEN, USER, AppManagerServer, app, app_manager, many
from tests.support.jvm import write_secret
from tests.support.listings import START, jira_sqlite, listing, reasons, rows
from tests.support.sources import accepted, sqlite_engine

GROOVY = "com.onresolve.jira.groovy.groovyrunner"
PAYROLL = "com.quibble.planted-payroll"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AppManagerServer]:
    with app_manager(tmp_path) as running:
        yield running


@dataclass
class Bench:
    """One source on real servers, with a clock of its own."""

    folder: Path
    server: AppManagerServer
    product: str = "jira"
    levels: list[ConsentLevel] = field(default_factory=lambda: [ConsentLevel.BASIC])
    now: list[datetime] = field(default_factory=lambda: [START])

    @property
    def settings(self) -> Settings:
        (self.folder / "state").mkdir(exist_ok=True)
        token = self.folder / "token"
        if not token.exists():
            write_secret(token, TOKEN + "\n")
        return Settings(
            InstanceSettings(ProductType(self.product), self.folder, self.folder),
            agent=AgentSettings(state_dir=self.folder / "state"),
            apps=AppsSettings(rest_url=self.server.url, token_file=token, ca_file=self.server.ca_file),
        )

    def clock(self) -> float:
        return (self.now[0] - START).total_seconds() + 1000

    def source(self, database: Source | None = None, settings: Settings | None = None) -> InstalledApps:
        """Opened anew, as after a restart of the agent."""
        settings = settings or self.settings
        shared = backoff_of(settings)
        backoff = LoginBackoff(shared._file, shared._stamp, clock=self.clock, now=lambda: self.now[0])
        return InstalledApps(
            load_catalog(self.product),
            manager_of(settings.apps),
            backoff,
            lambda: self.levels[0],
            database,
            tick_s=120,
            now=lambda: self.now[0],
        )

    def database(self) -> Source:
        path = self.folder / "jira.db"
        if not path.exists():
            jira_sqlite(path)
        return listing("apps", lambda: sqlite_engine(path), now=lambda: self.now[0])

    def later(self, minutes: float) -> None:
        self.now[0] += timedelta(minutes=minutes)


@pytest.fixture
def bench(tmp_path: Path, server: AppManagerServer) -> Bench:
    return Bench(tmp_path, server)


def test_apps_under_basic(bench: Bench) -> None:
    """One series an app; of one that is not public only the numbers of the version, and no name."""
    reading = bench.source().read(30)
    found = rows(reading, "app.installed")
    assert found[GROOVY] == (
        "8.20.0",
        {
            "name": "ScriptRunner",
            "state": "disabled",
            "origin": "user-installed",
            "licence": "commercial",
            "evaluation": "false",
            "licence_ends": ENDS,
        },
    )
    assert found[PAYROLL] == ("2.1", {"state": "enabled", "origin": "user-installed", "licence": "not-needed"})
    assert found["com.quibble.planted-paid"][0] == "unknown"
    assert [sample.value for sample in reading.samples if sample.series.metric == "instance.sen"] == [SEN]
    count = next(sample for sample in reading.samples if sample.series.metric == "app.installed.count")
    assert (count.value, count.attributes) == (4, (("read_from", "rest"),))
    assert reading.failures == ()
    assert "Planted" not in repr(reading)


def test_names_under_extended(bench: Bench) -> None:
    """Under Extended each app has its name; a level that is lowered counts at the next reading."""
    bench.levels[0] = ConsentLevel.EXTENDED
    source = bench.source()
    assert rows(accepted(source), "app.installed")[PAYROLL][1]["name"] == "Planted payroll of Quibble"
    bench.levels[0] = ConsentLevel.BASIC
    bench.later(60)
    assert "Planted" not in repr(accepted(source))


@pytest.mark.parametrize("product", ["jira", "confluence", "bitbucket", "bamboo", "crowd"])
def test_every_product(bench: Bench, product: str) -> None:
    """The app manager of each product gives the same series; nothing of the catalog is passed over in silence."""
    bench.product = product
    reading = bench.source().read(30)
    assert rows(reading, "app.installed").keys() >= {GROOVY, PAYROLL}
    known = {sample.series.metric for sample in reading.samples} | set(reasons(reading))
    assert known == {metric.name for metric in load_catalog(product).of_source("apps")}


def test_two_requests_an_hour(bench: Bench) -> None:
    """30 ticks of an hour ask once; each hour asks again at its first tick."""
    source = bench.source(bench.database())
    for tick in range(90):
        reading = accepted(source)
        assert bool(reading.samples) is (tick % 30 == 0)
        assert tick % 30 == 0 or set(reasons(reading).values()) == {"not-due"}
        bench.later(2)
    assert len(bench.server.requests) == 6


def test_a_list_that_came_too_late_is_asked_for_again(bench: Bench) -> None:
    """Its tick went on without it, so the next one asks once more; the one that is accepted is good for the hour."""
    source = bench.source(bench.database())
    for asked in (2, 4):
        assert source.read(30).samples
        assert len(bench.server.requests) == asked
    assert accepted(source).samples
    assert not source.read(30).samples
    assert len(bench.server.requests) == 6


def test_what_the_database_told_too_late_is_asked_for_again(bench: Bench) -> None:
    """The app manager refuses once and is left alone at once, accepted or not; the database's list did not count."""
    bench.server.always(401)
    source = bench.source(bench.database())
    for _ in range(2):
        reading = source.read(30)
        assert rows(reading, "app.installed")
        assert reasons(reading)["instance.sen"] == "login-refused"
    assert len(bench.server.requests) == 1, "a second attempt could lock the account"
    assert accepted(source).samples
    assert not source.read(30).samples


def test_database_in_its_place(bench: Bench) -> None:
    """While the app manager does not answer the database is read, once an hour, and why is said at each tick."""
    bench.server.always(503)
    source = bench.source(bench.database())
    reading = accepted(source)
    assert rows(reading, "app.installed")[PAYROLL] == ("2.1", {"state": "enabled"})
    count = next(sample for sample in reading.samples if sample.series.metric == "app.installed.count")
    assert count.attributes == (("read_from", "database"),)
    assert reasons(reading)["instance.sen"] == "remote-failure"
    for _ in range(29):
        bench.later(2)
        reading = accepted(source)
        assert (reading.samples, reasons(reading)["instance.sen"]) == ((), "remote-failure")
    assert len(bench.server.requests) == 1
    bench.server.answers.clear()
    bench.later(2)
    reading = accepted(source)
    assert reasons(reading) == {}
    assert rows(reading, "app.installed")[PAYROLL][1]["origin"] == "user-installed"


def test_neither_answers(bench: Bench, tmp_path: Path) -> None:
    """With both away it is the app manager's error, which names the database too."""
    bench.server.always(404)
    away = listing("apps", lambda: sqlite_engine(tmp_path / "missing.db"), now=lambda: bench.now[0])
    with pytest.raises(SourceError) as caught:
        bench.source(away).read(30)
    assert caught.value.reason == "wrong-port"
    assert "database" in caught.value.why


@pytest.mark.parametrize("status", [401, 403])
def test_refused_login_is_left_alone(bench: Bench, status: int) -> None:
    """One attempt, then none for an hour, whatever the hour of the clock says and across restarts of the agent."""
    bench.server.always(status)
    bench.later(50)
    for _ in range(29):
        with pytest.raises(SourceError) as caught:
            bench.source().read(30)  # a restart at each tick
        assert caught.value.do
        bench.later(2)
    assert len(bench.server.requests) == 1
    assert "Next attempt in" in caught.value.why
    bench.later(2)
    with pytest.raises(SourceError):
        bench.source().read(30)
    assert len(bench.server.requests) == 2


def test_new_token_is_tried_at_once(bench: Bench) -> None:
    """When the file of the login changes the next tick asks again; a success forgets the failure."""
    write_secret(bench.folder / "token", "wrong-token-0123456789")
    source = bench.source()
    for _ in range(5):
        with pytest.raises(SourceError):
            accepted(source)
        bench.later(2)
    assert len(bench.server.requests) == 1
    (bench.folder / "token").unlink()
    write_secret(bench.folder / "token", TOKEN)
    assert accepted(source).samples
    assert list((bench.folder / "state").iterdir()) == []


def test_login_page_counts_as_a_refused_login(bench: Bench) -> None:
    """A page with status 200 in place of the list is asked for once an hour too."""
    bench.server.always(200, "<html>log in</html>", "text/html")
    source = bench.source()
    for _ in range(20):
        with pytest.raises(SourceError):
            accepted(source)
        bench.later(2)
    assert len(bench.server.requests) == 1


@pytest.mark.parametrize(("status", "most"), [(429, 5), (500, 5), (404, 5)])
def test_other_failures_wait_longer_each_time(bench: Bench, status: int, most: int) -> None:
    """Without a database: five minutes, ten, twenty, forty, an hour; never a request at each tick."""
    bench.server.always(status)
    source = bench.source()
    for _ in range(60):
        with pytest.raises(SourceError):
            accepted(source)
        bench.later(2)
    assert 3 <= len(bench.server.requests) <= most


def test_retry_after_is_kept(bench: Bench) -> None:
    """The server's own wait counts when it is longer, up to an hour."""
    bench.server.always(429, **{"retry-after": "3000"})
    source = bench.source()
    for _ in range(25):
        with pytest.raises(SourceError):
            accepted(source)
        bench.later(2)
    assert len(bench.server.requests) == 1


def test_what_is_remembered_holds_no_secret(bench: Bench) -> None:
    """The file of a refused login is ours alone, names time and reason, and neither token nor answer."""
    bench.server.always(401, f"planted {TOKEN}")
    with pytest.raises(SourceError):
        bench.source().read(30)
    (file,) = (bench.folder / "state").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["reason"] == "login-refused"
    assert TOKEN not in file.read_text()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"refusedAt": "x"}', '{"reason": "planted"}', "[" * 4000])
def test_damaged_memory_is_no_memory(bench: Bench, content: str) -> None:
    """A file that cannot be understood, or is a link, keeps nobody from asking."""
    settings = bench.settings
    (bench.folder / "state" / "apps-login.json").write_text(content)
    assert bench.source(settings=settings).read(30).samples


def test_unreadable_login_contacts_nobody(bench: Bench) -> None:
    """A token that others can read is refused with the command that mends it, before any request."""
    settings = bench.settings
    os.chmod(bench.folder / "token", 0o644)
    with pytest.raises(SourceError) as caught:
        bench.source(settings=settings).read(30)
    assert caught.value.reason == "login-unreadable"
    assert "chmod" in caught.value.do
    assert bench.server.requests == []


def test_user_with_password_from_a_credential(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A systemd credential serves as well as a file."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    write_secret(folder / "apps.password", PASSWORD)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    apps = AppsSettings(
        rest_url=bench.server.url, user=USER, password_credential="apps.password", ca_file=bench.server.ca_file
    )
    assert bench.source(settings=replace(bench.settings, apps=apps)).read(30).samples


def test_licences_switched_off_or_refused(bench: Bench) -> None:
    """Without licences the rest is there; refused ones are said, the wish not to ask is no failure."""
    settings = bench.settings
    off = replace(settings, apps=replace(settings.apps, licences=False))
    reading = bench.source(settings=off).read(30)
    assert reasons(reading) == {"instance.sen": "not-due"}
    assert "licence" not in rows(reading, "app.installed")[GROOVY][1]
    bench.server.answers["installed-marketplace"] = Response("", 403)
    reading = bench.source().read(30)
    assert reasons(reading) == {"instance.sen": "permission-denied", "app.installed": "permission-denied"}
    assert rows(reading, "app.installed")[GROOVY][1]["state"] == "disabled"


def test_two_apps_with_one_key(bench: Bench) -> None:
    """No app twice: the first speaks and it is said; the count is of different keys."""
    bench.server.apps = (*bench.server.apps, app(PAYROLL, "again", "9.9"))
    reading = bench.source().read(30)
    assert rows(reading, "app.installed")[PAYROLL][0] == "2.1"
    assert reasons(reading) == {"app.installed": "ambiguous"}
    count = next(sample for sample in reading.samples if sample.series.metric == "app.installed.count")
    assert count.value == len(rows(reading, "app.installed")) == 4


def test_a_cut_list_has_no_count(bench: Bench) -> None:
    """More apps than are taken: rows-cut, and nothing by which a list could be taken for whole."""
    bench.server.apps = many(5001)
    settings = bench.settings
    off = replace(settings, apps=replace(settings.apps, licences=False))
    reading = bench.source(settings=off).read(60)
    assert reasons(reading)["app.installed.count"] == "rows-cut"
    assert len(rows(reading, "app.installed")) == 5000


def test_registry_opens_it_in_place_of_the_listing(bench: Bench) -> None:
    """With rest_url there is one source `apps`, with or without a database; without it what was there before."""
    settings = bench.settings
    named = [source.name for source in open_sources(settings, load_catalog("jira"), lambda: ConsentLevel.BASIC)]
    assert named.count("apps") == 1
    opened = open_sources(settings, load_catalog("bamboo"), lambda: ConsentLevel.BASIC)
    assert [type(source).__name__ for source in opened if source.name == "apps"] == ["InstalledApps"]
    off = replace(settings, apps=AppsSettings())
    opened = open_sources(off, load_catalog("bamboo"), lambda: ConsentLevel.BASIC)
    assert [source.name for source in opened if source.name == "apps"] == []
