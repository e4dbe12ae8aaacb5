"""A tick asks once whose turn it is, and what it hears serves all sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import SourceError
from agent.model import Role
from agent.product.instance.identity import ensure_instance
from agent.product.instance.turns import TurnKeeper
from agent.settings import DatabaseLogin, DatabaseSettings, Dialect, InstanceSettings, ProductType, Settings
from tests.support.homes import write_home
from tests.support.jira_database import fill_sqlite


class Clock:
    """Monotonic seconds that stand still until a test moves them."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    """A node of a cluster whose database is a file that is not there yet."""
    shared = tmp_path / "shared"
    shared.mkdir()
    home = write_home(tmp_path, cluster=f"jira.node.id = node-1\njira.shared.home = {shared}\n")
    database = DatabaseSettings(login=DatabaseLogin.OWN, dialect=Dialect.SQLITE, name=str(tmp_path / "jira.db"))
    settings = Settings(InstanceSettings(ProductType.JIRA, home, shared), database=database)
    ensure_instance(settings.link_dir)
    return settings


def test_one_answer_serves_a_tick(given: Settings, tmp_path: Path) -> None:
    """Several sources ask in one tick: the database hears one question; the next tick asks anew."""
    fill_sqlite(tmp_path / "jira.db")
    clock = Clock()
    turns = TurnKeeper(given, clock=clock)
    first = turns.turn()
    assert first is not None
    assert first.role is Role.COUNTING
    assert turns.turn() is first
    clock.now_s += given.sampling.interval_s
    assert turns.turn() is not first
    turns.close()


def test_one_refusal_serves_a_tick(given: Settings, tmp_path: Path) -> None:
    """A database that does not answer is not asked again by each source of that tick, but at the next tick it is."""
    clock = Clock()
    turns = TurnKeeper(given, clock=clock)
    with pytest.raises(SourceError) as first:
        turns.turn()
    fill_sqlite(tmp_path / "jira.db")
    with pytest.raises(SourceError) as second:
        turns.turn()
    assert second.value is not first.value
    assert (second.value.reason, str(second.value)) == (first.value.reason, str(first.value))
    clock.now_s += given.sampling.interval_s
    turn = turns.turn()
    assert turn is not None
    assert turn.role is Role.COUNTING
    turns.close()


def test_outside_a_cluster_there_is_no_turn(tmp_path: Path) -> None:
    """A single node has no turn, and no lock is taken."""
    home = write_home(tmp_path)
    turns = TurnKeeper(Settings(InstanceSettings(ProductType.JIRA, home, home / "shared")))
    assert turns.turn() is None
    assert turns.last is None
