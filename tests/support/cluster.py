"""Real agents of one cluster: a home and a state folder for each, one shared home, one database of the product."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.catalog import load_catalog
from agent.errors import StoreError
from agent.product.instance.identity import ensure_instance
from agent.settings import Settings
from agent.settings.load import load_settings
from agent.store import open_store, outbox
from agent.store.cluster import ClusterState, cluster_state
from agent.store.database import FILE_NAME
from agent.store.hours import ClosedHour, closed_hours
from tests.support.cloud import ROOT
from tests.support.homes import write_home
from tests.support.product_homes import FILES, write_product_home

WINDOW_S = 5


@dataclass
class Node:
    """One agent and, while it runs, its process."""

    name: str
    config: Path
    settings: Settings
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Run the resident process."""
        command = [sys.executable, "-m", "agent.runtime", "--config", str(self.config)]
        with open(self.log, "ab") as log:
            environment = {**os.environ, "PYTHONWARNINGS": "error"}
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """SIGKILL: no chance to give anything back."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def stop(self) -> None:
        """SIGTERM, as systemd does it; SIGKILL after ten seconds."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None

    def state(self) -> ClusterState | None:
        """What it last recorded about its turn."""
        return self._asked(cluster_state)

    def hours(self) -> list[ClosedHour]:
        """The hours it closed."""
        return self._asked(closed_hours) or []

    def entries(self, kind: str = "GUARDRAILS") -> list[tuple[str, str]]:
        """(hour, metric) of every entry of one type in the outbox."""
        return [(entry["timestamp"], entry["metricName"]) for entry in self.sealed() if entry["type"] == kind]

    def sealed(self) -> list[dict[str, Any]]:
        """Every entry in the outbox."""
        documents = self._asked(lambda store: [_document(batch.body) for batch in outbox.waiting(store)]) or []
        return [entry for document in documents for entry in document["entries"]]

    def status(self) -> dict[str, Any]:
        """What `status --json` says."""
        command = [sys.executable, "-m", "agent.cli", "status", "--json", "--config", str(self.config)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        return dict(json.loads(done.stdout))

    def _asked(self, question: Callable[[Any], Any]) -> Any:
        if not (self.settings.agent.state_dir / FILE_NAME).exists():
            return None
        store = open_store(self.settings.agent.state_dir, read_only=True)
        try:
            return question(store)
        except StoreError:
            return None  # its tables are being made at this moment
        finally:
            store.close()


def _document(body: bytes) -> dict[str, Any]:
    return dict(json.loads(gzip.decompress(body)))


@contextmanager
def cluster(
    folder: Path, url: str, kind: str, user: str, password: str, size: int = 3, product: str = "jira"
) -> Iterator[list[Node]]:
    """The nodes of one instance, all started; stopped on leaving. Only Jira's homes say that they are a cluster."""
    shared = folder / "shared-home"
    shared.mkdir()
    nodes = [_node(folder, shared, number, url, kind, user, password, product) for number in range(1, size + 1)]
    ensure_instance(nodes[0].settings.link_dir)
    try:
        for node in nodes:
            node.start()
        yield nodes
    finally:
        for node in nodes:
            node.stop()


def _node(folder: Path, shared: Path, number: int, url: str, kind: str, user: str, password: str, product: str) -> Node:
    own = folder / f"node-{number}"
    own.mkdir()
    text = f"jira.node.id = node-{number}\njira.shared.home = {shared}\n"
    if product == "jira":
        home = write_home(own, url=url, kind=kind, schema="", user=user, password=password, cluster=text)
    else:
        home = write_product_home(own, product, url=url, user=user, password=password)
        if product != "bamboo":  # the file lies in the shared home, one for all nodes
            file = home / FILES[product]
            file.replace(shared / file.name)
    config = own / "agent.toml"
    config.write_text(f"""
[instance]
product = "{product}"
home = "{home}"
shared_home = "{shared}"
[agent]
mode = "offline"
state_dir = "{own / "state"}"
[sampling]
interval = "1s"
deadline = "900ms"
[hour]
length = "{WINDOW_S}s"
close_after = "0s"
[jmx]
enabled = false
[delivery]
retry_for = "0s"
""")
    return Node(f"node-{number}", config, load_settings(config), own / "log")


def wait_for(what: Callable[[], Any], nodes: list[Node], words: str, limit_s: float = 60.0) -> Any:
    """The first true answer of `what`; fails with every agent's log. What happens in other processes tells nobody."""
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        if answer := what():
            return answer
        time.sleep(0.2)
    logs = "\n".join(f"{node.name}: {node.log.read_text()[-3000:]}" for node in nodes)
    raise AssertionError(f"{words} did not happen in {limit_s} s\n{logs}")


def rows_per_hour(nodes: list[Node], product: str = "jira") -> Counter[tuple[str, str, str]]:
    """How many entries over all nodes say the same of one hour, of all that a cluster has once: hour, metric, tags."""
    metrics = load_catalog(product).metrics
    return Counter(
        (entry["timestamp"], entry["metricName"], json.dumps(entry.get("tags", {}), sort_keys=True))
        for node in nodes
        for entry in node.sealed()
        if metrics[entry["metricName"]].cluster_wide
    )
