"""Guardrails: counts from the product's database, one named query at a time.

In:   the catalog's `.sql` files, an engine for the product's database, what each query cost before.
Out:  Samples, whole numbers wherever the database gave one. Each query has its own read-only transaction, timeout
      and error: a slow or missing one costs only its own metrics. A missing table or column is "not-present",
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
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

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
from agent.model import Failure, Reading, Sample, Series
from agent.settings import Settings
from agent.sources.base import once_each
from agent.sources.database_errors import reason_of
from agent.sources.governor import CostGovernor
from agent.sources.session import read_only

NAME = "guardrails"
DIALECTS = {"mariadb": "mysql", "mssql": "sqlserver"}  # SQLAlchemy's word -> the catalog's
LEAST_S = 0.05  # with less time left a query is not begun

Row = Mapping[str, Any]


class Guardrails:
    """The guardrail queries of one product over one kept connection."""

    name = NAME

    def __init__(
        self,
        catalog: Catalog,
        open_engine: Callable[[], Engine],
        explain: Callable[[BaseException], SourceError],
        *,
        statement_timeout_s: float,
        governor: CostGovernor | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics: dict[str, list[Metric]] = {}
        for metric in catalog.of_source(NAME):
            if metric.sql is not None:
                self._metrics.setdefault(metric.sql.query, []).append(metric)
        self._queries = catalog.queries
        self._open_engine = open_engine
        self._explain = explain
        self._statement_timeout_s = statement_timeout_s
        self._governor = governor or CostGovernor()
        self._clock = clock
        self._engine: Engine | None = None
        self._connection: Connection | None = None

    def read(self, deadline_s: float) -> Reading:
        """The due queries, cheapest first, within `deadline_s`; the others with the reason that kept them."""
        end_s = self._clock() + deadline_s
        samples: list[Sample] = []
        failures: list[Failure] = []
        due = self._due(failures)
        connection = self._connect() if due else None
        for place, query in enumerate(due):
            left_s = end_s - self._clock()
            if connection is None or left_s < LEAST_S:
                failures += self._all(query, DEADLINE)
                continue
            try:
                self._ask(connection, query, min(self._statement_timeout_s, left_s), samples, failures)
            except SQLAlchemyError as error:
                # The connection is gone, so nothing more can be asked; what came before still counts.
                self.close()
                lost = self._explain(error)
                if not samples and not failures:
                    raise lost from None
                for rest in due[place:]:
                    failures += self._all(rest, lost.reason, lost.why)
                break
        return Reading(tuple(samples), once_each(failures))

    def close(self) -> None:
        """End the connection; the next read opens another."""
        connection, engine = self._connection, self._engine
        self._connection = self._engine = None
        try:
            if connection is not None:
                connection.close()
            if engine is not None:
                engine.dispose()
        except SQLAlchemyError:
            return  # it was broken already: there is nothing left to end

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

    def _connect(self) -> Connection:
        if self._connection is not None and not self._connection.closed and not self._connection.invalidated:
            return self._connection
        self.close()
        try:
            self._engine = self._open_engine()
            self._connection = self._engine.connect()
        except (SQLAlchemyError, ImportError) as error:
            self.close()
            # `from None`: a driver's message may carry the whole address, login included.
            raise self._explain(error) from None
        return self._connection

    def _ask(
        self,
        connection: Connection,
        query: SqlQuery,
        timeout_s: float,
        samples: list[Sample],
        failures: list[Failure],
    ) -> None:
        """Run one query and learn its cost. Raises SQLAlchemyError when the connection is lost."""
        dialect = connection.dialect.name
        text = query.text(DIALECTS.get(dialect, dialect))
        if text is None:
            failures += self._all(query, NOT_SUPPORTED, dialect)
            return
        began_s = self._clock()
        try:
            with read_only(connection, timeout_s):
                row = connection.exec_driver_sql(text).mappings().first()
        except DBAPIError as error:
            if error.connection_invalidated or connection.invalidated:
                raise
            reason = reason_of(error, dialect)
            absent = reason if reason in (NOT_PRESENT, PERMISSION_DENIED) else ""
            self._governor.note(query.name, began_s, self._clock() - began_s, absent)
            failures += self._all(query, reason, type(error.orig).__name__)
            return
        self._governor.note(query.name, began_s, self._clock() - began_s)
        found = {str(column).lower(): value for column, value in (row or {}).items()}
        for metric in self._metrics[query.name]:
            answer = _number(metric, query, found)
            (samples if isinstance(answer, Sample) else failures).append(answer)  # type: ignore[arg-type]  # by its type


def open_guardrails(settings: Settings, catalog: Catalog) -> Guardrails:
    """The guardrails of this configuration; where the database is and as whom is read when it is first asked."""
    from agent.product.database import map_database_error, read_access
    from agent.product.engine import open_engine

    timeout_s = settings.database.statement_timeout_s
    return Guardrails(
        catalog,
        lambda: open_engine(read_access(settings), timeout_s),
        map_database_error,
        statement_timeout_s=timeout_s,
    )


def _number(metric: Metric, query: SqlQuery, row: Row) -> Sample | Failure:
    column = metric.sql.column if metric.sql is not None else ""
    if column not in row:
        return Failure(metric.name, NOT_PRESENT, "the statement gave no row")
    value = row[column]
    if value is None:
        if query.null_means is NullMeans.ZERO:
            return Sample(Series(NAME, metric.name), 0)
        return Failure(metric.name, NOT_PRESENT, "NULL")
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
