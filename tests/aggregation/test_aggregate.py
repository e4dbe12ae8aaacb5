"""The hour: exact figures, counters that survive restarts, and honesty about what was not seen."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.aggregation.aggregate import aggregate, counter_figures, gauge_figures, mean_of, nearest_rank
from agent.model import Failure, HourlyAggregate, Kind, Moment, Outcome, Sample, Series, Tick, Value
from tests.support.ticks import HEAP, HOUR, REQUESTS, START, tick

KINDS = {HEAP.metric: Kind.GAUGE, REQUESTS.metric: Kind.COUNTER, "jvm.version": Kind.INFO}
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)


def row_of(rows: list[HourlyAggregate], series: Series) -> HourlyAggregate:
    return next(row for row in rows if row.series == series)


def test_gauge_has_min_max_mean_last_and_percentiles() -> None:
    """A gauge's hour is min, max, mean, last, p50 and p95; last is the last in time, not in size."""
    ticks = [tick(2 * n, {HEAP: value}) for n, value in enumerate((3, 1, 2))]
    row = row_of(aggregate(ticks, HOUR, expected=30, kinds=KINDS), HEAP)
    assert row.figures == {"min": 1, "max": 3, "mean": 2.0, "last": 2, "p50": 2, "p95": 3}
    assert (row.samples, row.expected, row.failed) == (3, 30, {})


def test_order_of_ticks_does_not_matter() -> None:
    """The same ticks in any order give the same hour."""
    ticks = [tick(2 * n, {HEAP: n % 7, REQUESTS: n * 10}, number=n) for n in range(30)]
    shuffled = random.Random(7).sample(ticks, len(ticks))
    assert aggregate(shuffled, HOUR, expected=30, kinds=KINDS) == aggregate(ticks, HOUR, expected=30, kinds=KINDS)


@pytest.mark.parametrize("count", [1, 2, 29, 30, 31])
def test_percentile_is_nearest_rank(count: int) -> None:
    """p95 is the smallest value with at least 95 % of the values at or below it."""
    values = list(range(1, count + 1))
    assert nearest_rank(values, 95) == math.ceil(0.95 * count)
    assert nearest_rank(values, 50) == math.ceil(0.5 * count)


@given(st.lists(FINITE, min_size=1, max_size=60))
def test_figures_are_finite_and_ordered(values: list[float]) -> None:
    """For any finite values every figure is finite and min <= p50 <= p95 <= max, min <= mean <= max."""
    figures = gauge_figures(values)
    numbers = [float(value) for value in figures.values() if isinstance(value, int | float)]
    assert all(math.isfinite(number) for number in numbers)
    low, high = min(values), max(values)
    assert low <= nearest_rank(sorted(values), 50) <= nearest_rank(sorted(values), 95) <= high
    slack = max(abs(low), abs(high)) * 1e-12
    assert low - slack <= mean_of(values) <= high + slack


def test_hour_without_ticks_has_no_rows() -> None:
    """An hour without ticks yields nothing rather than zeros."""
    assert aggregate([], HOUR, expected=30, kinds=KINDS) == []


def test_counter_is_the_increase_since_the_last_tick_before_the_hour() -> None:
    """What was counted between the last tick of the hour before and the first of this one belongs to this hour."""
    before = tick(-2, {REQUESTS: 100})
    ticks = [tick(0, {REQUESTS: 110}), tick(2, {REQUESTS: 130})]
    row = row_of(aggregate(ticks, HOUR, expected=30, kinds=KINDS, before=before), REQUESTS)
    assert row.figures == {"delta": 30, "resets": 0, "last": 130}


def test_counter_ignores_a_start_that_is_too_long_ago() -> None:
    """After a gap longer than two ticks nobody knows which hour the increase belongs to."""
    before = tick(-30, {REQUESTS: 0})
    row = row_of(aggregate([tick(0, {REQUESTS: 110})], HOUR, expected=30, kinds=KINDS, before=before), REQUESTS)
    assert row.figures == {"delta": None, "resets": 0, "last": 110}


def test_restart_inside_the_hour_gives_no_negative_and_no_doubled_value() -> None:
    """When the JVM restarts (another epoch), counting began at zero: 10 more before, 7 after, so 17."""
    ticks = [
        tick(0, {REQUESTS: 100}, epoch="1"),
        tick(2, {REQUESTS: 110}, epoch="1"),
        tick(4, {REQUESTS: 2}, epoch="2"),
        tick(6, {REQUESTS: 7}, epoch="2"),
    ]
    row = row_of(aggregate(ticks, HOUR, expected=30, kinds=KINDS), REQUESTS)
    assert row.figures == {"delta": 17, "resets": 1, "last": 7}


def test_restart_is_seen_by_the_epoch_even_when_the_value_grew() -> None:
    """A restarted counter that already passed its old value is still a reset."""
    assert counter_figures([(100, "1"), (150, "2")], None) == {"delta": 150, "resets": 1, "last": 150}


def test_unknown_epoch_is_no_restart() -> None:
    """A tick whose start time could not be read does not count everything again."""
    assert counter_figures([(100, "1"), (101, ""), (103, "1")], None)["delta"] == 3


