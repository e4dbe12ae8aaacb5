"""The source on real files: exactly once through crashes, small groups kept back, no personal word anywhere."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import pytest

from agent.aggregation import aggregate
from agent.batching import seal
from agent.catalog import load_catalog
from agent.consent import Pseudonyms
from agent.errors import SourceError
from agent.model import Consent, ConsentLevel, Hour, Identity, InstanceId, NodeId, Outcome, Reading, SourceReport, Tick
from agent.settings import AgentSettings, ClientsideSettings, InstanceSettings, ProductType, Settings
from agent.sources.clientside.figures import Requests
from agent.sources.clientside.forms import Form
from agent.sources.clientside.pattern import compile_pattern
from agent.sources.clientside.source import ClientSide
from agent.sources.clientside.tomcat import read_valve
from agent.sources.registry import open_source
from agent.store import open_store
from agent.store.ticks import TickWriter, ticks_of
from tests.support.access_logs import CONFLUENCE, PLANTED, bitbucket_lines, jira_line, make_install
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
        clientside=ClientsideSettings(**{"install": place / "install", **own}),  # type: ignore[arg-type]  # the tests' own
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


def test_apdex_log_that_is_not_there_or_of_another_form(place: Path) -> None:
    """No file: not present. Lines of which none is of the form: that is said, in place of "not due" for ever."""
    log = place / "home" / "log" / "atlassian-jira-apdex.log"
    log.unlink()
    source = source_of(place)
    assert reasons(accepted(source))["clientside.apdex.views"] == "not-present"
    log.write_text("")
    accepted(source)
    append(log, b'{"category": "overall", "apdexScore": 90}\n')
    assert reasons(accepted(source))["clientside.apdex.score"] == "mostly-unread"
    append(log, (APDEX % ("overall", 8)).encode() * 2)
    assert reasons(accepted(source)).get("clientside.apdex.score") != "mostly-unread"


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


def reasons(reading: Reading) -> dict[str, str]:
    """Why each metric is missing."""
    return {failure.metric: failure.reason for failure in reading.failures if failure.metric}


def told(reading: Reading) -> str:
    """All words for a person."""
    return "\n".join(failure.detail for failure in reading.failures)


COUNTS = ("clientside.requests", "clientside.requests.by_status", "clientside.requests.by_duration")


def test_log_without_a_file_gives_no_zero(place: Path) -> None:
    """The valve names files that are not there: not present, with the names and the folder; read when one comes."""
    access_log(place).unlink()
    (place / "install" / "logs" / "access_log").unlink()
    source = source_of(place)
    reading = accepted(source)
    assert {reasons(reading)[name] for name in COUNTS} == {"not-present"}
    assert "access_log.yyyy-MM-dd in" in told(reading)
    assert not any(key[0] in COUNTS for key in values(reading))
    access_log(place).write_bytes(jira_line(0) * 7)
    accepted(source)
    append(access_log(place), jira_line(0) * 7)
    assert values(accepted(source))[("clientside.requests", "rest")] >= 7


@pytest.mark.parametrize("before", [0, 40])
def test_lines_of_another_form_give_no_counts(place: Path, before: int) -> None:
    """Most lines are not of the form that the valve says, from the first look on or later: no count, no zero, the
    reason, the place and what to do; counted again when most fit again, and no line is lost."""
    other = b"192.0.2.1 what is this 200\n"
    access_log(place).write_bytes(other * before)
    source = source_of(place)
    first = accepted(source)
    assert (reasons(first).get("clientside.requests") == "mostly-unread") == bool(before)
    append(access_log(place), other * 30 + jira_line(1) * 9)
    reading = accepted(source)
    assert {reasons(reading)[name] for name in (*COUNTS, "clientside.response.p95")} == {"mostly-unread"}
    assert not any(key[0] in COUNTS for key in values(reading))
    assert values(reading)[("clientside.log.unread",)] == 30
    assert "server.xml line 2" in told(reading)
    assert " Do: Restart the product" in told(reading)
    append(access_log(place), jira_line(1) * 50)
    assert values(accepted(source))[("clientside.requests", "rest")] == 59


def test_verdict_on_the_form_outlives_a_restart(place: Path) -> None:
    """A restarted agent does not tell a zero until it has seen enough lines again."""
    source = source_of(place)
    accepted(source)
    append(access_log(place), b"192.0.2.1 what is this 200\n" * 30)
    checkpoint = accepted(source).checkpoint
    again = source_of(place)
    again._load_checkpoint = lambda: checkpoint
    assert reasons(accepted(again))["clientside.requests"] == "mostly-unread"


@pytest.mark.parametrize(("pattern", "version"), [('%h "%r" %s %T', "10.1.1"), ('%h "%r" %s %{s}T', "11.0.1")])
def test_whole_seconds_give_no_durations(place: Path, pattern: str, version: str) -> None:
    """Nine of ten requests would have taken 0: percentiles, steps and sum are missing with the reason; counts stand."""
    install = make_install(place / "other", pattern=pattern, version=version)
    source = source_of(place, install=install)
    accepted(source)
    append(install / "logs" / "access_log", b'192.0.2.1 "GET /browse/A-1 HTTP/1.1" 200 0\n' * 20)
    reading = accepted(source)
    assert values(reading)[("clientside.requests.by_status", "page", "2xx")] == 20
    names = ("requests.duration_sum", "requests.by_duration", "response.p50", "response.p95", "response.p99")
    assert {reasons(reading)[f"clientside.{name}"] for name in names} == {"too-coarse"}
    assert not any("duration" in str(key[0]) or "response" in str(key[0]) for key in values(reading))


def test_code_of_apache_is_named(place: Path) -> None:
    """%>s: Tomcat writes question marks for it. Requests count, the status is missing and the cause is said."""
    install = make_install(place / "other", pattern='%h "%r" %>s %b %D', version="10.1.1")
    source = source_of(place, install=install)
    accepted(source)
    append(install / "logs" / "access_log", b'192.0.2.1 "GET /browse/A-1 HTTP/1.1" ???>???s 7 41000\n' * 20)
    reading = accepted(source)
    assert values(reading)[("clientside.requests", "page")] == 20
    assert reasons(reading)["clientside.requests.by_status"] == "not-supported"
    assert "Tomcat does not know %>s. Do: Write %s in place of it" in told(reading)


def test_several_valves_are_told(place: Path) -> None:
    """Which one is read, and why each other one is not."""
    path = place / "install" / "conf" / "server.xml"
    valve = '<Valve className="org.apache.catalina.valves.AccessLogValve" pattern="common" prefix="x"/>'
    path.write_text(path.read_text().replace("<Host>", "<Host>" + valve))
    reading = accepted(source_of(place))
    assert [failure.reason for failure in reading.failures if not failure.metric] == ["passed-over"]
    assert "has no duration" in told(reading)


def test_bitbuckets_own_log(place: Path) -> None:
    """A request counts once, by its outgoing line; SSH, Mesh and incoming lines are neither counted nor missed; text
    of a user moves nothing; rolled files are the same log."""
    settings = Settings(
        InstanceSettings(ProductType.BITBUCKET, place / "home", place / "home"),
        agent=AgentSettings(state_dir=place / "state"),
    )
    log = place / "home" / "log" / "atlassian-bitbucket-access.log"
    log.write_bytes(bitbucket_lines("GET /status HTTP/1.1", 200))
    source = open_source("clientside", settings, load_catalog("bitbucket"))
    assert isinstance(source, ClientSide)
    accepted(source)
    append(log, bitbucket_lines("GET /projects/A/repos/b/browse?at=x HTTP/1.1", 200, 120) * 10)
    append(log, bitbucket_lines("GET /rest/api/latest?x=|500|1|1|-|99999|x| HTTP/1.1", 404) * 5)
    append(log, bitbucket_lines("POST /scm/a/b.git/git-upload-pack HTTP/1.1", 503, labels="clone, cache:miss") * 5)
    append(
        log,
        b"192.0.2.1 | ssh | o*1ABCx6x7x0 | erika | 2026-11-22 10:00:00,123 | SSH - git-upload-pack '/a/b.git' | - | 0 "
        b"| 123 | 1024 | cache:miss | 1cl58rd |\n"
        b'192.0.2.1 | grpc | o*1ABCx6x7x0 | - | erika | 2026-11-22 10:00:00,123 | "A/B" | - | 0 | 1 | 2 | 3 | 4 | 5 |'
        b" - | x |\n",
    )
    os.rename(log, log.with_name("atlassian-bitbucket-access-2026-11-22.0.log"))
    log.write_bytes(bitbucket_lines("GET /users/x HTTP/2.0", 302) * 5)
    found = values(accepted(source))
    assert found[("clientside.requests.by_status", "page", "2xx")] == 10
    assert found[("clientside.requests.by_status", "page", "3xx")] == 5
    assert found[("clientside.requests.by_status", "scm", "5xx")] == 5
    fifths = [value for key, value in found.items() if key[0] == "clientside.requests.by_status" and key[2] == "5xx"]
    assert sum(fifths) == 5  # type: ignore[arg-type]  # counts
    assert found[("clientside.log.unread",)] == 0
    assert 112 < found[("clientside.response.p50", "page")] < 128  # type: ignore[operator]  # a number


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


VALVES = (
    ("AccessLogValve", "open", CONFLUENCE),
    ("JsonAccessLogValve", "json", "%h %u %t %r %s %D %U %q %{User-Agent}i %{jira.request.username}r"),
    (
        "ExtendedAccessLogValve",
        "w3c",
        "date time cs-method cs-uri sc-status time-taken-ms cs(User-Agent) sc(X-A)",
    ),
    ("AccessLogValve", "bars", "%{yyyy-MM-dd HH:mm:ss.SSS}t|%m|%s|%{ms}T|%U|%{User-Agent}i"),
)
FORGED = 'z q GET /rest/y HTTP/1.1 500 99999ms w", "statusCode":"500" \\" ü'
ODD = (
    (b"get /lower HTTP/1.1\r\nHost: x", 501),
    (b"VERSION-CONTROL /vc HTTP/1.1\r\nHost: x", 501),
    (b"OPTIONS * HTTP/1.1\r\nHost: x", 200),
    (b"CONNECT h.example.com:443 HTTP/1.1\r\nHost: h.example.com:443", 501),
    (b"GET http://h.example.com/abs HTTP/1.1\r\nHost: h.example.com", 404),
    (b"GET /a b HTTP/1.1\r\nHost: x", 400),
    (b"GET /a{b HTTP/1.1\r\nHost: x", 400),
    (b'G"T /q HTTP/1.1\r\nHost: x', 400),
    (b"GET /foo HTTP/9.9\r\nHost: x", 505),
    (b'GET /foo FOO "x" 500 1 2\r\nHost: x', 400),
    (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    (b"GET nopath HTTP/1.1\r\nHost: x", 400),
    (b"GET /nohost HTTP/1.1", 400),
    (b"GET /" + b"u" * 20_000 + b" HTTP/1.1\r\nHost: x", 400),
    (b"GET /p[x]|y HTTP/1.1\r\nHost: x", 404),
    (b'GET /x?a="b"&c=","statusCode":"500 HTTP/1.1\r\nHost: x', 404),
    (b"GET /h HTTP/1.1\r\nHost: x\r\nUser-Agent: a GET /x HTTP/1.1 500", 404),
)


def test_every_form_of_a_real_tomcat_says_what_it_answered(tmp_path: Path, place: Path) -> None:
    """Odd requests and forged users at Debian's Tomcat 10, written by four kinds of valve at once: from each log come
    the statuses of the answers, and no line is unread."""
    more = "".join(
        f'<Valve className="org.apache.catalina.valves.{name}" buffered="false" rotatable="false" prefix="{prefix}" '
        f"pattern={quoteattr(pattern)}/>"
        for name, prefix, pattern in VALVES
    )
    answered: Counter[str] = Counter()
    with web_server(tmp_path / "tomcat", more=more) as server:
        chosen = read_valve(server.base)
        layout = (server.base / "conf" / "server.xml").read_text()
        logs = [(chosen.folder, chosen.accepts, chosen.reader())]
        for name, prefix, pattern in VALVES:
            form = {"J": Form.JSON, "E": Form.EXTENDED}.get(name[0], Form.PLAIN)
            logs.append((chosen.folder, prefix.__eq__, compile_pattern(pattern, "", 10, form)))
        server.wait_for_lines(5 + 3)  # the first request in each, and three of the W3C form that are none
        answered["2xx"] += 1
        for octets, status in ODD:
            assert server.send(octets + b"\r\nConnection: close\r\n\r\n") == status
            answered[f"{status // 100}xx"] += 1
        for status in (200, 204, 302, 404, 503):
            assert server.get(f"/user.jsp?s={status}&u={quote(FORGED)}") == status
            answered[f"{status // 100}xx"] += 1
        server.wait_for_lines(5 * sum(answered.values()) + 3)
    assert layout.count("<Valve") == len(chosen.passed_over) + 1
    for folder, accepts, reader in logs:
        lines = b"".join(path.read_bytes() for path in folder.iterdir() if accepts(path.name))
        rows = reader.rows(lines)
        figures = Requests(1)
        figures.count(rows, reader.order, reader.unit_us)
        counted = Counter[str]()
        for metric, value, tags in figures.tell():
            if metric == "clientside.requests.by_status":
                counted[dict(tags)["status"]] += value  # type: ignore[assignment]  # a count
        assert (+counted, reader.unread(lines, len(rows))) == (answered, 0), reader.expression.pattern
