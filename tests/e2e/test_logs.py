"""Access logs in the real daemon: every request counted once, through rotation, kill -9, damage and small groups."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.model import Hour, Tick
from agent.store.ticks import ticks_of
from tests.e2e.test_owner import SERVICE, open_folder, python
from tests.support.access_logs import jira_line, make_install
from tests.support.agent import RunningAgent, arrived, running_agent
from tests.support.cloud import receiver
from tests.support.web_server import EACH_SECOND, WebServer, web_server

__all__ = ["open_folder", "python"]  # fixtures

CLASS_OF = {
    "/rest/found.txt": "rest",
    "/rest/broken.jsp": "rest",
    "/browse/DEMO-1": "page",
    "/download/attachments/a.txt": "attachment",
    "/slow.jsp": "other",
}
QUICK = {"sampling__interval": "1s", "sampling__deadline": "900ms", "clientside__smallest_group": 1}
MIB = 1024 * 1024


def told(tick: Tick) -> dict[tuple[str, ...], float]:
    """The numbers of the source in one tick, by metric and tags."""
    return {
        (sample.series.metric, *(value for _, value in sample.series.tags)): sample.value  # type: ignore[misc]
        for sample in tick.samples
        if sample.series.source == "clientside"
    }


def all_ticks(agent: RunningAgent) -> list[Tick]:
    """Every stored tick, oldest first."""
    with agent.store() as store:
        hours = [row[0] for row in store.execute("SELECT DISTINCT hour_s FROM tick ORDER BY hour_s")]
        return [tick for hour in hours for tick in ticks_of(store, Hour(datetime.fromtimestamp(hour, UTC)))]


def newest(agent: RunningAgent) -> dict[tuple[str, ...], float]:
    """The newest numbers of the source."""
    return next((found for tick in reversed(all_ticks(agent)) if (found := told(tick))), {})


def requests(agent: RunningAgent, kind: str = "rest") -> float:
    """The newest count of a class."""
    return newest(agent).get(("clientside.requests", kind), -1)


def entries(documents: list[dict[str, Any]], metric: str) -> list[dict[str, Any]]:
    """The entries of one metric in what arrived, each hour in its latest revision."""
    latest = {(one["window"]["start"], one.get("part", 0)): one for one in documents}
    return [entry for one in latest.values() for entry in one["entries"] if entry["metricName"] == metric]


def append(path: Path, octets: bytes) -> None:
    """Write as a product does: at the end."""
    with open(path, "ab") as stream:
        stream.write(octets)


def rest_lines(first: int, count: int) -> bytes:
    """So many requests of class "rest"."""
    return b"".join(jira_line(number) for number in range(first, first + count))


def browse(server: WebServer, times: int) -> Counter[tuple[str, str]]:
    """Requests in random order; how many of each class got which status."""
    seen: Counter[tuple[str, str]] = Counter()
    for path in random.Random(3).choices(list(CLASS_OF), k=times):
        status = server.get(path)
        seen[CLASS_OF[path], f"{status // 100}xx"] += 1
    return seen


def test_figures_of_the_hours_are_what_the_client_did(tmp_path: Path) -> None:
    """Tomcat 10 logs while the daemon reads, with a new file each second; the hours that arrive in the cloud add up to
    the client's own counts by class and status, and pages of 300 ms are 300 ms, not 300,000 (%D of Tomcat 10)."""
    with (
        web_server(tmp_path / "tomcat", file_date_format=EACH_SECOND) as server,
        receiver(tmp_path / "receiver") as cloud,
        running_agent(tmp_path, cloud, clientside__install=str(server.base), **QUICK) as agent,
    ):
        agent.link()
        agent.start()
        agent.wait(lambda: newest(agent))
        began, counted = time.monotonic(), Counter[tuple[str, str]]()
        while time.monotonic() < began + 8:
            counted += browse(server, 20)
        server.wait_for_lines(1 + sum(counted.values()))
        agent.wait_ticks(2)
        ticks = all_ticks(agent)
        last_hour = ticks[-1].taken_at.timestamp() // 3 * 3
        agent.wait(lambda: any(_start_s(one) >= last_hour for one in arrived(cloud)))
        documents = arrived(cloud)
        rotated = len(list((server.base / "logs").glob("access_log.*")))
    assert rotated >= 4
    assert len({one["window"]["start"] for one in documents}) >= 3
    arrived_counts: Counter[tuple[str, str]] = Counter()
    for entry in entries(documents, "clientside.requests.by_status"):
        arrived_counts[entry["tags"]["class"], entry["tags"]["status"]] += entry["attributes"].get("delta") or 0
    assert +arrived_counts == counted
    slow = [one["attributes"]["p50"] for one in entries(documents, "clientside.response.p50") if _is(one, "other")]
    assert slow
    assert all(280 < value < 450 for value in slow)
    spent = sum(
        entry["attributes"].get("delta") or 0
        for entry in entries(documents, "clientside.requests.duration_sum")
        if _is(entry, "other")
    )
    assert 300 * counted["other", "2xx"] <= spent < 450 * counted["other", "2xx"]
    assert newest_unread(ticks) == 0


