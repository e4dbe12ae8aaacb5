"""The source on real files: exactly once through crashes, small groups kept back, no personal word anywhere."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.aggregation import aggregate
from agent.batching import seal
from agent.catalog import load_catalog
from agent.consent import Pseudonyms
from agent.errors import SourceError
from agent.model import Consent, ConsentLevel, Hour, Identity, InstanceId, NodeId, Outcome, Reading, SourceReport, Tick
from agent.settings import AgentSettings, ClientsideSettings, InstanceSettings, ProductType, Settings
from agent.sources.clientside.source import ClientSide
from agent.sources.registry import open_source
from agent.store import open_store
from agent.store.ticks import TickWriter, ticks_of
from tests.support.access_logs import PLANTED, jira_line, make_install
from tests.support.clock import HandClock
from tests.support.door import consented
from tests.support.sources import accepted
from tests.support.web_server import WebServer, web_server

CATALOG = load_catalog("jira")
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
APDEX = (
    "2026-11-22 10:00:00,123+0000 category: %s, apdex: {apdexScore=90, satisfiedCount=%d, toleratingCount=0, "
    "frustratedCount=0}\n"
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An install, a home with an Apdex log, a state folder."""
    make_install(tmp_path / "install")
    (tmp_path / "home" / "log").mkdir(parents=True)
    (tmp_path / "home" / "log" / "atlassian-jira-apdex.log").write_text(APDEX % ("overall", 9))
    access_log(tmp_path).write_bytes(jira_line(0))
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path


def settings_of(place: Path, **own: object) -> Settings:
    return Settings(
        InstanceSettings(ProductType.JIRA, place / "home", place / "home"),
        agent=AgentSettings(state_dir=place / "state"),
        clientside=ClientsideSettings(install=place / "install", **own),  # type: ignore[arg-type]  # the tests' own
    )


def source_of(place: Path, **own: object) -> ClientSide:
    source = open_source("clientside", settings_of(place, **own), CATALOG)
    assert isinstance(source, ClientSide)
    return source


def access_log(place: Path) -> Path:
    return place / "install" / "logs" / "access_log.2026-11-22"


def append(path: Path, octets: bytes) -> None:
    with open(path, "ab") as stream:
        stream.write(octets)


def values(reading: Reading) -> dict[tuple[object, ...], object]:
    return {(item.series.metric, *(value for _, value in item.series.tags)): item.value for item in reading.samples}


def tick_of(reading: Reading, now: datetime = NOW) -> Tick:
    report = SourceReport("clientside", Outcome.OK, len(reading.samples), reading.failures)
    return Tick(
        now, reading.samples, (report,), {"clientside": reading.epoch}, checkpoints={"clientside": reading.checkpoint}
    )


def test_requests_since_the_first_look(place: Path) -> None:
    """What is written after the first look is counted by class, in the log's unit."""
    source = source_of(place)
    assert values(accepted(source))[("clientside.requests", "rest")] == 0
    append(access_log(place), b"".join(jira_line(number, took=120) for number in range(10)))
    found = values(accepted(source))
    assert found[("clientside.requests", "rest")] == 10
    assert found[("clientside.requests.by_status", "rest", "2xx")] == 10
    assert found[("clientside.requests.duration_sum", "rest")] == 1200
    assert abs(found[("clientside.response.p95", "rest")] - 120) < 8  # type: ignore[operator]  # a number
    assert found[("clientside.log.unread",)] == 0


def test_unit_follows_tomcats_version(tmp_path: Path, place: Path) -> None:
    """The same lines are a thousandth under Tomcat 10; with no version there are no durations, and the counts stand."""
    for version, expected in (("10.1.30", 0.12 * 10), ("", None)):
        (place / "install" / "lib" / "catalina.jar").unlink(missing_ok=True)
        make_install(tmp_path / f"other{version}", version=version)
        other = tmp_path / f"other{version}" / "lib" / "catalina.jar"
        if other.exists():
            os.rename(other, place / "install" / "lib" / "catalina.jar")
        source = source_of(place)
        accepted(source)
        append(access_log(place), b"".join(jira_line(number, took=120) for number in range(10)))
        reading = accepted(source)
        found = values(reading)
        assert found[("clientside.requests", "rest")] == 10
        assert found.get(("clientside.requests.duration_sum", "rest")) == expected
        reasons = {failure.metric: failure.reason for failure in reading.failures}
        assert (reasons.get("clientside.response.p95") == "unit-unknown") == (expected is None)


