"""Which statements an account can run only over the views that its role script makes, and what failed before that.

In:   what a statement of the catalog failed with. Out: whether to ask once more with its `restricted` text, and from
      then on which text to use. A view that lacks a column says "not-present" where a table says "permission-denied".
When the restricted text fails too, the first failure is the one to tell: that is what the account may not do.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.catalog import SqlQuery
from agent.errors import SourceError
from agent.reasons import NOT_PRESENT, PERMISSION_DENIED


class RestrictedStatements:
    """What was learnt of one account."""

    def __init__(self, refused: Mapping[str, SourceError] | None = None) -> None:
        self._refused = dict(refused or {})

    def copy(self) -> RestrictedStatements:
        """The same to learn with in one reading; it takes the place of this one when the reading was accepted."""
        return RestrictedStatements(self._refused)

    def text(self, query: SqlQuery, dialect: str) -> str | None:
        """The text to run; None when the query has none for this database."""
        return query.restricted_text(dialect) if query.name in self._refused else query.text(dialect)

    def asks_again(self, query: SqlQuery, dialect: str, failed: SourceError) -> bool:
        """Whether the restricted text is worth a try after this failure."""
        if failed.reason not in (PERMISSION_DENIED, NOT_PRESENT) or query.name in self._refused:
            return False
        if query.restricted_text(dialect) is None:
            return False
        self._refused[query.name] = failed
        return True

    def to_report(self, query: SqlQuery, failed: SourceError) -> SourceError:
        """The failure to report; the next time the table itself is tried again, unless it only took too long."""
        if failed.reason not in (PERMISSION_DENIED, NOT_PRESENT):
            return failed
        return self._refused.pop(query.name, failed)