@given(st.lists(st.tuples(st.integers(0, 10**15), st.sampled_from("12")), min_size=1, max_size=40))
def test_counter_never_goes_backwards(points: list[tuple[int, str]]) -> None:
    """Whatever a counter does, its increase over the hour is not negative."""
    delta = counter_figures(points, None)["delta"]
    assert delta is None or float(delta) >= 0


def test_info_keeps_the_last_text() -> None:
    """A text has no mean: the hour tells its last value."""
    version = Series("jmx", "jvm.version")
    ticks = [tick(0, {version: "17.0.1"}), tick(2, {version: "17.0.2"})]
    assert row_of(aggregate(ticks, HOUR, expected=30, kinds=KINDS), version).figures == {"value": "17.0.2"}


def test_failed_ticks_are_counted_with_their_reason() -> None:
    """Each tick in which a series is missing is named by the reason its source gave."""
    dead = tick(2, {}, outcome=Outcome.FAILED, failures=(Failure("", "refused", "Connection refused"),))
    partly = tick(4, {HEAP: 5}, failures=(Failure(REQUESTS.metric, "not-serializable"),))
    ticks = [tick(0, {HEAP: 4, REQUESTS: 1}), dead, partly]
    rows = aggregate(ticks, HOUR, expected=30, kinds=KINDS)
    assert row_of(rows, HEAP).failed == {"refused": 1}
    assert row_of(rows, REQUESTS).failed == {"refused": 1, "not-serializable": 1}
    assert row_of(rows, HEAP).samples == 2


def test_dead_source_says_not_seen_for_all_it_had() -> None:
    """After the target dies, the next rows say "not seen" instead of repeating a value (J9)."""
    known = aggregate([tick(0, {HEAP: 4})], HOUR, expected=30, kinds=KINDS)
    dead = [tick(2 * n, {}, outcome=Outcome.FAILED, failures=(Failure("", "refused"),)) for n in range(30)]
    for _ in range(3):  # hour after hour, for as long as the source is silent
        known = aggregate(dead, HOUR, expected=30, kinds=KINDS, known=known)
        assert [(row.series, dict(row.figures), row.samples, row.failed) for row in known] == [
            (HEAP, {}, 0, {"refused": 30})
        ]


def test_vanished_series_of_a_living_source_is_missed_once() -> None:
    """A bean that went away while its source answers is missed for one hour, then forgotten."""
    known = aggregate([tick(0, {HEAP: 4, REQUESTS: 1})], HOUR, expected=30, kinds=KINDS)
    alive = [tick(0, {HEAP: 5})]
    second = aggregate(alive, HOUR, expected=30, kinds=KINDS, known=known)
    assert row_of(second, REQUESTS).failed == {"not-seen": 1}
    third = aggregate(alive, HOUR, expected=30, kinds=KINDS, known=second)
    assert [row.series for row in third] == [HEAP]


def test_not_due_lowers_what_was_expected() -> None:
    """A guardrail that is asked for once an hour is complete with one sample."""
    issues = Series("jmx", "jira.issues")
    skipped = [tick(2 * n, {}, failures=(Failure("jira.issues", "not-due"),)) for n in range(1, 30)]
    row = row_of(aggregate([tick(0, {issues: 7}), *skipped], HOUR, expected=30, kinds={}), issues)
    assert (row.samples, row.expected, row.failed) == (1, 1, {})


@pytest.mark.parametrize("taken", [1, 10, 30])
def test_what_is_asked_once_an_hour_is_expected_once(taken: int) -> None:
    """Also in an hour that lacks ticks: of one that was never taken nobody can say that it would have been due.

    What is asked at every tick is missed in each of them.
    """
    issues = Series("jmx", "jira.issues")
    skipped = [tick(2 * n, {HEAP: 1}, failures=(Failure("jira.issues", "not-due"),)) for n in range(1, taken)]
    rows = aggregate(
        [tick(0, {issues: 7, HEAP: 1}), *skipped], HOUR, expected=30, kinds={}, hourly=frozenset({"jira.issues"})
    )
    assert (row_of(rows, issues).samples, row_of(rows, issues).expected) == (1, 1)
    assert (row_of(rows, HEAP).samples, row_of(rows, HEAP).expected) == (taken, 30)


def test_what_became_slow_is_expected_as_often_as_it_was_asked() -> None:
    """A count that its budget stretches is no entry of the catalog's: being not due at some tick tells it."""
    issues = Series("jmx", "jira.issues")
    skipped = [tick(2 * n, {}, failures=(Failure("jira.issues", "not-due"),)) for n in range(2, 10)]
    failed = tick(2, {}, failures=(Failure("jira.issues", "timeout"),))
    (row,) = aggregate([tick(0, {issues: 7}), failed, *skipped], HOUR, expected=30, kinds={})
    assert (row.samples, row.expected, row.failed) == (1, 2, {"timeout": 1})


