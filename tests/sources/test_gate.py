"""One connection at a time in the product's database, and what a source says that did not get in."""

from __future__ import annotations

import threading
from pathlib import Path

import psycopg
import pytest

from agent.errors import SourceError
from agent.model import ConsentLevel, Outcome
from agent.sampling import Sampler
from agent.settings import DatabaseSettings, HostSettings, InstanceSettings, JmxSettings, ProductType, Settings
from agent.sources import open_sources
from agent.sources.gate import Gate
from tests.support.homes import write_home
from tests.support.listings import jira_postgres
from tests.support.postgres import PostgresServer, postgres
from tests.support.sources import catalog
from tests.support.ticks import START

__all__ = ["postgres"]  # the fixture
SESSIONS = "select count(*) from pg_stat_activity where application_name = 'portfolio-agent'"


def test_the_database_never_sees_two_of_our_sessions(tmp_path: Path, postgres: PostgresServer) -> None:
    """Counts, apps, flags, links and nodes are read in one tick; an onlooker never counts more than one session."""
    url = f"jdbc:postgresql://{postgres.host}:{postgres.port}/{jira_postgres(postgres)}"
    home = write_home(tmp_path, url=url, user=postgres.superuser, password=postgres.password)
    settings = Settings(
        InstanceSettings(ProductType.JIRA, home, home / "shared"),
        jmx=JmxSettings(enabled=False),
        host=HostSettings(enabled=False),
        database=DatabaseSettings(),
    )
    sampler = Sampler(open_sources(settings, catalog(), lambda: ConsentLevel.BASIC))
    done = threading.Event()
    counted: list[int] = []

    def look() -> None:
        with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
            while not done.is_set():
                counted.append(connection.execute(SESSIONS).fetchall()[0][0])

    onlooker = threading.Thread(target=look)
    onlooker.start()
    tick = sampler.take(START, 30)
    done.set()
    onlooker.join()
    sampler.close()
    read = {report.source for report in tick.reports if report.outcome is Outcome.OK and report.samples}
    assert {"guardrails", "apps", "flags", "links", "nodes"} <= read
    assert max(counted) == 1


def test_who_does_not_get_in_says_so() -> None:
    """While one source is inside, another waits as long as it may and gives the reason; afterwards it gets in."""
    gate = Gate()
    with gate.entered(1), pytest.raises(SourceError) as caught, gate.entered(0.05):
        pass
    assert caught.value.reason == "deadline"
    with gate.entered(0.05):
        pass


def test_a_failure_inside_opens_the_gate() -> None:
    """What goes wrong inside does not shut the others out."""
    gate = Gate()
    with pytest.raises(ZeroDivisionError), gate.entered(1):
        raise ZeroDivisionError
    with gate.entered(0.05):
        pass