def test_changed_pattern_is_taken_up(place: Path) -> None:
    """server.xml was edited and Tomcat restarted: the next lines are read by the new pattern, none is read twice."""
    source = source_of(place)
    accepted(source)
    append(access_log(place), b"".join(jira_line(number) for number in range(6)))
    accepted(source)
    make_install(place / "new", pattern="%s %D %U")
    os.replace(place / "new" / "conf" / "server.xml", place / "install" / "conf" / "server.xml")
    append(access_log(place), b"404 7 /browse/X-1\n" * 6)
    found = values(accepted(source))
    assert found[("clientside.requests", "rest")] == 6
    assert found[("clientside.requests", "page")] == 6


def test_small_groups_stay(place: Path) -> None:
    """Four logins are not told of until a fifth comes; the setting moves the border."""
    source = source_of(place)
    accepted(source)
    append(access_log(place), b"".join(jira_line(number, "/login.jsp", 401) for number in range(4)))
    found = values(accepted(source))
    assert found[("clientside.requests", "login")] == 0
    assert found[("clientside.requests.by_status", "login", "4xx")] == 0
    assert not any(key[0] == "clientside.requests.error_percent" for key in found)
    append(access_log(place), jira_line(5, "/login.jsp", 401))
    assert values(accepted(source))[("clientside.requests.by_status", "login", "4xx")] == 5
    loose = source_of(place, smallest_group=1)
    accepted(loose)
    append(access_log(place), jira_line(6, "/login.jsp", 401))
    assert values(accepted(loose))[("clientside.requests", "login")] == 1


def test_figures_of_the_log_tell_of_no_few_requests(place: Path) -> None:
    """Four requests, or one line of another form among many: neither bytes read nor lines unread show them."""
    source = source_of(place)
    accepted(source)
    append(access_log(place), b"".join(jira_line(number) for number in range(4)))
    assert values(accepted(source))[("clientside.log.read",)] == 0
    append(access_log(place), b"".join(jira_line(number) for number in range(20)) + b"no such form\n")
    found = values(accepted(source))
    assert found[("clientside.log.read",)] == access_log(place).stat().st_size - len(jira_line(0))
    assert found[("clientside.log.unread",)] == 0
    append(access_log(place), b"no such form\n" * 4)
    assert values(accepted(source))[("clientside.log.unread",)] == 5


def test_apdex_of_an_hour(place: Path) -> None:
    """A new line is told once; between the lines the score is not due."""
    source = source_of(place)
    assert ("clientside.apdex.score", "not-due") in {(f.metric, f.reason) for f in accepted(source).failures}
    lines = "".join(APDEX % (page, 8) for page in ("overall", "jira.dashboard"))
    append(place / "home" / "log" / "atlassian-jira-apdex.log", lines.encode())
    accepted(source)
    found = values(accepted(source))
    assert found[("clientside.apdex.score", "overall")] == 100
    assert found[("clientside.apdex.score", "jira.dashboard")] == 100
    assert found[("clientside.apdex.views", "jira.dashboard", "satisfied")] == 8


UNPRIVILEGED = """
import encodings.cp437  # zipfile asks for it late, and the other account may not read this interpreter's folder
import os, sys
from pathlib import Path
from tests.sources.clientside.test_source import source_of
source = source_of(Path(sys.argv[1]))
os.setgid(65534)
os.setuid(65534)
failure = next(item for item in source.read(10).failures if item.metric == "clientside.requests")
print(failure.reason, "|", failure.detail)
"""


