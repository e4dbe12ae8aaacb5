"""Personal and private texts planted all over the product: under Basic none of them is kept, shown or sent."""

from __future__ import annotations

import gzip
import re
import threading
import zipfile
from pathlib import Path

import psutil

from agent.catalog import DataType, load_catalog
from agent.model import ConsentLevel
from scripts.demo_product.database import sqlite_database
from scripts.demo_product.processes import Children
from scripts.demo_product.product import TRAP, start_jvm
from scripts.demo_product.rows import NODE, SERVER_ID, fill
from tests.support.agent import ISSUES, RunningAgent, running_agent
from tests.support.cloud import KEY, receiver
from tests.support.planting import stored_bytes
from tests.support.servers import require

# `sample` shows the admin at this machine what is read, stored and sent as a keyed hash: what people typed into the
# name of a bean (a mail server, a lock), an app's key, a node, the server ID. It stores and sends nothing.
SHOWN_BY_SAMPLE = ("mail server", "any e-mail", "app", "customer", "node", "server id")
JDBC_PASSWORD = "canary-jdbc-4c1d"
# Planted by scripts/demo_product in tables and MBeans, and by this test in the home.
BASE_URL = {"base URL": rb"jira\.example\.com"}
CANARIES = {
    "user": rb"person\d",
    "display name": rb"Mustermann \d",
    "e-mail": rb"person\d+@",
    "any e-mail": rb"@example\.com",
    "mail server": rb"Mustermann",
    "project": rb"Secret project",
    "project key": rb"DEMO\d",
    "custom field": rb"Customer secret",
    "filter": rb"filter \d",
    "dashboard": rb"dashboard \d",
    "group": rb"department-",
    "issue": rb"Confidential summary",
    "comment": rb"nobody may see",
    "attachment": rb"salaries-",
    "app": rb"customer-z",
    "customer": rb"CUSTOMER-Z",
    "password hash": rb"never-read-this",
    "node": re.escape(NODE.encode()),
    "server id": re.escape(SERVER_ID.encode()),
    "title": rb"Demo of Example",
    "JDBC password": re.escape(JDBC_PASSWORD.encode()),
    "security key": re.escape(KEY.reveal().encode()),
}


class ProcessWatch(threading.Thread):
    """Collects command lines and environments of the agent's processes while they live."""

    def __init__(self, agent: RunningAgent) -> None:
        super().__init__(daemon=True)
        self._agent = agent
        self._stopping = threading.Event()
        self.seen: set[bytes] = set()
        self.names: set[str] = set()

    def run(self) -> None:
        """Look several times a second."""
        while not self._stopping.wait(0.1):
            for process in self._agent.processes():
                try:
                    for name in ("cmdline", "environ"):
                        self.seen.add(Path(f"/proc/{process.pid}/{name}").read_bytes())
                    self.names.add(" ".join(process.cmdline()))
                except (OSError, psutil.Error):
                    continue

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self.join(10)


def kept(agent: RunningAgent) -> bytes:
    """Everything in the state folder: the raw bytes of each file, and every packed value of every table unpacked."""
    return b"\n".join(stored_bytes(agent.state))


def test_no_private_text_is_kept_shown_or_sent(tmp_path: Path) -> None:
    """Under Basic no planted text is in ticks, batches, bundle, preview, status, config, logs or process tables."""
    require("java")
    product = tmp_path / "product"
    product.mkdir()
    database = sqlite_database(product)
    fill(database, ISSUES)
    with (
        receiver(tmp_path / "receiver") as cloud,
        Children(product) as children,
        running_agent(
            tmp_path,
            cloud,
            database=database,
            password=JDBC_PASSWORD,
            jmx__enabled=True,
            sampling__interval="3s",
            sampling__deadline="2900ms",
            hour__length="6s",
        ) as agent,
    ):
        jvm = start_jvm(children, agent.jmx_port)
        agent.link("basic")
        watch = ProcessWatch(agent)
        watch.start()
        agent.start()
        agent.wait(lambda: len(cloud.stored()) >= 2, 60)
        shown = {
            name: agent.run(*command).stdout.encode()
            for name, command in {
                "status": ["status"],
                "status --json": ["status", "--json"],
                "preview": ["preview"],
                "config": ["config", "show"],
                "bundle": ["bundle"],
                "sample": ["sample"],
            }.items()
        }
        assert agent.stop() == 0
        watch.stop()
        bundle = next((agent.state / "bundles").glob("*.zip"))
        with zipfile.ZipFile(bundle) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        places = {
            "ticks": kept(agent),
            "batches": b"".join(gzip.decompress(cloud.body(batch_id)) for batch_id in cloud.stored()),
            "bundle": b"".join(members.values()) + " ".join(members).encode(),
            "log": agent.log_file.read_bytes(),
            "receiver": (cloud.folder / "log.jsonl").read_bytes(),
            "processes": b"\n".join(watch.seen),
            **shown,
        }
        jmx = agent.query("SELECT outcome, samples FROM source_state WHERE source = 'jmx'")
        traps = [line for line in jvm.errors.read_text().splitlines() if line.startswith(TRAP)]
    assert jmx
    assert jmx[0][0] in ("ok", "partial")
    assert jmx[0][1] > 20, "the canaries in MBeans were never near"
    assert any("deliver" in name for name in watch.names)
    assert traps == []
    # The base URL is the one planted text that leaves as it is; only as long as the catalog says so.
    address = load_catalog("jira").metrics["instance.base_url"]
    kept_by_catalog = address.consent is ConsentLevel.BASIC and address.data_type is DataType.URL
    canaries = CANARIES if kept_by_catalog else CANARIES | BASE_URL
    found = [
        f"{canary} in {place}: ...{text[max(hit.start() - 60, 0) : hit.end() + 30]!r}"
        for place, text in places.items()
        for canary, pattern in canaries.items()
        if not (place == "sample" and canary in SHOWN_BY_SAMPLE) and (hit := re.search(pattern, text))
    ]
    assert not found, "\n".join(found)
