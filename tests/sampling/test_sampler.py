"""One tick: sources side by side, each paying only for itself."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator

import pytest

from agent.aggregation.aggregate import NOT_SEEN
from agent.errors import SourceError
from agent.model import Failure, Outcome, Reading, Sample, Series, SourceReport, Tick
from agent.reasons import REASONS
from agent.sampling import Sampler
from agent.sampling.sampler import BROKEN, BUSY, TIMEOUT
from tests.support.stopwatch import Stopwatch
from tests.support.ticks import HEAP, START, FunctionSource

GOOD = Reading((Sample(HEAP, 1),), epoch="7")


def report_of(tick: Tick, source: str) -> SourceReport:
    return next(report for report in tick.reports if report.source == source)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Lets hanging sources go at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


def hang(release: threading.Event) -> Reading:
    release.wait(30)
    return GOOD


def fail() -> Reading:
    raise SourceError("refused", "Cannot reach the JVM.", why="Connection refused.", do="Start it.")


def test_dead_source_costs_only_its_own_samples() -> None:
    """One source fails: the others' samples are there, and the tick says which failed and why."""
    sampler = Sampler([FunctionSource("good", lambda: GOOD), FunctionSource("dead", fail)])
    tick = sampler.take(START, 5)
    sampler.close()
    assert [sample.value for sample in tick.samples] == [1]
    dead = report_of(tick, "dead")
    assert (dead.outcome, dead.failures[0].reason, dead.do) == (Outcome.FAILED, "refused", "Start it.")
    assert report_of(tick, "good").outcome is Outcome.OK
    assert tick.epochs == {"good": "7"}


def test_hanging_source_costs_at_most_the_deadline(release: threading.Event) -> None:
    """A source that never answers delays the tick by the deadline, not more."""
    sampler = Sampler([FunctionSource("good", lambda: GOOD), FunctionSource("hung", lambda: hang(release))])
    watch = Stopwatch()
    tick = sampler.take(START, 0.3)
    assert watch.elapsed_s < 3
    assert report_of(tick, "hung").failures[0].reason == "timeout"
    assert len(tick.samples) == 1


def test_never_two_calls_in_flight(release: threading.Event) -> None:
    """While an old call hangs no new one is started; the tick says "busy" (J2)."""
    source = FunctionSource("hung", lambda: hang(release))
    sampler = Sampler([source])
    sampler.take(START, 0.05)
    second = sampler.take(START, 0.05)
    assert report_of(second, "hung").failures[0].reason == "busy"
    assert (source.reads, source.most_running) == (1, 1)


def test_late_answer_is_never_taken_for_a_fresh_one() -> None:
    """An answer that comes after its tick is thrown away; the next tick reads again."""
    answers = [1, 2]
    first_may_end = threading.Event()

    def answer() -> Reading:
        value = answers.pop(0)
        if value == 1:
            first_may_end.wait(30)
        return Reading((Sample(HEAP, value),))

    source = FunctionSource("slow", answer)
    sampler = Sampler([source])
    assert sampler.take(START, 0.05).samples == ()
    first_may_end.set()
    deadline = time.monotonic() + 10
    while source.running and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    tick = sampler.take(START, 5)
    if not tick.samples:  # the worker had not yet noted the end of the first call
        tick = sampler.take(START, 5)
    sampler.close()
    assert [sample.value for sample in tick.samples] == [2]


def test_fault_in_a_source_does_not_end_the_tick() -> None:
    """A bug in one source (any exception) is that source's failure, told with its type."""

    def broken() -> Reading:
        raise ZeroDivisionError("division by zero")

    sampler = Sampler([FunctionSource("broken", broken), FunctionSource("good", lambda: GOOD)])
    tick = sampler.take(START, 5)
    sampler.close()
    assert report_of(tick, "broken").failures[0].reason == "internal-error"
    assert "ZeroDivisionError" in report_of(tick, "broken").why
    assert report_of(tick, "good").outcome is Outcome.OK


def test_missing_parts_make_a_source_partial() -> None:
    """A source that gave some is partial; what the product does not have at all does not count against it."""
    partly = Reading(GOOD.samples, (Failure("a", "timeout"),))
    absent = Reading(GOOD.samples, (Failure("a", "not-present"), Failure("b", "not-due")))
    sampler = Sampler([FunctionSource("partly", lambda: partly), FunctionSource("absent", lambda: absent)])
    tick = sampler.take(START, 5)
    sampler.close()
    assert report_of(tick, "partly").outcome is Outcome.PARTIAL
    assert report_of(tick, "absent").outcome is Outcome.OK


