"""The doctor's look at the app manager: each fault names its stage, and a refused login is not tried again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.settings import AppsSettings, Settings
from agent.views.doctor import Area, Check, State, examine, render_doctor
from agent.views.render_json import render_json
from tests.support.app_manager import PERSONAL, SEN, TOKEN, AppManagerServer, app_manager
from tests.support.jvm import write_secret
from tests.views.doctor.test_doctor import only_failure, settings_of


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AppManagerServer]:
    with app_manager(tmp_path) as running:
        yield running


def settings(server: AppManagerServer, folder: Path, token: str = TOKEN) -> Settings:
    file = write_secret(folder / "token", token)
    apps = AppsSettings(rest_url=server.url, token_file=file, ca_file=server.ca_file)
    return replace(settings_of(folder), apps=apps)


def checks_of(settings: Settings) -> dict[str, Check]:
    report = examine(settings, datetime.now(UTC))
    text = render_doctor(report) + render_json(report)
    assert [word for word in (TOKEN, SEN, *PERSONAL) if word in text] == []
    return {check.name: check for check in report.checks if check.area is Area.APPS}


def test_healthy(server: AppManagerServer, tmp_path: Path) -> None:
    """Login, list and licences are ok, with numbers and without names, in two requests."""
    checks = checks_of(settings(server, tmp_path))
    assert {name: check.state for name, check in checks.items()} == dict.fromkeys(
        ("login", "list", "licences"), State.OK
    )
    assert checks["list"].text == "4 apps, 3 of them installed by people."
    assert "1 apps with a licence" in checks["licences"].text
    assert len(server.requests) == 2


def test_off(tmp_path: Path) -> None:
    """Without rest_url it says so and contacts nobody."""
    assert checks_of(settings_of(tmp_path))["apps"].state is State.SKIPPED


def test_refused_login_is_tried_once(server: AppManagerServer, tmp_path: Path) -> None:
    """However often the doctor is asked: one attempt until the file of the login changes."""
    wrong = settings(server, tmp_path, "wrong-token")
    for _ in range(3):
        failed = only_failure(checks_of(wrong))
        assert (failed.name, failed.code) == ("list", "login-refused")
    assert len(server.requests) == 1
    (tmp_path / "token").unlink()
    assert checks_of(settings(server, tmp_path))["list"].state is State.OK


def test_unreadable_login(server: AppManagerServer, tmp_path: Path) -> None:
    """A missing file is the stage login; nothing is asked."""
    own = settings(server, tmp_path)
    (tmp_path / "token").unlink()
    assert only_failure(checks_of(own)).name == "login"
    assert server.requests == []


def test_wrong_path(server: AppManagerServer, tmp_path: Path) -> None:
    """A context path that is missing is told as such."""
    own = settings(server, tmp_path)
    assert own.apps.rest_url is not None
    own = replace(own, apps=replace(own.apps, rest_url=own.apps.rest_url.removesuffix("/jira")))
    failed = only_failure(checks_of(own))
    assert (failed.name, failed.code) == ("list", "wrong-port")
    assert "context path" in failed.do
