"""Counters that never tell of a small group, and percentiles within the error they name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.sources.clientside.figures import LONGEST_US, Requests, Row, cell_of, middle_of, percentile_us

ORDER = (0, 1, 2)


def told(requests: Requests) -> dict[tuple[object, ...], object]:
    return {(metric, *(value for _, value in tags)): number for metric, number, tags in requests.tell()}


def row(path: bytes = b"/rest", status: bytes = b"200", took: bytes = b"10") -> Row:
    return path, status, took


@given(
    st.lists(st.lists(st.sampled_from([row(), row(status=b"500"), row(b"/x", took=b"7000")]), max_size=9), max_size=20)
)
def test_no_two_values_differ_by_a_small_group(ticks: list[list[Row]]) -> None:
    """Each counter stands still or grows by at least five; in the end it lags by fewer than five; none is lost."""
    requests = Requests(5)
    before = told(requests)
    for rows in ticks:
        requests.count(rows, ORDER, 1000)
        now = told(requests)
        for key, value in now.items():
            if "percent" in str(key[0]) or ".p" in str(key[0]) or "sum" in str(key[0]):
                continue
            grew = value - before[key]  # type: ignore[operator]  # numbers
            assert grew == 0 or grew >= 5
        before = now
    rest = sum(path == b"/rest" for rows in ticks for path, _, _ in rows)
    assert 0 <= rest - before[("clientside.requests", "rest")] < 5  # type: ignore[operator]  # numbers


@given(st.lists(st.lists(st.sampled_from([row(), row(status=b"500")]), max_size=9), max_size=20))
def test_share_of_errors_tells_of_no_small_group(ticks: list[list[Row]]) -> None:
    """Whenever a share is told, the errors it is over and the others are each none or five at least: no share times the
    requests of its time gives one person's error. Nothing is lost: what waits is fewer than five of one kind."""
    requests, gathered = Requests(5), [0, 0]
    for rows in ticks:
        requests.count(rows, ORDER, 1000)
        for _, status, _ in rows:
            gathered[status == b"500"] += 1
        share = told(requests).get(("clientside.requests.error_percent", "rest"))
        if share is not None:
            assert share == 100 * gathered[1] / sum(gathered)
            assert all(part == 0 or part >= 5 for part in gathered)
            gathered = [0, 0]
    assert not any(gathered) or any(0 < part < 5 for part in gathered)


def test_one_error_among_many_waits() -> None:
    """One 5xx of a hundred requests is in no figure of that tick; the fifth makes the share of all of them told."""
    requests = Requests(5)
    requests.count([row()] * 99 + [row(status=b"500")], ORDER, 1000)
    found = told(requests)
    assert found[("clientside.requests", "rest")] == 100
    assert found[("clientside.requests.by_status", "rest", "5xx")] == 0
    assert ("clientside.requests.error_percent", "rest") not in found
    requests.count([row(status=b"500")] * 4, ORDER, 1000)
    assert told(requests)[("clientside.requests.error_percent", "rest")] == 100 * 5 / 104


def test_series_are_the_same_in_every_tick() -> None:
    """Counters of all classes are there from the first tick on, as 0, so that the first requests are an increase."""
    requests = Requests(5)
    first = set(told(requests))
    requests.count([row()] * 9, ORDER, 1000)
    assert first <= told(requests).keys()
    assert told(Requests(5))[("clientside.requests", "scm")] == 0


def test_figures_of_some_requests() -> None:
    """Counts, sum, share of errors and percentiles of one class."""
    requests = Requests(5)
    requests.count([row(took=b"10")] * 90 + [row(status=b"503", took=b"3000")] * 10, ORDER, 1000)
    found = told(requests)
    assert found[("clientside.requests", "rest")] == 100
    assert found[("clientside.requests.by_status", "rest", "5xx")] == 10
    assert found[("clientside.requests.by_duration", "rest", "50")] == 90
    assert found[("clientside.requests.by_duration", "rest", "5000")] == 10
    assert found[("clientside.requests.duration_sum", "rest")] == 90 * 10 + 10 * 3000
    assert found[("clientside.requests.error_percent", "rest")] == 10
    assert (
        found[("clientside.response.p50", "rest")] == 10 or abs(found[("clientside.response.p50", "rest")] - 10) < 0.6
    )  # type: ignore[operator]  # numbers
    assert abs(found[("clientside.response.p95", "rest")] - 3000) < 180  # type: ignore[operator]  # numbers


def test_unit_is_applied() -> None:
    """The same digits as microseconds are a thousandth."""
    requests = Requests(1)
    requests.count([row(took=b"3000")], ORDER, 1)
    assert told(requests)[("clientside.requests.duration_sum", "rest")] == 3
    requests.count([row(took=b"0.5")], ORDER, 1_000_000)
    assert told(requests)[("clientside.requests.duration_sum", "rest")] == 503


def test_counters_go_on_from_a_dump() -> None:
    """What waits is kept too."""
    requests = Requests(5)
    requests.count([row()] * 7, ORDER, 1000)
    told(requests)
    requests.count([row()] * 3, ORDER, 1000)
    other = Requests(5)
    other.load(requests.dump())
    other.count([row()] * 2, ORDER, 1000)
    assert told(other)[("clientside.requests", "rest")] == 12


@given(st.integers(0, LONGEST_US))
def test_cell_is_right_within_six_percent(value: int) -> None:
    """A duration's cell has its middle near it; percentiles are no further off."""
    assert abs(middle_of(cell_of(value)) - value) <= 0.0625 * value


@given(st.lists(st.integers(0, LONGEST_US), min_size=1, max_size=60), st.sampled_from([50, 95, 99]))
def test_percentile_is_nearest_rank(values: list[int], percent: int) -> None:
    """The estimate is within 6.25 % of the exact percentile."""
    cells = [0] * 1024
    for value in values:
        cells[cell_of(value)] += 1
    exact = sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]
    assert abs(percentile_us(cells, len(values), percent) - exact) <= 0.0625 * exact
