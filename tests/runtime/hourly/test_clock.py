"""G12: whatever the clock does, no hour is lost, doubled or merged, no counter inflated, no event made up.

Each row sets the clock of a running site: by how much, where in its work, for how long. What must hold afterwards:
every tick is counted in exactly one hour or is a loss by name; no hour has two contents, here or in the cloud; the
hours' increases add up to what was counted; one restart of the JVM is one event. `-s` prints the table.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.store.outbox import BatchState
from tests.support.clock_site import CLOSE_AFTER_S, TICK_S, Site, Tally

START = datetime(2026, 11, 22, 8, 3, tzinfo=UTC)
SECOND, QUARTER, HOUR, FORTY = timedelta(seconds=1), timedelta(minutes=15), timedelta(hours=1), timedelta(days=40)
STEPS = [sign * step for step in (SECOND, QUARTER, HOUR, FORTY) for sign in (1, -1)]
LARGE = [step for step in STEPS if abs(step) >= HOUR]
ZERO = timedelta(0)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A linked site at 08:03 with two and a half hours behind it, and one restart of its JVM."""
    made = Site(tmp_path, START)
    made.go_on(1.5)
    made.restart_jvm()
    made.go_on(1.0)
    yield made
    made.close()


def checked(site: Site, *, row: str, lost_at_most: int = 0, of_a_gap: int = 0) -> Tally:
    """The account of a site that has come to rest; fails where the promise is broken.

    `of_a_gap` is what was counted over a gap between two hours that was longer than two ticks: no hour's increase.
    """
    account = site.account()
    lost = sum(account.lost.values())
    print(f"\n{row:58} counted {account.counted:3}  lost {dict(account.lost)}  increase {account.increase}")
    assert account.counted + lost == account.stored, "a tick is neither counted nor lost by name, or counted twice"
    assert account.counted > 0
    assert lost <= lost_at_most
    assert account.increase == account.true_increase - of_a_gap
    assert account.restarts == account.true_restarts
    assert account.doubled == ()
    return account


def lost_by(step: timedelta) -> int:
    """How many ticks a clock that stays set back may cost: those of the time that was counted already."""
    return 0 if step > -QUARTER else round(-step.total_seconds() / TICK_S) + 1 if step > -FORTY else 12


def words(step: timedelta) -> str:
    """+1 h, -40 d"""
    sign = "-" if step < ZERO else "+"
    seconds = abs(step).total_seconds()
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{sign}{seconds / length:.0f} {unit}"
    return f"{sign}{seconds:.0f} s"


IDS = [words(step) for step in STEPS]


def in_the_middle_of_a_read(site: Site, step: timedelta) -> None:
    """The clock is set while a source is being read."""

    def set_clock() -> None:
        site.clock.set(step)

    site.in_read = set_clock
    site.tick()
    site.in_read = lambda: None


@pytest.mark.fault(34)
@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_a_clock_that_is_away_for_half_an_hour(site: Site, step: timedelta) -> None:
    """Set in the middle of a tick, set back after half an hour: no tick is lost."""
    in_the_middle_of_a_read(site, step)
    site.go_on(0.5)
    site.clock.set(ZERO)
    site.go_on(3)
    checked(site, row=f"{words(step)}, in a tick's read, for half an hour")


@pytest.mark.fault(34)
@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_a_clock_that_stays(site: Site, step: timedelta) -> None:
    """Set in the middle of a tick, for good: only what it was set back over may be lost, and by name."""
    in_the_middle_of_a_read(site, step)
    site.go_on(5)
    checked(site, row=f"{words(step)}, in a tick's read, for good", lost_at_most=lost_by(step))


@pytest.mark.fault(34)
@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_a_clock_that_stays_and_is_set_right_a_day_later(site: Site, step: timedelta) -> None:
    """Believed for a day, then set right: the hours it closed stand, those it passed over are measured."""
    site.clock.set(step)
    site.go_on(6)
    site.clock.set(ZERO)
    site.go_on(6)
    checked(site, row=f"{words(step)}, for six hours, then right", lost_at_most=lost_by(step) + lost_by(-step))


@pytest.mark.fault(34)
@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_a_machine_that_starts_with_a_wrong_clock(site: Site, step: timedelta) -> None:
    """A reboot, the clock wrong from then on, set right after half an hour."""
    site.reboot()
    site.clock.set(step)
    site.go_on(0.5)
    site.clock.set(ZERO)
    site.go_on(5)
    # Ahead by less than a day it is believed, but closes nothing while the boot is young. Set back, it was wrong since
    # the boot began: all ticks of the boot move together.
    row = f"{words(step)}, from a reboot on, for half an hour"
    checked(site, row=row, lost_at_most=0)


