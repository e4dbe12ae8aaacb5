"""Jira's Apdex log."""

from __future__ import annotations

from agent.sources.clientside.apdex import MOST_PAGES, Apdex, accepts


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
    apdex.count(line("jira.dashboard", 6, 2, 2))
    assert told(apdex, known) == {
        ("clientside.apdex.views", "jira.dashboard", kind): 0 for kind in ("satisfied", "tolerating", "frustrated")
    }
    found = told(apdex, known)
    assert found[("clientside.apdex.score", "jira.dashboard")] == 70
    assert found[("clientside.apdex.views", "jira.dashboard", "tolerating")] == 2
    assert ("clientside.apdex.score", "jira.dashboard") not in told(apdex, known)


def test_few_views_wait() -> None:
    """Four views of a page are not told; with the next hour's they are."""
    apdex, known = Apdex(5), {"overall"}
    apdex.count(line("overall", 4))
    assert told(apdex, known)[("clientside.apdex.views", "overall", "satisfied")] == 0
    apdex.count(line("overall", 1))
    assert told(apdex, known)[("clientside.apdex.views", "overall", "satisfied")] == 5


def test_keys_that_are_not_jiras_own_words_are_other() -> None:
    """A key with a project key, a user's word or an app's name is counted as other; so are too many."""
    apdex, known = Apdex(1), set[str]()
    for key in ("PLANTEDKEY-4711", "erika.mustermann", "jira.project.PLANTED", "com.example.app.page", "jira.x1"):
        apdex.count(line(key, 5))
    assert apdex.dump().keys() == {"other"}
    letters = "abcdefghijklmnopqrstuvwxyz"
    for first in letters:
        for second in letters:
            apdex.count(line(f"jira.{first}{second}", 5))
    assert len(apdex.dump()) <= MOST_PAGES + 1
    assert sum(numbers[1] for numbers in apdex.dump().values()) == 5 * (5 + 26 * 26)
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