def test_ticks_of_another_node_are_not_expected_of_this_one() -> None:
    """Of those that were never taken the turn is not known: they are missed."""
    issues = Series("jmx", "jira.issues")
    theirs = [tick(2 * n, {}, failures=(Failure("jira.issues", "other-node"),)) for n in range(1, 11)]
    (row,) = aggregate([tick(0, {issues: 7}), *theirs], HOUR, expected=30, kinds={})
    assert (row.samples, row.expected) == (1, 20)


def test_order_is_the_number_and_not_the_label() -> None:
    """A clock set back by a quarter of an hour within the hour: the increase is what was counted, no reset is seen."""
    minutes = [*range(0, 30, 2), *range(15, 60, 2)]
    ticks = [tick(minute, {REQUESTS: 100 * n, HEAP: n}, number=n + 1) for n, minute in enumerate(minutes)]
    rows = aggregate(random.Random(3).sample(ticks, len(ticks)), HOUR, expected=30, kinds=KINDS)
    last = len(minutes) - 1
    assert row_of(rows, REQUESTS).figures == {"delta": 100 * last, "resets": 0, "last": 100 * last}
    assert row_of(rows, HEAP).figures["last"] == last


def test_a_step_of_the_clock_is_no_gap_and_hides_none() -> None:
    """How long before the hour the last tick was is told by the seconds since the boot."""

    def at(minute: float, value: int, steady_s: float, number: int) -> Tick:
        made = tick(minute, {REQUESTS: value}, number=number)
        return replace(made, moment=Moment(made.taken_at, steady_s, "boot"))

    def delta(before: Tick, first: Tick) -> Value | None:
        rows = aggregate([first], HOUR, expected=30, kinds=KINDS, before=before)
        return row_of(rows, REQUESTS).figures["delta"]

    # Labelled an hour apart and taken two minutes apart; labelled two minutes apart and taken an hour apart.
    assert delta(at(-60, 100, 1000, 1), at(0, 110, 1120, 2)) == 10
    assert delta(at(-2, 100, 1000, 1), at(0, 110, 4600, 2)) is None


def test_what_a_product_does_not_have_makes_no_row() -> None:
    """ "Not present" is a normal answer of an older product, not a row of every hour."""
    ticks = [tick(0, {HEAP: 1}, failures=(Failure("jira.boards", "not-present"),))]
    assert [row.series for row in aggregate(ticks, HOUR, expected=30, kinds=KINDS)] == [HEAP]


def test_metric_that_always_failed_has_a_row() -> None:
    """A metric that was due and never arrived is in the hour, with its reasons and no figures."""
    ticks = [tick(2 * n, {HEAP: 1}, failures=(Failure("jira.issues", "timeout"),)) for n in range(3)]
    row = row_of(aggregate(ticks, HOUR, expected=30, kinds=KINDS), Series("jmx", "jira.issues"))
    assert (dict(row.figures), row.samples, row.failed) == ({}, 0, {"timeout": 3})


@given(st.lists(st.integers(-(10**12), 10**12), min_size=2, max_size=30), st.data())
def test_an_hour_is_the_same_however_its_ticks_are_grouped(values: list[int], data: st.DataObject) -> None:
    """Property: min, max, samples and delta do not depend on the order in which ticks arrive."""
    ticks = [tick(n, {HEAP: value, REQUESTS: abs(value)}, number=n) for n, value in enumerate(values)]
    mixed = data.draw(st.permutations(ticks))
    assert aggregate(mixed, HOUR, expected=30, kinds=KINDS) == aggregate(ticks, HOUR, expected=30, kinds=KINDS)
    assert START + timedelta(seconds=HOUR.length_s) == HOUR.end


def test_counts_speak_rather_than_estimates() -> None:
    """In an hour with both, the figures are of what was counted, and the row says so; estimates count as not due."""
    series = Series("jmx", "jira.guardrail.issues")

    def by(minute: int, value: int, **facts: Value) -> Tick:
        return replace(tick(minute, {}), samples=(Sample(series, value, tuple(facts.items())),))

    estimate = {"method": "estimate", "as_of": "2026-11-22T18:00:00Z"}
    mixed = [by(0, 900, **estimate), by(2, 1000, method="exact"), by(4, 900, **estimate)]
    (row,) = aggregate(mixed, HOUR, expected=3, kinds={})
    assert (row.figures["min"], row.figures["max"], row.figures["method"]) == (1000, 1000, "exact")
    assert "as_of" not in row.figures
    assert (row.samples, row.expected, row.failed) == (1, 1, {})
    (only_estimates,) = aggregate([mixed[0], mixed[2]], HOUR, expected=2, kinds={})
    assert (only_estimates.figures["method"], only_estimates.samples) == ("estimate", 2)


def test_cut_beans_have_a_row_though_others_are_there() -> None:
    """J16: a metric of which the cap cut some beans says so in the hour, beside the series that were read."""
    pool = Series("jmx", "pool.used", (("name", "a"),))
    ticks = [
        tick(2 * n, {pool: 1}, failures=(Failure("pool.used", "cut", "[jmx] max_beans leaves out 7 beans"),))
        for n in range(3)
    ]
    rows = aggregate(ticks, HOUR, expected=30, kinds={})
    assert row_of(rows, pool).samples == 3
    assert row_of(rows, Series("jmx", "pool.used")).failed == {"cut": 3}