@pytest.mark.fault(34)
@pytest.mark.parametrize("step", [timedelta(minutes=15), HOUR, timedelta(hours=5), timedelta(hours=13)], ids=words)
@pytest.mark.parametrize("hours", [0.1, 0.5])
def test_a_hardware_clock_in_local_time(site: Site, step: timedelta, hours: float) -> None:
    """A boot with the clock some time zones ahead, until the network's time sets it right: nothing is lost."""
    site.reboot()
    site.clock.set(step)
    site.go_on(hours)
    site.clock.set(ZERO)
    site.go_on(5)
    checked(site, row=f"{words(step)}, from a reboot on, for {hours} hours", lost_at_most=0)


@pytest.mark.fault(34)
@pytest.mark.parametrize("step", LARGE, ids=map(words, LARGE))
def test_a_reboot_while_the_clock_is_away(site: Site, step: timedelta) -> None:
    """The clock is set, the machine restarts with it, and it is set right after."""
    site.clock.set(step)
    site.go_on(0.5)
    site.reboot()
    site.go_on(0.5)
    site.clock.set(ZERO)
    site.go_on(5)
    # The ticks in doubt of the boot before went by the word of this one; they are counted where that put them.
    lost = lost_by(-step) if ZERO < step < FORTY else 0
    checked(site, row=f"{words(step)}, over a reboot, for an hour", lost_at_most=lost)


@pytest.mark.fault(34)
@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_a_run_under_a_wrong_clock(site: Site, step: timedelta) -> None:
    """The clock is away just while the hourly run works: it closes and tidies nothing that it cannot vouch for."""
    before = site.stored_ticks()
    site.before_run = lambda: site.clock.set(step)
    site.after_run = lambda: site.clock.set(ZERO)
    site.run_hourly()
    assert site.stored_ticks() == before
    site.go_on(2)
    site.before_run = site.after_run = lambda: None
    site.go_on(2)
    checked(site, row=f"{words(step)}, only while the hourly run works")


@pytest.mark.fault(34)
def test_an_hour_is_over_by_both_clocks(site: Site) -> None:
    """Set back by 15 minutes right after an hour's last tick, for good: it takes what comes, and closes once.

    Closed by the line alone it would be closed before its end, and once more as a revision.
    """
    site.go_on(0.4)
    assert site.clock.true == START.replace(hour=10, minute=57)
    before = len(site.cloud.windows)
    site.clock.set(-QUARTER)
    site.clock.go_on(CLOSE_AFTER_S + 240)
    site.run_hourly()
    assert len(site.cloud.windows) == before
    site.go_on(5)
    account = checked(site, row="-15 min, between an hour's last tick and its closing, for good")
    assert account.lost == {}
    assert {revision for _, revision, _ in site.cloud.windows} == {0}


@pytest.mark.fault(34)
@pytest.mark.parametrize("step", LARGE, ids=map(words, LARGE))
def test_between_closing_and_pushing(site: Site, step: timedelta) -> None:
    """Sealed under one clock, pushed under another: the stored bytes leave, once."""
    site.after_run = lambda: site.clock.set(step)
    site.go_on(1)
    site.after_run = lambda: None
    site.go_on(0.5)
    site.clock.set(ZERO)
    site.go_on(3)
    checked(site, row=f"{words(step)}, between close and push, for an hour")
    assert waiting(site) == 0


@pytest.mark.fault(34)
@pytest.mark.parametrize("step", LARGE, ids=map(words, LARGE))
def test_in_the_middle_of_a_push(site: Site, step: timedelta) -> None:
    """The clock is set between a request and its answer."""
    site.cloud.meanwhile = lambda: site.clock.set(step)
    site.go_on(1)
    site.cloud.meanwhile = lambda: None
    site.go_on(0.5)
    site.clock.set(ZERO)
    site.go_on(3)
    checked(site, row=f"{words(step)}, in a push, for an hour")
    assert waiting(site) == 0


@pytest.mark.fault(34)
@pytest.mark.parametrize("step", LARGE, ids=map(words, LARGE))
def test_a_closing_that_dies_and_goes_on_under_another_clock(site: Site, step: timedelta) -> None:
    """Ended in the middle of its transaction, run again with the clock away, and once more when it is right."""
    site.refuse_closing(refuse=True)
    site.go_on(1)
    site.refuse_closing(refuse=False)
    site.clock.set(step)
    site.run_hourly()
    site.go_on(0.5)
    site.clock.set(ZERO)
    site.go_on(3)
    checked(site, row=f"{words(step)}, after a closing that died, for half an hour")


# Statements of one run with hours to close: it reads, then 13 to 20 are the hour's transaction, tidying has its own.
KILLS = (3, 13, 17, 20, 21, 16, 20, 21, 18, 21, 24)


