"""A whole agent on disk (product home, identity, configuration, store) and its command line."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.catalog import load_catalog
from agent.link.flow import link_folder_of, stage_key
from agent.link.record import LinkRecord, save_record
from agent.model import Consent, ConsentLevel, Outcome, Sample, Series, SourceReport, Tick, hour_of
from agent.product.instance.identity import ensure_instance, read_instance
from agent.settings import Secret, Settings
from agent.settings.load import load_settings
from agent.store import open_store
from agent.store.ticks import TickWriter
from tests.support.cloud import ROOT
from tests.support.command import Finished, run_here
from tests.support.homes import write_home

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
HEAP = Series("jmx", "jvm.memory.heap.used")
REJECTED = Series("jmx", "tomcat.sessions.rejected", (("context", "/jira"),))


@dataclass(frozen=True)
class Agent:
    """One agent's configuration file, and what it says; `inside` is a command that runs its commands elsewhere."""

    config: Path
    settings: Settings
    inside: tuple[str, ...] = ()

    def run(self, *arguments: str, key: str = "") -> Finished:
        """One command, in this process unless it must run elsewhere."""
        if self.inside:
            return self.process(*arguments, key=key)
        return run_here(*arguments, "--config", self.config, given=key)

    def process(self, *arguments: str, key: str = "") -> Finished:
        """One command as a process of its own."""
        command = [*self.inside, sys.executable, "-m", "agent.cli", *arguments, "--config", str(self.config)]
        environment = {**os.environ, "PYTHONWARNINGS": "error"}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, input=key, capture_output=True, text=True, check=False, timeout=60
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def json(self, *arguments: str, code: int = 0) -> Any:
        """The JSON a command prints; fails when its exit code is another one."""
        done = self.run(*arguments, "--json")
        assert done.code == code, done.text
        return done.json

    def tick(self, heap: int = 1000, at: datetime | None = None) -> datetime:
        """Store one tick, now or at `at`; returns the end of its hour."""
        taken_at = at or datetime.now(UTC)
        samples = (Sample(HEAP, heap), Sample(REJECTED, heap // 100))
        report = SourceReport("jmx", Outcome.OK, len(samples))
        length_s = self.settings.hour.length_s
        store = open_store(self.settings.agent.state_dir)
        TickWriter(store, length_s).append(Tick(taken_at, samples, (report,), {"jmx": "1"}))
        store.close()
        return hour_of(taken_at, length_s).end


def link_as(agent: Agent, level: ConsentLevel, at: datetime = LONG_AGO, *, field_list: str = "") -> None:
    """A link with this consent as `link` leaves it on disk, given long ago or `at`; no cloud stands behind it.

    `field_list` is the version that was agreed on, another one than this agent's after an upgrade.
    """
    settings = agent.settings
    place = link_folder_of(settings.link_dir, settings.agent.state_dir, read_instance(settings.link_dir).instance_id)
    key = Secret("planted-link-key-0123456789abcdef")
    agreed = field_list or load_catalog(settings.instance.product).field_list_version
    consent = Consent(level, agreed, at)
    staged = stage_key(place, key, consent, at)
    assert staged.candidate is not None
    record = LinkRecord(
        instance_id=place.instance_id,
        consent=consent,
        link_id="link-1",
        organisation="Example Organisation",
        endpoint="https://cloud.example.com",
        location="EU",
        key_fingerprint=staged.candidate.key_fingerprint,
        key_expires_at=datetime.now(UTC) + timedelta(days=30),
        linked_at=at,
        limits={},
        sealed_key=staged.candidate.sealed_key,
    )
    save_record(place.link_dir, record, owner=place.owner, owners=place.owners)


def make_site(folder: Path, *, mode: str = "linked", cloud: str = "", hour: str = "1h") -> Agent:
    """An agent beside a Jira home; `cloud` is the text of [cloud]."""
    home = write_home(folder)
    text = f"""
[instance]
product = "jira"
home = "{home}"
shared_home = "{home / "shared"}"
[agent]
mode = "{mode}"
state_dir = "{folder / "state"}"
[sampling]
interval = "1s"
deadline = "500ms"
[hour]
length = "{hour}"
close_after = "0s"
[delivery]
retry_for = "0s"
[cloud]
{cloud}
"""
    config = folder / "agent.toml"
    config.write_text(text)
    settings = load_settings(config)
    ensure_instance(settings.link_dir)
    return Agent(config, settings)