def test_folder_that_may_not_be_entered() -> None:
    """The reason is permission-denied, the words name the setfacl command, and the other log is read all the same."""
    if os.geteuid() != 0:
        pytest.skip("only root can try another account")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        make_install(place / "install")
        (place / "home" / "log").mkdir(parents=True)
        (place / "install" / "logs").chmod(0o700)
        command = [sys.executable, "-c", UNPRIVILEGED, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("permission-denied |"), done.stderr
    assert "setfacl" in done.stdout


def test_no_log_at_all_says_why(tmp_path: Path) -> None:
    """Neither log: SourceError with a known reason and what to do."""
    (tmp_path / "state").mkdir(mode=0o700)
    with pytest.raises(SourceError) as caught:
        source_of(tmp_path).read(10)
    assert (caught.value.reason, bool(caught.value.do)) == ("not-present", True)


def test_long_pause_is_passed_over(place: Path) -> None:
    """After three hours of standing still the backlog is not put into the present hour; its size is told."""
    clock = HandClock(datetime(2026, 11, 22, 9, tzinfo=UTC))
    source = source_of(place)
    source._clock = clock
    accepted(source)
    lines = b"".join(jira_line(number) for number in range(50))
    append(access_log(place), lines)
    clock.go_on(3 * 3600)
    found = values(accepted(source))
    assert found[("clientside.requests", "rest")] == 0
    assert found[("clientside.log.skipped",)] == len(lines)
    append(access_log(place), b"".join(jira_line(number) for number in range(7)))
    assert values(accepted(source))[("clientside.requests", "rest")] == 7


@pytest.mark.parametrize("days", [40, -40])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_that_is_set_is_no_pause(place: Path, days: int, restarted: bool) -> None:
    """What was written in the last two minutes is read, however far the wall clock went meanwhile."""
    clock = HandClock(datetime(2026, 11, 22, 9, tzinfo=UTC))
    source = source_of(place)
    source._clock = clock
    checkpoint = accepted(source).checkpoint
    append(access_log(place), b"".join(jira_line(number) for number in range(50)))
    clock.go_on(120)
    clock.set(timedelta(days=days))
    if restarted:
        source = source_of(place)
        source._clock, source._load_checkpoint = clock, lambda: checkpoint
    found = values(accepted(source))
    assert found[("clientside.requests", "rest")] == 50
    assert found[("clientside.log.skipped",)] == 0


@pytest.mark.parametrize("seen", [1_000.0, 4e9])
def test_a_checkpoint_of_an_older_agent_names_the_wall_clock_alone(place: Path, seen: float) -> None:
    """It goes on from it; an hour later than two it is a pause."""
    clock = HandClock(datetime(2026, 11, 22, 9, tzinfo=UTC))
    first = source_of(place)
    document = json.loads(accepted(first).checkpoint)
    append(access_log(place), b"".join(jira_line(number) for number in range(50)))
    source = source_of(place)
    source._clock, source._load_checkpoint = clock, lambda: json.dumps({**document, "seen": seen})
    assert values(accepted(source))[("clientside.requests", "rest")] == (0 if seen == 1_000.0 else 50)


def test_a_tick_that_was_not_stored_is_made_up(place: Path) -> None:
    """The counters go on from the stored tick: what only a lost reading had seen is read again, once."""
    store = open_store(place / "state")
    writer = TickWriter(store, 3600)
    source = source_of(place)
    writer.append(tick_of(accepted(source)))
    append(access_log(place), b"".join(jira_line(number) for number in range(10)))
    accepted(source)  # this one never reaches the store
    again = source_of(place)
    append(access_log(place), b"".join(jira_line(number) for number in range(5)))
    reading = accepted(again)
    assert values(reading)[("clientside.requests", "rest")] == 15
    assert reading.epoch == accepted(source).epoch
    store.close()


def test_lines_of_a_reading_that_came_too_late_are_read_again(place: Path) -> None:
    """Both logs: what two lost readings had seen is in the next one, once, percentiles and new pages included."""
    sources = [source_of(place, smallest_group=1) for _ in range(2)]
    for source in sources:
        accepted(source)
    pages = "".join(APDEX % (page, 8) for page in ("overall", "jira.dashboard"))
    append(place / "home" / "log" / "atlassian-jira-apdex.log", pages.encode())
    for _ in range(2):
        append(access_log(place), b"".join(jira_line(number) for number in range(10)))
        sources[0].read(10)  # its tick went on without it
    append(access_log(place), b"".join(jira_line(number) for number in range(10)))
    late, punctual = (accepted(source) for source in sources)
    assert values(late) == values(punctual)
    assert values(late)[("clientside.requests", "rest")] == 30
    assert ("clientside.response.p95", "rest") in values(late)


def test_damaged_checkpoint_begins_anew(place: Path) -> None:
    """A checkpoint that is not ours gives a new epoch and nothing of its numbers."""
    for text in ("nonsense", "[]", '{"format":1,"epoch":"x","seen":1,"logs":{"access":{}}}', '{"format":99}'):
        source = source_of(place)
        source._load_checkpoint = lambda text=text: text  # type: ignore[misc]  # a value bound in a loop
        reading = accepted(source)
        assert reading.epoch not in ("", "x")
        assert values(reading)[("clientside.requests", "rest")] == 0


LOOP = """
import sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from agent.store import open_store
from agent.store.ticks import TickWriter
from tests.sources.clientside.test_source import source_of, tick_of
from tests.support.sources import accepted
place = Path(sys.argv[1])
store = open_store(place / "state")
writer = TickWriter(store, 3600)
source = source_of(place, smallest_group=1)
while True:
    writer.append(tick_of(accepted(source), datetime.now(UTC)))
    print("tick", flush=True)
"""


def test_killed_at_any_moment_counts_each_request_once(place: Path) -> None:
    """A real process that reads and stores is killed with -9 eight times while the log grows and is rotated; in the end
    the counter is the number of lines written."""
    written = 0
    for run in range(8):
        with subprocess.Popen([sys.executable, "-c", LOOP, str(place)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for burst in range(4 + run):
                process.stdout.readline()
                append(access_log(place), b"".join(jira_line(written + number) for number in range(100)))
                written += 100
                if burst == 2:
                    os.rename(access_log(place), place / "install" / "logs" / f"access_log.2026-11-22.{run + 1}")
            process.send_signal(signal.SIGKILL)
    assert values(source_of(place, smallest_group=1).read(10))[("clientside.requests", "rest")] == written


def test_no_personal_word_gets_out(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """User, address, mail, issue key, query, session planted in every field: none in store, batch, failure or log."""
    store = open_store(place / "state")
    writer = TickWriter(store, 3600)
    source = source_of(place, smallest_group=1)
    writer.append(tick_of(accepted(source)))
    append(access_log(place), b"".join(jira_line(number, f"/{PLANTED[0]}/x") for number in range(50)))
    append(access_log(place), b"erika.mustermann wrote no line of this form\n")
    apdex = "".join(APDEX % (word, 9) for word in PLANTED)
    append(place / "home" / "log" / "atlassian-jira-apdex.log", apdex.encode())
    accepted(source)
    reading = accepted(source)
    writer.append(tick_of(reading))
    assert values(reading)[("clientside.requests", "other")] == 50
    hour = Hour(NOW)
    kinds = {name: metric.kind for name, metric in CATALOG.metrics.items()}
    ticks = ticks_of(store, hour)
    rows = aggregate(ticks, hour, expected=2, kinds=kinds)
    consent = Consent(ConsentLevel.EXTENDED, CATALOG.field_list_version)
    records = consented(rows, CATALOG, consent, Pseudonyms(b"0" * 32)).records
    assert any(record.metric_name == "clientside.requests" for record in records)
    identity = Identity(InstanceId("i"), NodeId("n"), "jira", "10")
    batches = seal(records, identity, hour, 0, consent, "1", NOW)
    seen = repr(ticks) + repr(reading) + "".join(gzip.decompress(batch.body).decode() for batch in batches)
    store.close()
    raw = b"".join(path.read_bytes() for path in (place / "state").iterdir())
    seen += raw.decode("latin-1") + json.dumps(reading.checkpoint) + "".join(capfd.readouterr())
    for word in PLANTED:
        assert word not in seen


@pytest.fixture
def real_tomcat(tmp_path: Path) -> Iterator[WebServer]:
    """Debian's Tomcat 10 with Jira's pattern and one slow page."""
    with web_server(tmp_path / "tomcat") as running:
        yield running


def test_lines_of_a_real_tomcat_10(real_tomcat: WebServer, place: Path) -> None:
    """Tomcat 10 writes microseconds for %D: pages of 300 ms come out as 300 ms, 404s as 4xx, and every line is read."""
    settings = settings_of(place)
    own = ClientsideSettings(install=real_tomcat.base, smallest_group=5)
    source = open_source("clientside", Settings(settings.instance, agent=settings.agent, clientside=own), CATALOG)
    real_tomcat.wait_for_lines(1)
    accepted(source)
    for _ in range(5):
        assert real_tomcat.get("/slow.jsp?user=erika") == 200
        assert real_tomcat.get("/browse/ABC-1") == 404
    real_tomcat.wait_for_lines(11)
    found = values(accepted(source))
    assert found[("clientside.requests.by_status", "page", "4xx")] == 5
    assert found[("clientside.requests", "other")] == 5
    assert 290 < found[("clientside.response.p50", "other")] < 450  # type: ignore[operator]  # a number
    assert found[("clientside.log.unread",)] == 0