TOO_LARGE = 10**400  # a whole number, and no figure of an hour can be made of it


@pytest.mark.fault(65)
@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan, TOO_LARGE, -TOO_LARGE], ids=str)
def test_a_number_that_is_none_costs_its_sample_only(odd: float) -> None:
    """Infinity, as a value or as a fact beside it, is a failure of its metric; what stands beside it is kept."""
    samples = (
        *GOOD.samples,
        Sample(Series("jmx", "a"), odd),
        Sample(Series("jmx", "b", (("x", "1"),)), 1, (("method", "exact"), ("share", odd))),
        Sample(Series("jmx", "b", (("x", "2"),)), 2),
        Sample(Series("jmx", "c"), 2**62),
    )
    sampler = Sampler([FunctionSource("odd", lambda: Reading(samples, (Failure("d", "timeout"),)))])
    tick = sampler.take(START, 5)
    sampler.close()
    assert tick.samples == (*GOOD.samples, samples[-2], samples[-1])
    report = report_of(tick, "odd")
    assert [(one.metric, one.reason) for one in report.failures] == [
        ("d", "timeout"),
        ("a", "not-finite"),
        ("b", "not-finite"),
    ]
    assert (report.outcome, report.samples) == (Outcome.PARTIAL, len(tick.samples))


def test_what_sampling_and_aggregation_say_may_leave_as_it_is() -> None:
    """Their reasons are known codes: no row has to say "other" for them."""
    assert {BUSY, BROKEN, TIMEOUT, NOT_SEEN} <= REASONS


def test_stop_ends_a_tick_at_once(release: threading.Event) -> None:
    """`systemctl stop` in the middle of a hanging read is answered within about a second."""
    sampler = Sampler([FunctionSource("hung", lambda: hang(release))])
    stopping = threading.Event()
    threading.Timer(0.1, stopping.set).start()
    watch = Stopwatch()
    sampler.take(START, 60, stopping)
    assert watch.elapsed_s < 5


def test_close_closes_every_source() -> None:
    """Closing ends the threads and closes the sources."""
    sources = [FunctionSource("a", lambda: GOOD), FunctionSource("b", lambda: GOOD)]
    sampler = Sampler(sources)
    sampler.close(5)
    assert all(source.closed.is_set() for source in sources)


def learning(learnt: list[str], word: str) -> Reading:
    """A reading that teaches its source a word."""
    return Reading(GOOD.samples, commit=lambda: learnt.append(word))


def test_what_was_learnt_counts_when_the_reading_was_accepted(release: threading.Event) -> None:
    """A reading in time is committed once, by the sampler's own thread; a late one never, not even when it comes."""
    learnt: list[str] = []
    threads: list[threading.Thread] = []

    def in_time() -> Reading:
        return Reading(GOOD.samples, commit=lambda: threads.append(threading.current_thread()))

    def late() -> Reading:
        release.wait(30)
        return learning(learnt, "late")

    hung = FunctionSource("hung", late)
    sampler = Sampler([FunctionSource("good", in_time), hung])
    sampler.take(START, 0.3)
    assert threads == [threading.current_thread()]
    release.set()
    sampler.close(30)
    assert hung.closed.is_set(), "the late answer has come"
    assert learnt == []


def test_a_tick_that_is_cut_short_teaches_nothing() -> None:
    """It is not stored, so nothing of it was read."""
    learnt: list[str] = []
    stopping = threading.Event()

    def stop() -> Reading:
        stopping.set()
        return learning(learnt, "cut")

    sampler = Sampler([FunctionSource("a", stop)])
    sampler.take(START, 5, stopping)
    sampler.close()
    assert learnt == []


def test_a_fault_while_learning_costs_that_source_only() -> None:
    """A bug in what a source learns is told as one, and its samples do not count either."""

    def broken() -> None:
        raise ZeroDivisionError("division by zero")

    sampler = Sampler(
        [FunctionSource("broken", lambda: Reading(GOOD.samples, commit=broken)), FunctionSource("good", lambda: GOOD)]
    )
    tick = sampler.take(START, 5)
    sampler.close()
    assert report_of(tick, "broken").failures[0].reason == "internal-error"
    assert len(tick.samples) == 1


def test_a_source_is_given_less_than_the_tick_waits() -> None:
    """What it gives at the last moment of its own time is in time for the tick."""
    given: list[float] = []

    class Asked(FunctionSource):
        def read(self, deadline_s: float) -> Reading:
            given.append(deadline_s)
            return GOOD

    sampler = Sampler([Asked("a", lambda: GOOD)])
    sampler.take(START, 10)
    sampler.close()
    assert given == [pytest.approx(9)]
