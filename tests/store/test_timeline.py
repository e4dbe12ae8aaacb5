"""The label of a tick: what each thing that a clock can do makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import Moment, Tick
from agent.store import Store, audit, open_store
from agent.store.database import from_ms
from agent.store.ticks import TickWriter, all_ticks
from agent.store.timeline import (
    CLOCK_FLOOR,
    LONGEST_DOUBT_S,
    NOT_KNOWN,
    PROBATION_S,
    Anchor,
    Ending,
    Placement,
    load_anchor,
    place,
    reckon,
)
from tests.support.clock import HandClock, moment_at

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TICK_S = 120.0
STEPS = [timedelta(minutes=15), timedelta(hours=1), timedelta(days=40)]
BOTH_WAYS = [sign * step for step in STEPS for sign in (1, -1)]


def after(clock: HandClock, anchor: Anchor | None, seconds: float = TICK_S) -> Placement:
    """One tick later."""
    clock.go_on(seconds)
    return place(anchor, clock.now())


def started(clock: HandClock) -> Anchor:
    """The anchor of a first tick."""
    return place(None, clock.now()).anchor


def label(placed: Placement) -> datetime:
    return from_ms(placed.label_ms)


@pytest.mark.parametrize("ahead_s", [1, -1, 59, -59])
def test_a_small_step_is_drift(ahead_s: float) -> None:
    """Within a minute the anchor follows the wall clock, and nothing is in doubt."""
    clock = HandClock(NOON)
    anchor = started(clock)
    clock.set(timedelta(seconds=ahead_s))
    placed = after(clock, anchor)
    assert (label(placed), placed.vouched) == (NOON + timedelta(seconds=TICK_S + ahead_s), True)


def test_labels_never_go_back_by_themselves() -> None:
    """Within the minute that is drift the label stands still until the clock has caught up."""
    clock = HandClock(NOON)
    anchor = started(clock)
    clock.set(timedelta(seconds=-50))
    labels = [anchor.label_ms]
    for _ in range(60):
        placed = after(clock, anchor, 1.0)
        anchor = placed.anchor
        labels.append(placed.label_ms)
    assert labels == sorted(labels)
    assert anchor.doubt is None
    assert label(placed) == NOON + timedelta(seconds=10)


def test_drift_of_500_ppm_over_days_is_no_step() -> None:
    """The longer nobody looked, the further an ordinary clock may have drifted (fault 39)."""
    clock = HandClock(NOON)
    anchor = started(clock)
    clock.set(timedelta(seconds=3 * 86400 * 500e-6))
    assert after(clock, anchor, 3 * 86400).vouched


@pytest.mark.parametrize("step", BOTH_WAYS)
def test_a_step_that_returns_changes_no_label(step: timedelta) -> None:
    """While the clock is away ticks stand on the line, not vouched for; back again, all of them were right."""
    clock = HandClock(NOON)
    anchor = started(clock)
    clock.set(step)
    for _ in range(10):
        placed = after(clock, anchor)
        anchor = placed.anchor
        assert (label(placed), placed.vouched, placed.settled) == (clock.true, False, None)
    clock.set(timedelta(0))
    placed = after(clock, anchor)
    assert (label(placed), placed.vouched) == (clock.true, True)
    assert placed.settled is not None
    assert (placed.settled.ending, placed.settled.this_boot_ms) == (Ending.RETURNED, 0)


@pytest.mark.parametrize("step", BOTH_WAYS)
def test_a_step_that_lasts_is_accepted(step: timedelta) -> None:
    """After two hours on its new course the clock is believed, and the ticks in doubt move to where it says."""
    clock = HandClock(NOON)
    anchor = started(clock)
    clock.set(step)
    placed = after(clock, anchor)
    while placed.settled is None:
        assert label(placed) == clock.true
        placed = after(clock, placed.anchor)
    assert clock.true - NOON == timedelta(seconds=PROBATION_S + TICK_S)
    assert placed.settled.ending is Ending.ACCEPTED
    assert placed.settled.this_boot_ms == step / timedelta(milliseconds=1)
    assert (label(placed), placed.vouched) == (clock.true + step, True)


def test_a_clock_set_once_more_begins_its_probation_anew() -> None:
    """Each new course must be kept for two hours; after a day of being set it is taken as it is."""
    clock = HandClock(NOON)
    anchor = started(clock)
    placed = place(anchor, clock.now())
    turns = 0
    while placed.settled is None:
        turns += 1
        clock.set(timedelta(hours=5 * turns))
        placed = after(clock, placed.anchor, PROBATION_S - 60)
    assert placed.settled.ending is Ending.ACCEPTED
    assert LONGEST_DOUBT_S <= (clock.true - NOON).total_seconds() < LONGEST_DOUBT_S + 2 * PROBATION_S


@pytest.mark.fault(36)
def test_a_clock_that_is_not_set_is_never_believed() -> None:
    """From 1970 until it is set nothing is vouched for, however long; then at once, and the labels move."""
    clock = HandClock(NOON)
    clock.set(datetime(1970, 1, 1, tzinfo=UTC) - NOON)
    placed = place(None, clock.now())
    for _ in range(20):
        assert (placed.vouched, placed.settled) == (False, None)
        placed = after(clock, placed.anchor, PROBATION_S)
    clock.set(timedelta(0))
    placed = after(clock, placed.anchor)
    assert placed.vouched
    assert label(placed) == clock.true
    assert placed.settled is not None
    assert placed.settled.this_boot_ms == (NOON - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1)


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(minutes=15), timedelta(hours=1)])
def test_after_a_boot_a_clock_at_or_after_the_line_is_believed(ahead: timedelta) -> None:
    """How long the machine was off nobody measured."""
    clock = HandClock(NOON)
    anchor = started(clock)
    clock.boot(600)
    clock.set(ahead)
    placed = after(clock, anchor)
    assert (label(placed), placed.vouched) == (clock.true + ahead, True)


@pytest.mark.parametrize("ahead", [timedelta(hours=-1), timedelta(days=-40), timedelta(days=40)])
def test_after_a_boot_a_clock_behind_or_far_ahead_is_in_doubt(ahead: timedelta) -> None:
    """Set right within two hours, the ticks in doubt move to where they were; nothing else does."""
    clock = HandClock(NOON)
    anchor = started(clock)
    clock.boot(600)
    clock.set(ahead)
    placed = after(clock, anchor)
    assert (label(placed), placed.vouched) == (NOON + timedelta(seconds=TICK_S), False), "the line: at least so late"
    clock.set(timedelta(0))
    placed = after(clock, placed.anchor)
    assert (label(placed), placed.vouched) == (clock.true, True)
    assert placed.settled is not None
    assert placed.settled.this_boot_ms == 600_000


def test_a_boot_in_doubt_tells_which_clock_was_right() -> None:
    """Still as far ahead: it was right, and the older ticks move with it. On the line again: they stay."""
    for still_ahead in (True, False):
        clock = HandClock(NOON)
        anchor = started(clock)
        clock.set(timedelta(hours=1))
        anchor = after(clock, anchor).anchor
        clock.boot(300)
        clock.set(timedelta(hours=1 if still_ahead else 0))
        placed = after(clock, anchor)
        assert placed.settled is not None
        assert placed.settled.older_ms == (3_600_000 if still_ahead else 0)
        assert label(placed) == clock.true + clock.ahead


def test_an_anchor_of_an_older_agent_is_a_lower_bound() -> None:
    """It knows a label and no boot: a clock after it is believed at once, however far; one before it is in doubt."""
    anchor = Anchor(1000 * int(NOON.timestamp()), 0, NOT_KNOWN)
    assert place(anchor, moment_at(NOON + timedelta(days=400))).vouched
    behind = place(anchor, moment_at(NOON - timedelta(hours=2)))
    assert (label(behind), behind.vouched) == (NOON, False)


def test_without_a_boot_id_the_seconds_tell_the_boot() -> None:
    """A kernel that names no boot: a step is a step all the same, and seconds that begin again are a new boot."""
    clock = HandClock(NOON)

    def nameless(seconds: float) -> Moment:
        clock.go_on(seconds)
        return replace(clock.now(), boot_id="")

    anchor = place(None, nameless(0)).anchor
    clock.set(timedelta(hours=-1))
    placed = place(anchor, nameless(TICK_S))
    assert (label(placed), placed.vouched) == (clock.true, False)
    assert place(placed.anchor, nameless(PROBATION_S)).settled is not None
    clock.boot(600)
    clock.set(timedelta(hours=-4))
    behind = place(anchor, nameless(TICK_S))
    assert (label(behind), behind.vouched) == (NOON + timedelta(seconds=TICK_S), False)
    clock.set(timedelta(0))
    assert place(anchor, nameless(TICK_S)).vouched


@given(st.lists(st.tuples(st.integers(1, 7200), st.integers(-(10**7), 10**7), st.booleans()), max_size=30))
def test_whatever_the_clock_does_the_line_goes_on(story: list[tuple[int, int, bool]]) -> None:
    """Nothing before the floor is vouched for, a doubt that ended is over, and none is for ever."""
    clock = HandClock(NOON)
    anchor = started(clock)
    for seconds, ahead_s, boots in story:
        if boots:
            clock.boot(seconds)
        clock.set(timedelta(seconds=ahead_s))
        placed = after(clock, anchor, seconds)
        anchor = placed.anchor
        assert not placed.vouched or placed.label_ms >= CLOCK_FLOOR.timestamp() * 1000
        assert (placed.settled is None) or placed.vouched
    clock.set(timedelta(0))
    for _ in range(3):
        placed = after(clock, placed.anchor if story else anchor, PROBATION_S)
    assert placed.vouched
    assert abs(label(placed) - clock.true) <= timedelta(seconds=75)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "state")


def write(store: Store, clock: HandClock, writer: TickWriter) -> None:
    """One tick of this moment."""
    clock.go_on(TICK_S)
    moment = clock.now()
    writer.append(Tick(moment.wall, (), (), moment=moment))


def test_the_anchor_is_stored_with_its_tick(store: Store) -> None:
    """Another process makes of its own moment what the daemon makes of one; a tick that was refused moves no anchor."""
    clock, writer = HandClock(NOON), TickWriter(store, 3600)
    write(store, clock, writer)
    anchor = load_anchor(store)
    clock.set(timedelta(days=40))
    now = reckon(store, clock.now())
    assert (now.label, now.wall, now.surely) == (clock.true, clock.true + timedelta(days=40), clock.true)
    assert now.doubt is not None
    store.connection.execute("CREATE TRIGGER no BEFORE INSERT ON tick BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(Exception, match="no"):
        write(store, clock, writer)
    assert load_anchor(store) == anchor
    assert writer.doubt is None


def test_accepting_moves_the_ticks_in_doubt_and_is_an_act(store: Store) -> None:
    """In the transaction of the tick that ends the doubt: their labels, their hours, and a row in the audit table."""
    clock, writer = HandClock(NOON), TickWriter(store, 3600)
    write(store, clock, writer)
    clock.set(timedelta(hours=1))
    for _ in range(round(PROBATION_S / TICK_S) + 1):
        write(store, clock, writer)
    first, *moved = all_ticks(store)
    assert first.taken_at == NOON + timedelta(minutes=2)
    assert [tick.taken_at for tick in moved] == [
        NOON + timedelta(hours=1, minutes=2 * number) for number in range(2, len(moved) + 2)
    ]
    assert store.execute("SELECT count(*) FROM tick WHERE vouched = 0")[0][0] == 0
    assert store.execute("SELECT count(*) FROM tick WHERE hour_s <> taken_ms / 1000 / 3600 * 3600")[0][0] == 0
    (entry,) = audit.entries(store)
    assert (entry.actor, entry.event, dict(entry.detail)) == ("agent", "clock.accepted", {"aheadS": 3600})


def test_ticks_know_how_long_after_each_other_they_were_taken(store: Store) -> None:
    """By the seconds since the boot, whatever their labels; across boots by the labels."""
    clock, writer = HandClock(NOON), TickWriter(store, 3600)
    write(store, clock, writer)
    clock.set(timedelta(seconds=-50))
    write(store, clock, writer)
    clock.boot(600)
    write(store, clock, writer)
    first, second, third = all_ticks(store)
    assert second.seconds_after(first) == TICK_S
    assert second.taken_at - first.taken_at == timedelta(seconds=TICK_S - 50)
    assert third.seconds_after(second) == 600 + TICK_S


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=3), timedelta(days=-40)])
def test_another_id_of_the_same_boot_is_no_boot(ahead: timedelta) -> None:
    """In a container two processes may see two ids of one boot: when the clocks agree on when it began, it is one."""
    clock = HandClock(NOON, uptime_s=100 * 60)
    anchor = place(None, clock.now()).anchor
    clock.go_on(120)
    clock.set(ahead)
    daemon = place(anchor, clock.now())
    clock.go_on(60)
    other = replace(clock.now(), boot_id="seen-by-another-process")
    seen, same = place(daemon.anchor, other), place(daemon.anchor, clock.now())
    assert (seen.label_ms, seen.vouched) == (same.label_ms, same.vouched)
    assert seen.vouched == (ahead == timedelta(0))


def surely_after(store: Store, clock: HandClock, seconds: float) -> datetime:
    """Where hours are over when time went on for so long, with a tick stored then."""
    clock.go_on(seconds)
    TickWriter(store, 3600).append(Tick(clock.true, (), (), moment=clock.now()))
    return reckon(store, clock.now()).surely


def test_a_young_boot_whose_clock_leapt_closes_nothing_new(tmp_path: Path) -> None:
    """For an hour only what was over before it is over; a machine that was off for minutes waits for nothing."""
    store, clock = open_store(tmp_path / "state"), HandClock(NOON)
    last = surely_after(store, clock, TICK_S)
    clock.boot(10 * 3600)
    assert surely_after(store, clock, TICK_S) == last
    assert surely_after(store, clock, 3000) == last
    assert surely_after(store, clock, 600) == clock.true
    clock.boot(300)
    assert surely_after(store, clock, TICK_S) == clock.true
    store.close()
