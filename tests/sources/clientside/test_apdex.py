"""Jira's Apdex log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.sources.clientside.apdex import MOST_PAGES, WORDS, Apdex, accepts


def line(page: str, satisfied: int, tolerating: int = 0, frustrated: int = 0) -> bytes:
    return (
        f"2026-11-22 10:00:00,123+0000 category: {page}, apdex: {{apdexScore=1, satisfiedCount={satisfied}, "
        f"toleratingCount={tolerating}, frustratedCount={frustrated}}}\n"
    ).encode()


def told(apdex: Apdex, known: set[str]) -> dict[tuple[object, ...], object]:
    return {(metric, *(value for _, value in tags)): number for metric, number, tags in apdex.tell(known)}


def test_views_and_score() -> None:
    """A page is told as 0 first; then its views, and the score of exactly these views."""
    apdex, known = Apdex(5), set[str]()
    apdex.count(line("jira.dashboard", 12, 6, 6))
    assert told(apdex, known) == {
        ("clientside.apdex.views", "jira.dashboard", kind): 0 for kind in ("satisfied", "tolerating", "frustrated")
    }
    found = told(apdex, known)
    assert found[("clientside.apdex.score", "jira.dashboard")] == 62.5
    assert found[("clientside.apdex.views", "jira.dashboard", "tolerating")] == 6
    assert ("clientside.apdex.score", "jira.dashboard") not in told(apdex, known)


def test_few_views_wait() -> None:
    """Four views of a page are not told; with the next hour's they are."""
    apdex, known = Apdex(5), {"jira.dashboard"}
    apdex.count(line("jira.dashboard", 4))
    assert told(apdex, known)[("clientside.apdex.views", "jira.dashboard", "satisfied")] == 0
    apdex.count(line("jira.dashboard", 1))
    assert told(apdex, known)[("clientside.apdex.views", "jira.dashboard", "satisfied")] == 5


def test_few_frustrated_views_wait_among_many() -> None:
    """One frustrated user of a busy page: neither the count nor the score tells of one; four more make both told."""
    apdex, known = Apdex(5), {"jira.dashboard"}
    apdex.count(line("jira.dashboard", 90, 0, 1))
    found = told(apdex, known)
    assert found[("clientside.apdex.views", "jira.dashboard", "satisfied")] == 90
    assert found[("clientside.apdex.views", "jira.dashboard", "frustrated")] == 0
    assert ("clientside.apdex.score", "jira.dashboard") not in found
    apdex.count(line("jira.dashboard", 5, 0, 4))
    found = told(apdex, known)
    assert found[("clientside.apdex.views", "jira.dashboard", "frustrated")] == 5
    assert found[("clientside.apdex.score", "jira.dashboard")] == 95


def test_views_of_all_pages_are_not_told() -> None:
    """Jira logs the sum as "overall": less the pages that are told it would be the views of one that is not."""
    apdex, known = Apdex(5), {"overall", "jira.dashboard"}
    apdex.count(line("overall", 99) + line("jira.dashboard", 95) + line("jira.backlog", 4))
    found = told(apdex, known)
    assert found[("clientside.apdex.score", "overall")] == 100
    assert sum(value for key, value in found.items() if key[0] == "clientside.apdex.views") == 95  # type: ignore[misc]


@given(st.lists(st.lists(st.tuples(*[st.integers(0, 7)] * 3), max_size=3), max_size=12))
def test_no_two_counts_differ_by_few_views(ticks: list[list[tuple[int, int, int]]]) -> None:
    """Whatever comes in which tick, each count stands still or grows by five at least, and lags by fewer than five."""
    apdex, known = Apdex(5), {"jira.dashboard"}
    before: dict[tuple[object, ...], object] = {}
    for lines in ticks:
        apdex.count(b"".join(line("jira.dashboard", *views) for views in lines))
        now = told(apdex, known)
        for key, value in now.items():
            if key[0] == "clientside.apdex.views":
                grew = value - before.get(key, 0)  # type: ignore[operator]  # numbers
                assert grew == 0 or grew >= 5
        before = now
    for position, kind in enumerate(("satisfied", "tolerating", "frustrated")):
        seen = sum(views[position] for lines in ticks for views in lines)
        key = ("clientside.apdex.views", "jira.dashboard", kind)
        assert 0 <= seen - before.get(key, 0) < 5  # type: ignore[operator]  # numbers


def test_keys_that_public_pages_name_are_told() -> None:
    """The keys that are known of Jira are told as they are."""
    apdex = Apdex(1)
    keys = {"jira.dashboard", "jira.issue.nav-list", "jira.header.menu.profile", "overall"}
    keys |= {
        f"jira.gadgets.iframe.{name}"
        for name in ("activity-stream", "assigned-to-me", "filter-results", "pie-chart", "two-dimensional-stats")
    }
    apdex.count(b"".join(line(key, 5) for key in keys))
    assert apdex.dump().keys() == keys


def test_keys_that_are_not_jiras_own_words_are_other() -> None:
    """A key with a project key, a name or an app's key is counted as other, in small letters too; so are too many."""
    apdex, known = Apdex(1), set[str]()
    strange = ["PLANTEDKEY-4711", "erika.mustermann", "jira.project.PLANTED", "com.example.app.page", "jira.x1"]
    strange += ["jira.mustermann", "jira.project.erika-mustermann", "jira.issue-erika", "jira"]
    for key in strange:
        apdex.count(line(key, 5))
    assert apdex.dump().keys() == {"other"}
    for first in WORDS:
        for second in WORDS[:5]:
            apdex.count(line(f"jira.{first}.{second}", 5))
    assert len(apdex.dump()) <= MOST_PAGES + 1
    assert sum(numbers[1] for numbers in apdex.dump().values()) == 5 * (len(strange) + 5 * len(WORDS))
    told(apdex, known)


def test_other_lines_and_names() -> None:
    """Lines of another form are passed over; rotated files are part of the log, others are not."""
    apdex = Apdex(1)
    apdex.count(b"2026-11-22 stack trace\n" + line("overall", 5) + b"category: overall, apdex: {}\n")
    assert apdex.dump()["overall"][1] == 5
    assert accepts("atlassian-jira-apdex.log")
    assert accepts("atlassian-jira-apdex.log.3")
    assert not accepts("atlassian-jira-apdex.log.bak")
    assert not accepts("atlassian-jira.log")
