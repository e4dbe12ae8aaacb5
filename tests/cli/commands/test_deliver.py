"""deliver, preview and bundle with a real store and a real receiver."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.delivery.bundle import verify_bundle
from agent.model import ConsentLevel
from agent.store import ledger, open_store, outbox
from tests.support.cloud import KEY, ROOT, Receiver, receiver, wait_until
from tests.support.servers import require
from tests.support.site import Agent, link_as, make_site


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Receiver]:
    with receiver(tmp_path / "receiver") as running:
        yield running


def linked(folder: Path, cloud: Receiver, level: str = "basic") -> Agent:
    """A linked agent with hours of two seconds."""
    text = f'endpoint = "{cloud.settings.endpoint}"\nca_file = "{cloud.settings.ca_file}"\nlocation = "eu"'
    agent = make_site(folder, cloud=text, hour="2s")
    done = agent.run("link", "--consent", level, "--yes", key=KEY.reveal() + "\n")
    assert done.code == 0, done.err
    return agent


def one_hour(agent: Agent, heap: int = 1000) -> None:
    """Store a tick and wait until its hour is over."""
    ends = agent.tick(heap)
    wait_until(lambda: datetime.now(UTC) >= ends)


def test_linked_hour_arrives(tmp_path: Path, cloud: Receiver) -> None:
    """Linked: the hour is closed, sealed and acknowledged; what arrived is what preview shows; nothing goes twice."""
    agent = linked(tmp_path, cloud)
    one_hour(agent)
    report = agent.json("deliver")
    assert (report["hoursClosed"], report["batchesAcknowledged"], report["batchesWaiting"]) == (1, 1, 0)
    (batch_id,) = cloud.stored()
    arrived = gzip.decompress(cloud.body(batch_id)).decode()
    preview = agent.run("preview")
    assert preview.out == arrived
    assert f"batch {batch_id}: acknowledged" in preview.err
    assert agent.json("deliver")["batchesAcknowledged"] == 0
    assert len([line for line in cloud.log() if line["call"] == "batches"]) == 1


def test_preview_before_linking_is_what_is_sent_after(tmp_path: Path, cloud: Receiver) -> None:
    """Unlinked, preview shows the entries that leave later, entry for entry (T3)."""
    text = f'endpoint = "{cloud.settings.endpoint}"\nca_file = "{cloud.settings.ca_file}"'
    agent = make_site(tmp_path, cloud=text, hour="2s")
    one_hour(agent)
    assert agent.run("deliver").code == 4, "not linked"
    shown = agent.json("preview", "--level", "basic")
    assert shown["batches"][0]["state"] == "would be sent"
    entries = shown["batches"][0]["document"]["entries"]
    assert {entry["metricName"] for entry in entries} == {"jvm.memory.heap.used", "tomcat.sessions.rejected"}
    assert "/jira" not in json.dumps(entries)
    assert cloud.log() == []
    assert outbox.size(open_store(agent.settings.agent.state_dir, read_only=True)).waiting == 0


def test_diff_shows_what_extended_adds(tmp_path: Path) -> None:
    """--diff shows, entry by entry, what Extended gives over Basic, of an hour that was stored under Extended."""
    agent = make_site(tmp_path)
    link_as(agent, ConsentLevel.EXTENDED)
    agent.tick(at=datetime.now(UTC) - timedelta(hours=2))
    agent.run("deliver", "--no-push")
    lines = agent.json("preview", "--diff")["diff"]
    assert [line for line in lines if line.startswith("+{") and '"context":"/jira"' in line]
    assert not [line for line in lines if line.startswith("-{") and '"context":"/jira"' in line]
    assert '"context":"/jira"' in agent.run("preview", "--level", "extended").out
    assert '"context":"/jira"' not in agent.run("preview", "--level", "basic").out
    assert agent.run("preview", "--level", "everything").code == 2


def test_diff_cannot_show_a_name_that_basic_has_hashed(tmp_path: Path) -> None:
    """Under Basic names are not stored, so no preview of this hour, at whatever level, can bring one back."""
    agent = make_site(tmp_path)
    agent.tick(at=datetime.now(UTC) - timedelta(hours=2))
    agent.run("deliver", "--no-push")
    assert "/jira" not in json.dumps(agent.json("preview", "--diff")["diff"])
    assert '"context":"/jira"' not in agent.run("preview", "--level", "extended").out


def test_nothing_to_show_yet(tmp_path: Path) -> None:
    """Before the first hour is closed, preview and bundle say so and what to run instead."""
    agent = make_site(tmp_path)
    agent.tick()
    for command in ("preview", "bundle"):
        done = agent.run(command)
        assert done.code == 1
        assert "no hour" in done.err.lower()


def test_offline_makes_no_connection_and_bundles(tmp_path: Path) -> None:
    """Offline: deliver writes the bundle that is due, in a network namespace that has no network at all (T2)."""
    require("strace")
    require("unshare")
    agent = make_site(tmp_path, mode="offline")
    agent.tick(at=datetime.now(UTC) - timedelta(hours=2))
    command = ["unshare", "--user", "--map-root-user", "--net", "strace", "-f", "-e", "trace=connect", "-o"]
    trace = tmp_path / "trace"
    full = [*command, str(trace), sys.executable, "-m", "agent.cli", "deliver", "--json", "--config", str(agent.config)]
    done = subprocess.run(full, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    path = Path(json.loads(done.stdout)["bundle"])
    manifest = verify_bundle(path)
    assert manifest["consent"]["level"] == "basic"
    assert "AF_INET" not in trace.read_text()
    rows = ledger.rows(open_store(agent.settings.agent.state_dir, read_only=True))
    assert [(row.way, row.destination) for row in rows] == [("bundle", path.name)]


def test_bundle_by_hand_holds_the_batch_that_was_pushed(tmp_path: Path, cloud: Receiver) -> None:
    """The bundle of a linked instance holds the very documents that were pushed, under the same ids."""
    agent = linked(tmp_path, cloud, "extended")
    one_hour(agent)
    agent.json("deliver")
    path = Path(agent.json("bundle", "--output", str(tmp_path / "out"))["bundle"])
    assert path.parent == tmp_path / "out"
    manifest = verify_bundle(path)
    assert manifest["consent"]["level"] == "extended"
    (batch_id,) = cloud.stored()
    with zipfile.ZipFile(path) as archive:
        (name,) = [name for name in archive.namelist() if batch_id in name]
        assert archive.read(name) == gzip.decompress(cloud.body(batch_id))
    assert KEY.reveal() not in "".join(str(item) for item in manifest.values())


def test_cloud_down_keeps_everything(tmp_path: Path, cloud: Receiver) -> None:
    """With the cloud down, deliver exits 3 and says why; when it is back, every hour arrives once, oldest first."""
    agent = linked(tmp_path, cloud)
    cloud.kill()
    for number in range(2):
        one_hour(agent, 1000 + number)
        done = agent.run("deliver")
        assert done.code == 3, done.err
        assert "connection refused" in done.out + done.err
    cloud.start()
    assert agent.json("deliver")["batchesAcknowledged"] == 2
    windows = [
        json.loads(gzip.decompress(cloud.body(line["id"])))["window"]["start"]
        for line in cloud.log()
        if line["call"] == "batches"
    ]
    assert len(windows) == 2
    assert windows == sorted(windows)


def test_term_with_a_request_in_flight(tmp_path: Path, cloud: Receiver) -> None:
    """SIGTERM while the receiver is silent: the run ends at once, the batch waits (G10)."""
    agent = linked(tmp_path, cloud)
    one_hour(agent)
    cloud.control(mode="blackhole", calls=["batches"])
    command = [sys.executable, "-m", "agent.cli", "deliver", "--scheduled", "--config", str(agent.config)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: any(line["call"] == "batches" for line in cloud.log()))
    began = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=20)
    assert time.monotonic() - began < 5
    cloud.control()
    assert agent.json("deliver")["batchesAcknowledged"] == 1


def test_lowered_consent_is_kept_before_the_next_push(tmp_path: Path, cloud: Receiver) -> None:
    """What waited under Extended leaves as Basic after `consent set basic`, and never as it was."""
    agent = linked(tmp_path, cloud, "extended")
    one_hour(agent)
    agent.json("deliver", "--no-push")
    done = agent.run("consent", "set", "basic", "--yes")
    assert done.code == 0, done.err
    report = agent.json("deliver")
    assert report["batchesAcknowledged"] == 1
    (batch_id,) = cloud.stored()
    document = json.loads(gzip.decompress(cloud.body(batch_id)))
    assert document["consent"]["level"] == "basic"
    assert "/jira" not in json.dumps(document)


@pytest.mark.parametrize("command", ["deliver", "preview", "bundle"])
def test_help_ends_with_codes_and_an_example(command: str, tmp_path: Path) -> None:
    """Help names the exit codes and an example."""
    done = make_site(tmp_path).run(command, "--help")
    assert done.code == 0
    assert "Exit codes: 0" in done.out
    assert f"Example: portfolio-agent {command}" in done.out


JNDI = (
    "<jira-database-config><database-type>postgres72</database-type>"
    "<jndi-datasource><jndi-name>java:comp/env/jdbc/JiraDS</jndi-name></jndi-datasource></jira-database-config>"
)


@pytest.mark.parametrize("dbconfig", [JNDI, "<jira-database-config>", None])
def test_hour_and_bundle_need_nothing_of_the_database(tmp_path: Path, dbconfig: str | None) -> None:
    """Delivery and bundle read node and cluster only: a database by JNDI, or a file that is broken, stops neither."""
    agent = make_site(tmp_path, mode="offline")
    file = agent.settings.instance.home / "dbconfig.xml"
    if dbconfig is None:
        file.unlink()
    else:
        file.write_text(dbconfig)
    agent.tick(at=datetime.now(UTC) - timedelta(hours=2))
    assert agent.json("deliver")["hoursClosed"] == 1
    assert verify_bundle(Path(agent.json("bundle", "--output", str(tmp_path / "out"))["bundle"]))


def test_an_unreadable_node_file_holds_the_hour(tmp_path: Path) -> None:
    """A file that tells the node's name and cannot be read: no name is made up; what the admin says goes first."""
    agent = make_site(tmp_path, mode="offline")
    file = agent.settings.instance.home / "cluster.properties"
    file.mkdir()
    agent.tick(at=datetime.now(UTC) - timedelta(hours=2))
    done = agent.run("deliver")
    assert done.code == 10
    assert "cluster.properties" in done.err
    assert "[instance] node and cluster" in done.err
    text = agent.config.read_text()
    agent.config.write_text(text.replace("[instance]", '[instance]\nnode = "one"\ncluster = "no"'))
    assert agent.json("deliver")["hoursClosed"] == 1


def test_without_the_database_an_hour_waits_for_no_turn(tmp_path: Path) -> None:
    """No database, and no file that says whether this is a cluster: the hour is closed when the daemon asks for it."""
    agent = make_site(tmp_path, mode="offline", hour="2s")
    (agent.settings.instance.home / "dbconfig.xml").unlink()
    text = agent.config.read_text().replace('interval = "1s"', 'interval = "2s"').replace('"500ms"', '"1900ms"')
    agent.config.write_text(text + "[database]\nenabled = false\n")
    ends = agent.tick()
    wait_until(lambda: datetime.now(UTC) >= ends)
    assert agent.json("deliver")["hoursClosed"] == 1