@pytest.mark.fault(1)
@pytest.mark.parametrize("step", [FORTY, -HOUR], ids=words)
def test_kill_9_in_the_middle_of_closing(site: Site, step: timedelta) -> None:
    """A real process, killed before, in and after the transaction of each of three hours, the clock away in between:
    each hour is closed whole or not at all, and once."""
    site.runs = False
    site.go_on(3)
    site.runs = True
    open_hours = site.open_hours()
    for number, at in enumerate(KILLS):
        assert site.is_killed_in_a_run(at), at
        assert site.integrity() == "ok"
        if number % 4 == 0:
            site.clock.set(step)
            assert not site.is_killed_in_a_run(1000)
            site.clock.set(ZERO)
    assert open_hours - site.open_hours() == 3
    site.go_on(2)
    checked(site, row=f"{words(step)}, between {len(KILLS)} kills in the middle of closing")


def waiting(site: Site) -> int:
    """How many batches wait."""
    return len([1 for state in site.batch_states() if state == BatchState.WAITING.value])


def test_six_failed_closings_cost_nothing(site: Site) -> None:
    """Ticks that no hour counted are never tidied, however long no hour can be closed; then all are counted."""
    site.refuse_closing(refuse=True)
    before = site.stored_ticks()
    site.go_on(6.5)
    assert site.stored_ticks() == before + 65
    site.refuse_closing(refuse=False)
    site.go_on(1)
    account = checked(site, row="six closings fail")
    assert account.counted >= 80


@pytest.mark.fault(37)
@pytest.mark.parametrize(
    "night",
    [datetime(2027, 3, 27, 21, 3, tzinfo=UTC), datetime(2026, 10, 24, 21, 3, tzinfo=UTC)],
    ids=["spring", "autumn"],
)
def test_both_nights_when_the_clocks_change(tmp_path: Path, night: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours are UTC's: in a zone that changes its time there is one batch an hour all the same."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        site = Site(tmp_path, night)
        site.restart_jvm()
        site.go_on(7)
        site.close()
        assert sorted(start for start, *_ in site.cloud.windows) == [
            f"{night.replace(minute=0) + timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}" for number in range(7)
        ]
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.fault(11)
def test_a_machine_that_sleeps_for_three_hours(site: Site) -> None:
    """One tick when it wakes, no hour for the time it slept, and what was counted meanwhile belongs to none."""
    slept_at = site.clock.true
    site.clock.go_on(3 * 3600)
    site.go_on(2)
    account = site.account()
    assert (account.counted, dict(account.lost), account.doubled) == (account.stored, {}, ())
    assert account.restarts == account.true_restarts
    assert account.increase == account.true_increase - 7, "what was counted over the gap cannot be told apart by hour"
    empty = {f"{slept_at + timedelta(hours=number):%Y-%m-%dT%H}" for number in (1, 2)}
    assert not empty & {start[:13] for start, *_ in site.cloud.windows}


@pytest.mark.fault(36)
def test_a_first_start_in_1970(tmp_path: Path) -> None:
    """Without a battery the clock begins in 1970: nothing is closed until it is set; then all is."""
    site = Site(tmp_path, START)
    site.clock.set(datetime(1970, 1, 1, tzinfo=UTC) - START)
    site.restart_jvm()
    site.go_on(3)
    assert site.cloud.windows == {}
    site.clock.set(ZERO)
    site.go_on(2)
    account = checked_without_events(site)
    assert (account.counted, dict(account.lost)) == (account.stored, {})
    assert sorted(start for start, *_ in site.cloud.windows)[0] == "2026-11-22T08:00:00Z"
    site.close()


def checked_without_events(site: Site) -> Tally:
    """The account; a restart before the first tick is none that can be seen."""
    site.restarts = 0
    return checked(site, row="1970 at the first start, set after three hours")


@pytest.mark.fault(34)
@pytest.mark.parametrize("step", LARGE, ids=map(words, LARGE))
@pytest.mark.parametrize("believed", [False, True], ids=["in doubt", "believed"])
def test_consent_given_while_the_clock_is_away(tmp_path: Path, step: timedelta, believed: bool) -> None:
    """What is measured after consent leaves, what was measured before does not: by the store's order, not by a label.

    Given while the clock is in doubt, or hours after it was believed; then the clock is set right.
    """
    site = Site(tmp_path, START, linked=False)
    site.go_on(3)
    site.clock.set(step)
    site.go_on(5 if believed else 0.5)
    before = site.last_number()
    site.link()
    site.go_on(1.5)
    site.clock.set(ZERO)
    site.go_on(8)
    sealed = site.sealed_numbers()
    site.close()
    assert sealed, "nothing left since consent was given"
    assert min(sealed) > before, "what was measured before consent left"
    assert max(sealed) >= before + 60, "hours after consent stay here"