def _start_s(document: dict[str, Any]) -> float:
    return datetime.fromisoformat(document["window"]["start"]).timestamp()


def _is(entry: dict[str, Any], kind: str) -> bool:
    return bool(entry.get("tags", {}).get("class") == kind and entry["attributes"].get("samples"))


def newest_unread(ticks: list[Tick]) -> float:
    """Lines that were not of the pattern's form."""
    return told(ticks[-1])["clientside.log.unread",]


@pytest.mark.fault(1)
def test_killed_while_reading_counts_each_line_once(tmp_path: Path) -> None:
    """kill -9 at random moments of reading a backlog of tens of MB; while it is down the log is renamed, copied and
    truncated, or packed, and grows. In the end the counter is the number of lines written."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    install = make_install(tmp_path / "tomcat10", version="10.1.30")
    log = install / "logs" / "access_log"
    log.write_bytes(jira_line(0))
    batch, written = 60_000, 0
    with running_agent(tmp_path, clientside__install=str(install), hour__length="1h", **QUICK) as agent:
        agent.start()
        agent.wait(lambda: requests(agent) == 0)
        for number in range(6):
            append(log, rest_lines(written, batch))
            written += batch
            time.sleep(moments.uniform(0.0, 1.5))  # the moment itself is what is tried
            agent.kill()
            append(log, rest_lines(written, 100))
            written += 100
            aside = log.with_name(f"access_log.{number + 1}")
            if number % 3 == 0:
                log.rename(aside)
            elif number % 3 == 1:
                shutil.copyfile(log, aside)
                os.truncate(log, 0)
            else:
                with open(log, "rb") as plain, gzip.open(f"{aside}.gz", "wb", compresslevel=1) as packed:
                    shutil.copyfileobj(plain, packed)
                log.unlink()
            append(log, rest_lines(written, 100))
            written += 100
            agent.start(ticks=0)
        agent.wait(lambda: requests(agent) >= written, 60)
        agent.wait_ticks(2)
        assert requests(agent) == written, f"seed {seed}"
        assert agent.stop() == 0


def test_truncated_and_damaged_logs(tmp_path: Path) -> None:
    """A log cut to nothing begins anew; a hole of 1 GiB and a line of 64 MiB are passed over with little memory; the
    lines around them count, and the agent's other sources have every tick."""
    install = make_install(tmp_path / "tomcat10", version="10.1.30")
    log = install / "logs" / "access_log"
    log.write_bytes(jira_line(0))
    with running_agent(tmp_path, clientside__install=str(install), hour__length="1h", **QUICK) as agent:
        agent.start()
        append(log, rest_lines(0, 100))
        agent.wait(lambda: requests(agent) == 100)
        os.truncate(log, 0)
        append(log, rest_lines(500, 50))
        agent.wait(lambda: requests(agent) == 150)
        daemon = next(one for one in agent.processes() if "agent.runtime" in one.cmdline())
        before = daemon.memory_info().rss
        os.truncate(log, log.stat().st_size + 1024 * MIB)
        append(log, b"\n" + rest_lines(600, 30))
        append(log, b"x" * 64 * MIB + b"\n" + rest_lines(700, 20))
        agent.wait(lambda: requests(agent) == 200, 90)
        assert daemon.memory_info().rss - before < 8 * MIB
        ticks = all_ticks(agent)
        assert all(any(item.series.source == "host" for item in tick.samples) for tick in ticks)
        assert agent.stop() == 0


