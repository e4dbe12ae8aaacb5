"""Whose rows an hour keeps in a cluster: never two nodes', over any history of deaths, takeovers and late answers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent.model import ClusterTurn, Hour, Role, Tick
from agent.store import open_store
from agent.store.cluster import MARGIN_S, MOST_HOLDS, LockHold, cluster_state, counts_for
from agent.store.ticks import TickWriter

LENGTH_S = 60
HOURS = [Hour(datetime.fromtimestamp(start_s, UTC), LENGTH_S) for start_s in range(0, 1200, LENGTH_S)]
NODES = 3


@st.composite
def histories(draw: st.DrawFn) -> list[list[LockHold]]:
    """Each node's holds over a random history: one holder at a time, seen at some instants of its hold.

    The database's clock may be set back by less than MARGIN_S when another server takes over.
    """
    holds: list[list[LockHold]] = [[] for _ in range(NODES)]
    now_s, back_s = 0.0, 0.0
    for number in range(draw(st.integers(1, 25))):
        now_s += draw(st.sampled_from([0.0, 0.001, 1.0, 7.5, 30.0]))  # nobody holds
        ends_s = now_s + draw(st.floats(0, 150))
        seen = sorted(draw(st.lists(st.floats(now_s, ends_s), min_size=2, max_size=2)))
        node = draw(st.integers(0, NODES - 1))
        holds[node].append(LockHold(f"session-{number}", seen[0] - back_s, seen[1] - back_s))
        now_s = ends_s
        if draw(st.booleans()) and not back_s:
            back_s = draw(st.floats(0, MARGIN_S, exclude_max=True))
    return holds


@given(histories())
def test_never_two_nodes_for_one_hour(history: list[list[LockHold]]) -> None:
    """At most one node keeps the rows of any hour, clock steps below the margin included."""
    for hour in HOURS:
        assert sum(counts_for(holds, hour) for holds in history) <= 1


@given(st.floats(0, 3000), st.floats(0, 3000))
def test_an_unbroken_hold_over_the_end_counts(since_s: float, seen_s: float) -> None:
    """A hold from before the end to a tick after it keeps the hour; both its limits matter."""
    end_s = HOURS[5].end.timestamp()
    held = since_s <= end_s - MARGIN_S and seen_s >= end_s
    assert counts_for([LockHold("one", since_s, seen_s)], HOURS[5]) is held


def test_two_holds_do_not_add_up() -> None:
    """A node that held before the end and again after it may have missed another node's turn in between."""
    end_s = HOURS[5].end.timestamp()
    assert not counts_for([LockHold("one", end_s - 50, end_s - 5), LockHold("two", end_s + 5, end_s + 50)], HOURS[5])


def test_nothing_recorded_counts_for_nothing() -> None:
    """A node that knows of no hold keeps nothing."""
    assert not any(counts_for([], hour) for hour in HOURS)


def test_turns_are_stored_with_their_ticks(tmp_path: Path) -> None:
    """Each tick prolongs its session's hold; another session begins a new one; a standby adds none."""
    store = open_store(tmp_path)
    writer = TickWriter(store, LENGTH_S)
    assert cluster_state(store) is None
    turns = [
        ClusterTurn(Role.COUNTING, "one", 10.0, 10.0),
        ClusterTurn(Role.COUNTING, "one", 10.0, 12.0),
        ClusterTurn(Role.UNKNOWN),
        ClusterTurn(Role.STANDBY, ahead_s=0.5),
        ClusterTurn(Role.COUNTING, "two", 20.0, 20.0),
        ClusterTurn(Role.STANDBY, ahead_s=0.25),
    ]
    for second, turn in enumerate(turns):
        writer.append(Tick(datetime.fromtimestamp(1000 + second, UTC), (), (), turn=turn))
    state = cluster_state(store)
    store.close()
    assert state is not None
    assert (state.role, state.ahead_s) == (Role.STANDBY, 0.25)
    assert state.holds == (LockHold("one", 10.0, 12.0), LockHold("two", 20.0, 20.0))


def test_the_record_stays_small(tmp_path: Path) -> None:
    """A lock that changes hands at every tick for days does not let the record grow."""
    store = open_store(tmp_path)
    writer = TickWriter(store, LENGTH_S)
    for number in range(MOST_HOLDS + 5):
        turn = ClusterTurn(Role.COUNTING, f"s{number}", float(number), float(number))
        writer.append(Tick(datetime.fromtimestamp(1000 + number, UTC), (), (), turn=turn))
    state = cluster_state(store)
    store.close()
    assert state is not None
    assert len(state.holds) == MOST_HOLDS
    assert state.holds[-1].session == f"s{MOST_HOLDS + 4}"
