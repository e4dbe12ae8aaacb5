"""What stands in for a count that takes too long: the database's own idea of how many rows there are.

In:   a query of the catalog, a read-only connection. Out: for each column that can be estimated, a `Guess`: rows, or
      None where the database does not know, and since when it believes so.
Two kinds: the noted size of a whole table, and for a count with a condition the rows its planner expects, by EXPLAIN of
a statement that is never run (PostgreSQL, MySQL, MariaDB; elsewhere EXPLAIN writes or needs further rights). A table
that was never analysed is known by no planner. MySQL's planner knows a condition only by an index: what an index does
not decide it guesses without looking, and such a figure is not used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from agent.catalog import SqlQuery
from agent.catalog.reasons import NOT_PRESENT
from agent.sources.governor import CostGovernor

UNKNOWN = "unknown"
EXPLAIN = {"postgresql": "explain (format json) ", "mysql": "explain format=json "}
BY_INDEX = frozenset({"const", "eq_ref", "ref", "ref_or_null", "range", "index_merge", "system"})
_COLUMN = re.compile(r"\.`?(\w+)`?(?!`?\.)")
_TEXT = re.compile(r"'(?:[^']|'')*'")


@dataclass(frozen=True, slots=True)
class Guess:
    """About how many rows, None when the database does not know; `as_of` is UTC or "unknown"."""

    rows: float | None
    as_of: str


class Estimates:
    """Asks for estimates; those of one query no more often than 1 % of the time allows."""

    def __init__(self, tables: Mapping[str, str], clock: Callable[[], float], tick_s: float = 0.0) -> None:
        self._tables = tables
        self._clock = clock
        self._governor = CostGovernor(tick_s=tick_s)

    def due(self, query: SqlQuery) -> bool:
        """Whether `query` has an estimate that may be asked for now."""
        return bool(query.estimate or query.planned) and self._governor.wait_s(query.name, self._clock()) <= 0

    def ask(self, connection: Connection, dialect: str, query: SqlQuery) -> dict[str, Guess]:
        """By column; {} for a database that cannot be asked. Raises when the connection is lost."""
        began_s = self._clock()
        found: dict[str, Guess] = {}
        if dialect in self._tables:
            if query.estimate is not None:
                guess = self._whole(connection, dialect, query.estimate.table)
                found |= {} if guess is None else {query.estimate.column: guess}
            found |= dict(self._planned(connection, dialect, query))
        absent = "" if found else NOT_PRESENT
        self._governor.note(query.name, began_s, self._clock() - began_s, absent, accepted=False)
        return found

    def accept(self, queries: Iterable[str]) -> None:
        """The readings for which these queries were estimated were accepted."""
        self._governor.accept(queries)

    def _whole(self, connection: Connection, dialect: str, table: str) -> Guess | None:
        """The noted size of a table; the text for an account of views is tried where the first one knows nothing."""
        answer: Guess | None = None
        for words in (self._tables.get(dialect), self._tables.get(f"{dialect}.restricted")):
            if words is None or (answer is not None and answer.rows is not None):
                continue
            row = self._row(connection, words, {"wanted": table})
            if row is not None:
                answer = Guess(_number(row.get("n")), _instant(row.get("as_of")))
        return answer

    def _planned(self, connection: Connection, dialect: str, query: SqlQuery) -> Iterator[tuple[str, Guess]]:
        """What the planner expects of each condition, as long as it knows the table at all."""
        tables: dict[str, Guess | None] = {}
        for planned in query.planned:
            words = planned.texts.get(dialect, planned.texts.get(""))
            if dialect not in EXPLAIN or words is None:
                continue
            if planned.table not in tables:
                tables[planned.table] = self._whole(connection, dialect, planned.table)
            known = tables[planned.table]
            # Of a table that was never analysed the planner says some number all the same.
            if known is None or known.rows is None:
                continue
            row = self._row(connection, EXPLAIN[dialect] + words)
            rows = None if row is None else planned_rows(dialect, next(iter(row.values()), None))
            if rows is not None:
                # No more than the whole table: what a planner expects of a condition may be more than that.
                yield planned.column, Guess(min(rows, known.rows), known.as_of)

    def _row(
        self, connection: Connection, words: str, values: Mapping[str, str] | None = None
    ) -> dict[str, Any] | None:
        """The first row, or None when the database refuses; raises when the connection is lost."""
        try:
            with connection.begin() as transaction:
                if values is None:
                    row = connection.exec_driver_sql(words).mappings().first()
                else:
                    row = connection.execute(text(words), values).mappings().first()
                transaction.rollback()
        except SQLAlchemyError:
            if connection.closed or connection.invalidated:
                raise
            return None
        return None if row is None else {str(column).lower(): value for column, value in row.items()}


def planned_rows(dialect: str, answer: object) -> float | None:
    """The rows that a planner expects of a statement on one table; None when its answer does not tell."""
    if isinstance(answer, str | bytes):
        try:
            answer = json.loads(answer)
        except ValueError:
            return None
    if dialect == "postgresql":
        plan = answer[0].get("Plan") if isinstance(answer, list) and answer and isinstance(answer[0], dict) else None
        return _number(plan.get("Plan Rows")) if isinstance(plan, dict) else None
    return _planned_by_mysql(answer)


def _planned_by_mysql(answer: object) -> float | None:
    block = answer.get("query_block") if isinstance(answer, dict) else None
    if not isinstance(block, dict):
        return None
    steps = block.get("nested_loop")
    step = steps[0] if isinstance(steps, list) and len(steps) == 1 else block
    table = step.get("table") if isinstance(step, dict) else None
    if not isinstance(table, dict) or str(table.get("access_type", "")).lower() not in BY_INDEX:
        return None
    by_index = {str(part).lower() for part in table.get("used_key_parts") or ()}
    left = " ".join(str(table.get(name, "")) for name in ("attached_condition", "index_condition"))
    if {column.lower() for column in _COLUMN.findall(_TEXT.sub("", left))} - by_index:
        return None  # the rest of the condition is a guess without looking
    return _number(table.get("rows_examined_per_scan", table.get("rows")))


def _number(value: object) -> float | None:
    """A count of rows, None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not 0 <= value < 1e15:
        return None
    return float(value)


def _instant(value: object) -> str:
    """The instant an estimate is from, as it may leave; a database that does not tell is "unknown"."""
    if not isinstance(value, datetime):
        return UNKNOWN
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
