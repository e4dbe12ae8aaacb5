"""doctor on the access log: which one is read, which are not, whether its lines are understood."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import pytest

from agent.settings import ClientsideSettings, InstanceSettings, ProductType, Settings
from agent.views.doctor.checks import Check, State
from agent.views.doctor.logs import examine_logs
from tests.support.access_logs import jira_line, make_install

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
COMMON = '<Valve className="org.apache.catalina.valves.AccessLogValve" pattern="common" prefix="x"/>'


def checks(place: Path, product: ProductType = ProductType.CONFLUENCE, **own: object) -> dict[str, Check]:
    """What doctor says of the logs in `place`."""
    settings = Settings(
        InstanceSettings(product, place / "home", place / "home"),
        clientside=ClientsideSettings(**own),  # type: ignore[arg-type]  # the tests' own
    )
    return {check.name: check for check in examine_logs(settings, NOW, 5)}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An install with some lines in its log."""
    log = make_install(tmp_path / "install") / "logs" / "access_log"
    log.write_bytes(jira_line(1) * 20 + b"one that is not\n")
    return tmp_path


def test_log_that_is_read(place: Path) -> None:
    """Where it lies, which valve says so, how many of the last lines are understood; other valves with the reason."""
    path = place / "install" / "conf" / "server.xml"
    path.write_text(path.read_text().replace("<Host>", "<Host>" + COMMON))
    found = checks(place, install=place / "install")
    assert {check.state for check in found.values()} == {State.OK, State.SKIPPED}
    assert f"access_log.yyyy-MM-dd in {place / 'install' / 'logs'}" in found["access log"].text
    assert "server.xml line 2" in found["access log"].text
    assert found["lines"].text == "20 of the last 21 lines are understood."
    assert "has no duration" in found["not read"].text


@pytest.mark.parametrize(
    ("text", "failed", "code"),
    [
        (b"one that is not\n" * 9 + jira_line(1), "lines", "mostly-unread"),
        (None, "access log", "not-present"),
    ],
)
def test_log_that_tells_nothing(place: Path, text: bytes | None, failed: str, code: str) -> None:
    """Lines of another form, or no file: failed, with why and what to do."""
    log = place / "install" / "logs" / "access_log"
    log.unlink() if text is None else log.write_bytes(text)
    check = checks(place, install=place / "install")[failed]
    assert (check.state, check.code, bool(check.why), bool(check.do)) == (State.FAILED, code, True, True)


def test_valve_that_is_not_read(place: Path) -> None:
    """A class that is not Tomcat's: failed, by its name."""
    path = place / "install" / "conf" / "server.xml"
    path.write_text(path.read_text().replace("org.apache.catalina.valves.", "com.example."))
    check = checks(place, install=place / "install")["access log"]
    assert (check.state, check.code) == (State.FAILED, "not-supported")
    assert "com.example.AccessLogValve" in check.why


QUIET = MappingProxyType({"switched off": {"enabled": False}, "no install": {}})


@pytest.mark.parametrize("case", QUIET)
def test_not_wanted(place: Path, case: str) -> None:
    """Nothing is looked at, and it is said which setting decides."""
    found = checks(place, **QUIET[case])
    assert [check.state for check in found.values()] == [State.SKIPPED]
    assert "[clientside]" in found["access log"].text


def test_whole_seconds(place: Path, tmp_path: Path) -> None:
    """That there will be no durations is said with its reason."""
    install = make_install(tmp_path / "other", pattern='%h "%r" %s %T', version="10.1.1")
    (install / "logs" / "access_log").write_bytes(b'192.0.2.1 "GET / HTTP/1.1" 200 0\n')
    assert "too-coarse" in checks(place, install=install)["durations"].text


def test_bitbucket(place: Path) -> None:
    """Its log lies in the home; no install is needed."""
    (place / "home" / "log").mkdir(parents=True)
    (place / "home" / "log" / "atlassian-bitbucket-access.log").touch()
    found = checks(place, ProductType.BITBUCKET)
    assert "atlassian-bitbucket-access.log" in found["access log"].text
    assert found["lines"].text == "None was written yet."
