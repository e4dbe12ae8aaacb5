"""Guardrails: counts from the product's database, one named query at a time.

In:   the catalog's `.sql` files, a read-only engine with a statement timeout (agent.product), what each query cost.
Out:  Samples, whole numbers wherever the database gave one. Each query has its own transaction, timeout and
      error: a slow or missing one costs only its own metrics. A missing table or column is "not-present",
      never 0. A query that would take more than 1 % of the time since its last run is "not-due".
      SourceError only when the database cannot be reached at all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from agent.catalog import Catalog, Metric, NullMeans, SqlQuery
from agent.catalog.reasons import (
    DEADLINE,
    NOT_A_NUMBER,
    NOT_DUE,
    NOT_FINITE,
    NOT_PRESENT,
    NOT_SUPPORTED,
    PERMISSION_DENIED,
)
from agent.errors import SourceError
from agent.model import Failure, Kind, Reading, Sample, Series
from agent.product.database_errors import DeadlinePassed, map_database_error
from agent.settings import Settings
from agent.sources.base import once_each
from agent.sources.governor import CostGovernor

NAME = "guardrails"
DIALECTS = {"mariadb": "mysql", "mssql": "sqlserver"}  # SQLAlchemy's word -> the catalog's
TEXT_LIMIT = 200
LEAST_S = 0.05  # with less time left a query is not begun

Row = Mapping[str, Any]


class Guardrails:
    """The guardrail queries of one product, over one connection that lives for one read."""

    name = NAME

    def __init__(
        self,
        catalog: Catalog,
        open_engine: Callable[[], Engine],
        *,
        governor: CostGovernor | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics: dict[str, list[Metric]] = {}
        for metric in catalog.of_source(NAME):
            if metric.sql is not None:
                self._metrics.setdefault(metric.sql.query, []).append(metric)
        self._queries = catalog.queries
        self._open_engine = open_engine
        self._governor = governor or CostGovernor()
        self._clock = clock
        self._engine: Engine | None = None

    def read(self, deadline_s: float) -> Reading:
        """The due queries, cheapest first, as far as `deadline_s` reaches; the others with what kept them."""
        began_s = self._clock()
        end_s = began_s + deadline_s
        samples: list[Sample] = []
        failures: list[Failure] = []
        waiting = self._due(failures)
        due = [query.name for query in waiting]
        if not waiting:
            return Reading((), once_each(failures))
        try:
            with self._connect() as connection:
                while waiting:
                    if not self._fits(waiting[0], end_s - self._clock()):
                        failures += self._all(waiting.pop(0), DEADLINE)
                        continue
                    self._ask(connection, waiting[0], samples, failures)
                    waiting.pop(0)
        except (SQLAlchemyError, DeadlinePassed, SourceError) as error:
            # Never was or is no more: nothing further can be asked, but what came before still counts.
            self.close()
            lost = map_database_error(error)
            if not samples:
                # `from None`: a driver's message may carry the whole address, login included.
                raise lost from None
            failures += [failed for query in waiting for failed in self._all(query, lost.reason, lost.why)]
        runs = {name: run for name in due if (run := self._governor.last(name)) is not None}
        costs_s = {name: run.took_s for name, run in runs.items() if run.began_s >= began_s}
        return Reading(tuple(samples), once_each(failures), costs_s=costs_s)

    def close(self) -> None:
        """Forget the engine; the next read makes another."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _connect(self) -> Connection:
        if self._engine is None:
            self._engine = self._open_engine()
        return self._engine.connect()

    def _fits(self, query: SqlQuery, left_s: float) -> bool:
        """Whether a query may begin: as long as its last run took must be left, and always a little."""
        last = self._governor.last(query.name)
        return left_s >= max(LEAST_S, 0.0 if last is None else last.took_s)

    def _due(self, failures: list[Failure]) -> list[SqlQuery]:
        now_s = self._clock()
        due = []
        for name in self._metrics:
            wait_s = self._governor.wait_s(name, now_s)
            last = self._governor.last(name)
            if wait_s <= 0:
                due.append((0.0 if last is None else last.took_s, name))
            elif last is not None and last.absent:
                failures += self._all(self._queries[name], last.absent, f"asked again in {wait_s:.0f} s")
            elif last is not None:
                detail = f"its last run took {last.took_s:.2f} s; due in {wait_s:.0f} s"
                failures += self._all(self._queries[name], NOT_DUE, detail)
        return [self._queries[name] for _, name in sorted(due)]

    def _all(self, query: SqlQuery, reason: str, detail: str = "") -> list[Failure]:
        return [Failure(metric.name, reason, detail) for metric in self._metrics[query.name]]

    def _ask(self, connection: Connection, query: SqlQuery, samples: list[Sample], failures: list[Failure]) -> None:
        """Run one query in a transaction of its own and learn its cost. Raises when the connection is lost."""
        dialect = connection.dialect.name
        text = query.text(DIALECTS.get(dialect, dialect))
        if text is None:
            failures += self._all(query, NOT_SUPPORTED, dialect)
            return
        began_s = self._clock()
        try:
            with connection.begin() as transaction:
                row = connection.exec_driver_sql(text).mappings().first()
                transaction.rollback()
        except (SQLAlchemyError, DeadlinePassed) as error:
            failed = map_database_error(error)
            took_s = self._clock() - began_s
            absent = failed.reason if failed.reason in (NOT_PRESENT, PERMISSION_DENIED) else ""
            self._governor.note(query.name, began_s, took_s, absent)
            if connection.closed or connection.invalidated or isinstance(error, DeadlinePassed):
                raise
            failures += self._all(query, failed.reason, failed.why)
            return
        self._governor.note(query.name, began_s, self._clock() - began_s)
        found = {str(column).lower(): value for column, value in (row or {}).items()}
        for metric in self._metrics[query.name]:
            answer = _sample(metric, query, found)
            if isinstance(answer, Sample):
                samples.append(answer)
            else:
                failures.append(answer)


def open_guardrails(settings: Settings, catalog: Catalog) -> Guardrails:
    """The guardrails of this configuration; where the database is and as whom is read for each connection."""
    from agent.product.database import read_login
    from agent.product.engine import open_engine

    def engine() -> Engine:
        database = settings.database
        opened = open_engine(read_login(settings), database.statement_timeout_s, lambda: read_login(settings))
        if not database.refuses_writable_login:
            return opened
        from agent.product.readonly import refuse_writable

        return refuse_writable(opened)

    return Guardrails(catalog, engine)


def _sample(metric: Metric, query: SqlQuery, row: Row) -> Sample | Failure:
    """The column's value: text for an info metric, else a number."""
    column = metric.sql.column if metric.sql is not None else ""
    if column not in row:
        return Failure(metric.name, NOT_PRESENT, "the statement gave no row")
    value = row[column]
    if value is None:
        if query.null_means is NullMeans.ZERO:
            return Sample(Series(NAME, metric.name), 0)
        return Failure(metric.name, NOT_PRESENT, "NULL")
    if metric.kind is Kind.INFO:
        return Sample(Series(NAME, metric.name), str(value).strip()[:TEXT_LIMIT])
    if isinstance(value, str | bytes):
        try:
            value = Decimal(value if isinstance(value, str) else value.decode("ascii"))
        except (ArithmeticError, UnicodeDecodeError):
            return Failure(metric.name, NOT_A_NUMBER)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return Failure(metric.name, NOT_A_NUMBER, type(value).__name__)
    if not math.isfinite(value):
        return Failure(metric.name, NOT_FINITE)
    whole = int(value)
    return Sample(Series(NAME, metric.name), whole if whole == value else float(value))