def test_log_that_may_not_be_read_is_told(open_folder: Path, python: str) -> None:
    """The log belongs to another account: status names the folder, why, and the command; then it heals by itself."""
    install = make_install(open_folder / "tomcat10", version="10.1.30")
    log = install / "logs" / "access_log"
    log.write_bytes(jira_line(0))
    log.chmod(0o600)
    with running_agent(open_folder, python=python, clientside__install=str(install), **QUICK) as agent:
        for place in (agent.home, agent.shared_home, agent.config):
            for path in (place, *place.rglob("*")):
                os.chown(path, SERVICE, SERVICE)
        agent.state.mkdir(mode=0o700, exist_ok=True)
        os.chown(agent.state, SERVICE, SERVICE)
        agent.start(ticks=2)
        problem = agent.problem(str(install / "logs"))
        assert problem is not None
        assert "may not be read" in problem["why"]
        assert "setfacl" in problem["do"]
        assert "may not be read" in agent.run("status").stdout
        log.chmod(0o644)
        agent.wait_ticks(2)
        append(log, rest_lines(0, 60))
        agent.wait(lambda: requests(agent) >= 60)
        assert agent.problem(str(install / "logs")) is None
        assert agent.stop() == 0


def test_no_small_group_in_ticks_or_batches(tmp_path: Path) -> None:
    """Groups of fewer than five, dropped in tick by tick: no two ticks and no two hours differ by one to four requests
    of a class, status, duration or page, and no share has one to four errors in it. What waits comes later, whole."""
    install = make_install(tmp_path / "tomcat10", version="10.1.30")
    log = install / "logs" / "access_log"
    log.write_bytes(jira_line(0))
    chance = random.Random(11)
    paths = {"/login.jsp": "login", "/rest/api": "rest", "/scm/x": "scm", "/status": "health"}
    written: Counter[str] = Counter()
    slow = {**QUICK, "clientside__smallest_group": 5}
    with (
        receiver(tmp_path / "receiver") as cloud,
        running_agent(tmp_path, cloud, clientside__install=str(install), **slow) as agent,
    ):
        apdex = agent.home / "log" / "atlassian-jira-apdex.log"
        apdex.parent.mkdir(exist_ok=True)
        agent.link()
        agent.start()
        agent.wait(lambda: newest(agent))
        for _ in range(14):
            for path, kind in paths.items():
                for _ in range(chance.randrange(4)):
                    append(log, jira_line(1, path, chance.choice((200, 200, 404, 500)), chance.randrange(900_000)))
                    written[kind] += 1
            views = ", ".join(
                f"{kind}Count={chance.randrange(4)}" for kind in ("satisfied", "tolerating", "frustrated")
            )
            line = f"2026-11-22 10:00:00,123+0000 category: jira.dashboard, apdex: {{apdexScore=1, {views}}}\n"
            append(apdex, line.encode())
            agent.wait_ticks(1)
        agent.wait(lambda: len(arrived(cloud)) >= 4)
        ticks, documents = all_ticks(agent), arrived(cloud)
    counters = ("clientside.requests", "clientside.requests.by_status", "clientside.requests.by_duration")
    counters += ("clientside.apdex.views", "clientside.log.unread")
    before: dict[tuple[str, ...], float] = {}
    for found in map(told, ticks):
        grown = {key: value - before.get(key, 0) for key, value in found.items() if key[0] in counters}
        assert all(value == 0 or value >= 5 for value in grown.values()), grown
        before.update(found)
    deltas = [
        entry["attributes"]["delta"]
        for metric in counters
        for entry in entries(documents, metric)
        if entry["attributes"].get("delta") is not None
    ]
    assert any(deltas)
    assert all(delta == 0 or delta >= 5 for delta in deltas)
    for kind, count in written.items():
        assert 0 <= count - before["clientside.requests", kind] < 5
