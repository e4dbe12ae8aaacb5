"""Access logs in the real daemon: every request counted once, through rotation, kill -9, damage and small groups."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agent.store.ticks import last_tick, ticks_of
from agent.model import Hour, Tick
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
        from datetime import UTC, datetime

        return [tick for hour in hours for tick in ticks_of(store, Hour(datetime.fromtimestamp(hour, UTC)))]


def requests(agent: RunningAgent, kind: str = "rest") -> float:
    """The newest count of a class."""
    ticks = all_ticks(agent)
    return told(ticks[-1]).get(("clientside.requests", kind), 0) if ticks else 0


def browse(server: WebServer, times: int) -> Counter[tuple[str, str]]:
    """Requests in random order; how many of each class got which status."""
    seen: Counter[tuple[str, str]] = Counter()
    for path in random.Random(3).choices(list(CLASS_OF), k=times):
        status = server.get(path)
        seen[CLASS_OF[path], f"{status // 100}xx"] += 1
    return seen
