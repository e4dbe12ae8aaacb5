"""Which text of a statement an account can run, learnt from what failed."""

from __future__ import annotations

import pytest

from agent.catalog import SqlQuery
from agent.errors import SourceError
from agent.sources.restricted import RestrictedStatements

QUERY = SqlQuery("q", {"": "select a"}, "", "S", "", restricted={"": "select b"})


@pytest.mark.parametrize("reason", ["permission-denied", "not-present"])
def test_the_restricted_text_is_tried_once_and_kept(reason: str) -> None:
    """After a lack of rights, or a column that a view does not show, the other text is used from then on."""
    learnt, failed = RestrictedStatements(), SourceError(reason, "first")
    assert learnt.text(QUERY, "mysql") == "select a"
    assert learnt.asks_again(QUERY, "mysql", failed)
    assert learnt.text(QUERY, "mysql") == "select b"
    assert not learnt.asks_again(QUERY, "mysql", failed)


def test_what_failed_first_is_told() -> None:
    """That the view is missing too is not what an admin must mend; afterwards the table itself is tried again."""
    learnt, first = RestrictedStatements(), SourceError("permission-denied", "first")
    learnt.asks_again(QUERY, "mysql", first)
    assert learnt.to_report(QUERY, SourceError("not-present", "second")) is first
    assert learnt.text(QUERY, "mysql") == "select a"


def test_a_timeout_is_no_lack_of_rights() -> None:
    """A restricted text that took too long is told as that and stays in use."""
    learnt, late = RestrictedStatements(), SourceError("timeout", "late")
    assert not learnt.asks_again(QUERY, "mysql", late)
    learnt.asks_again(QUERY, "mysql", SourceError("permission-denied", "first"))
    assert learnt.to_report(QUERY, late) is late
    assert learnt.text(QUERY, "mysql") == "select b"


def test_without_a_restricted_text_nothing_is_tried() -> None:
    """Most statements have none."""
    plain = SqlQuery("q", {"": "select a"}, "", "S", "")
    assert not RestrictedStatements().asks_again(plain, "mysql", SourceError("permission-denied", "first"))
